"""Published networks: digests, what is missing, and the authors' own arrays where they are there."""
import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline import published
from pipeline.data import sources
from pipeline.errors import InputError
from pipeline.gan import checkpoint, literature, sampling
from pipeline.gan.build import build
from pipeline.params.sections import Sampling
from tests.conftest import FP32, command
from tests.data.conftest import Server, archive, serving

NAME = "radford-svhn"


def arrays(folder: Path, network: str, net: int, prefix: str) -> list[str]:
    """Writes random arrays in Theano's shapes, returns their SHA-256."""
    folder.mkdir(parents=True, exist_ok=True)
    digests = []
    for number, slot in enumerate(build(literature.network(network), 0.2, torch.Generator().manual_seed(1))[net]
                                  .parameters(), 1):
        path = folder / f"{prefix}{number:02}.npy"
        np.save(path, slot.detach().T.numpy() if slot.dim() == 2 else slot.detach().numpy())
        digests.append(hashlib.sha256(path.read_bytes()).hexdigest())
    return digests


@pytest.fixture
def github(tmp_path: Path) -> Iterator[Server]:
    """An empty server in its place."""
    with serving(tmp_path / "github") as served:
        yield served


@pytest.fixture
def made_up(tmp_path: Path, github: Server, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a pair that nobody trained, in the form of the authors' own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(published, "BASE", github.url)
    one, folder = published.PUBLISHED[NAME], tmp_path / "theirs"
    G, D = (arrays(folder, one.network, net, prefix) for net, prefix in ((0, one.prefix_G), (1, one.prefix_D)))
    (folder / "LICENSE").write_text("free")
    monkeypatch.setattr(published, "LICENCE", {"LICENSE": blob(b"free")})
    monkeypatch.setitem(published.PUBLISHED, NAME, replace(one, G=G, D=D))
    return folder


def blob(content: bytes) -> str:
    """What git calls a file of this content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def test_a_model_comes_from_a_folder_with_its_licence_and_says_whose_it_is(made_up: Path, github: Server) -> None:
    command("import", NAME, "--from", str(made_up))
    folder = Path("published") / NAME
    facts = json.loads((folder / "model.json").read_text())
    assert facts["network"] == {"name": "paper-svhn"} and facts["source"].startswith(github.url)
    assert "Radford" in facts["licence"] and (folder / "LICENSE").read_text() == "free"
    assert checkpoint.load_model(folder).network == literature.network("paper-svhn") and not github.asked
    command("sample", f"published:{NAME}", "samples.npz", "--n", "3")
    assert np.load("samples.npz")["images"].shape == (3, 3, 32, 32)


def test_an_address_brings_what_is_not_there_from_the_server_once(made_up: Path, github: Server) -> None:
    inside = github.folder / published.PUBLISHED[NAME].folder
    inside.parent.mkdir(parents=True)
    made_up.rename(inside)
    (inside / "LICENSE").rename(github.folder / "LICENSE")
    for _ in range(2):
        command("walk", f"published:{NAME}", "walk.png", "--points", "2", "--steps", "2")
    assert len(github.asked) == len(set(github.asked)) == 19


def test_a_wrong_digest_and_a_missing_array_are_named_and_nothing_is_made(made_up: Path) -> None:
    (made_up / "200_gen_params.jl_04.npy").write_bytes(b"other")
    with pytest.raises(InputError, match=r"jl_04.npy: 5 bytes with SHA-256 .* Missing: .*gen_params.jl_04.npy.*--from"):
        published.bring(NAME, made_up)
    (made_up / "200_gen_params.jl_04.npy").unlink()
    with pytest.raises(InputError, match="No such file.*gen_params.jl_04.npy"):
        published.bring(NAME, made_up)
    assert not Path("published").exists()


def test_a_missing_licence_is_one_line(made_up: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (made_up / "LICENSE").unlink()
    published.bring(NAME, made_up)
    assert capsys.readouterr().err.endswith(f"{NAME}: no source has its LICENSE; it is {published.HOLDER}\n")
    assert checkpoint.load_model(Path("published") / NAME)


def test_a_discriminator_has_the_layers_before_the_first_missing_array(
        made_up: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """And cannot be sampled."""
    monkeypatch.setitem(published.PUBLISHED, NAME, replace(published.PUBLISHED[NAME], G=[]))
    folder = Path("published") / NAME
    published.bring(NAME, made_up)
    assert len(checkpoint.load_discriminator(folder)[0]) == 10
    (made_up / "200_discrim_params.jl_06.npy").unlink()
    Path(".work/published", NAME, "200_discrim_params.jl_06.npy").unlink()
    published.bring(NAME, made_up)
    D, network, facts = checkpoint.load_discriminator(folder)
    assert len(D) == 5 and facts["layers"] == 2 and D(torch.zeros(1, *network.image)).shape == (1, 128, 8, 8)
    assert "D has its first 2 layers" in capsys.readouterr().err
    with pytest.raises(InputError, match="has a discriminator only"):
        checkpoint.load_model(folder)
    (made_up / "200_discrim_params.jl_01.npy").unlink()
    Path(".work/published", NAME, "200_discrim_params.jl_01.npy").unlink()
    with pytest.raises(InputError, match="Missing: 200_discrim_params.jl_01.npy"):
        published.bring(NAME, made_up)


def test_unknown_names_and_folders_are_one_line(made_up: Path) -> None:
    for words, problem in (
            (("import", "radford-svnh"), r"'radford-svnh' \(did you mean 'radford-svhn'\?\)"),
            (("sample", "published:x", "a.png"), "no published model 'x'; there are radford-svhn, radford-imagenet32"),
            (("import", NAME, "--from", "nowhere"), "--from nowhere: not a folder")):
        with pytest.raises(InputError, match=problem):
            command(*words)


def test_gits_name_of_a_file(tmp_path: Path) -> None:
    """As `git hash-object` prints it for a file with the text hello."""
    (tmp_path / "file").write_text("hello\n")
    sources.check(tmp_path / "file", "ce013625030ba8dba906f756967f9e9ca394464a")
    with pytest.raises(ValueError, match="6 bytes with git's blob id ce0136"):
        sources.check(tmp_path / "file", "0" * 40)


def test_the_authors_own_generator_makes_what_their_discriminator_knows(tmp_path: Path,
                                                                        monkeypatch: pytest.MonkeyPatch) -> None:
    """Kernels that are not turned give patches, and a D for which noise is as real as they are."""
    theirs = archive(NAME)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sources, "mirror", lambda base: lambda files, scratch: iter(()))
    published.bring(NAME, theirs)
    model = checkpoint.load_model(tmp_path / "published" / NAME)
    z = sampling.prior(model.network, 256, torch.Generator().manual_seed(0))
    with sampling.evaluating(model.G, model.network, Sampling(statistics_images=1000), FP32), torch.no_grad():
        fake = model.G(z)
    model.D.train()
    with torch.no_grad():
        on_fake, on_noise = model.D(fake), model.D(torch.rand(256, 3, 32, 32) * 2 - 1)
    assert on_fake.mean() > on_noise.mean() + 8 and on_fake.std() < 4
    assert 0.2 < fake.std() < 0.4
