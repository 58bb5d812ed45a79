"""`dcgan sample`: the images that the stages make of the same z, in three forms, and one line for what cannot be."""
import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from pipeline.commands import sample
from pipeline.data import pixels
from pipeline.errors import InputError
from pipeline.gan import checkpoint, sampling
from pipeline.gan.checkpoint import Model
from pipeline.params.sections import Sampling
from tests import made_up
from tests.conftest import FP32, Params, command, python

FLAT = {"hardware.precision": "fp32", "hardware.device": "cpu"}


@pytest.fixture
def model(params: Params, tmp_path: Path) -> Model:
    """A conditional generator among the models of a study."""
    params(FLAT)
    return made_up.model(tmp_path / "models/one/seed0", statistics_images=60)


def expected(model: Model, count: int, seed: int) -> tuple[np.ndarray, torch.Tensor]:
    z = sampling.prior(model.network, count, torch.Generator().manual_seed(seed))
    with sampling.evaluating(model.G, model.network, Sampling(batch_norm="recomputed", statistics_images=60), FP32):
        return sampling.sample(model.G, model.network, z, FP32), z


def test_arrays_are_what_the_stages_make_of_the_same_z(model: Model) -> None:
    command("sample", "models/one", "--n", "23", "--seed", "7", "deep/out.npz")
    images, z = expected(model, 23, 7)
    with np.load("deep/out.npz") as found:
        np.testing.assert_array_equal(found["images"], images)
        np.testing.assert_array_equal(found["z"], z.numpy())
        np.testing.assert_array_equal(found["labels"], np.arange(23) % 10)
    first = Path("deep/out.npz").read_bytes()
    command("sample", "models/one", "--n", "23", "--seed", "7", "deep/out.npz")
    assert Path("deep/out.npz").read_bytes() == first


def test_in_one_picture_each_class_has_a_column(model: Model) -> None:
    command("sample", "models/one", "out.png", "--n", "20")
    with Image.open("out.png") as found:
        np.testing.assert_array_equal(np.asarray(found), np.asarray(pixels.grid(expected(model, 20, 0)[0], 10)))
    command("sample", "models/one", "out.png", "--n", "20", "--label", "3")
    command("sample", "models/one", "out.npz", "--n", "20", "--label", "3")
    with np.load("out.npz") as arrays, Image.open("out.png") as found:
        assert (arrays["labels"] == 3).all()
        np.testing.assert_array_equal(np.asarray(found), np.asarray(pixels.grid(arrays["images"], 5)))
        np.testing.assert_array_equal(arrays["images"][3], expected(model, 20, 0)[0][3])
        assert (arrays["images"][4] != expected(model, 20, 0)[0][4]).any()


def test_a_folder_has_a_picture_for_each_image(model: Model) -> None:
    command("sample", "models/one", "out", "--n", "11", "--label", "3")
    assert sorted(path.name for path in Path("out").iterdir()) == [f"{i:02}-class3.png" for i in range(11)]
    command("sample", "models/one", "turns", "--n", "2")
    images, _ = expected(model, 2, 0)
    for i in range(2):
        with Image.open(f"turns/{i}-class{i}.png") as found:
            np.testing.assert_array_equal(np.asarray(found), images[i, 0])


def with_others(model: Model, folder: Path, *names: str) -> Model:
    """The model with running statistics, saved with further generators, each with smaller weights than the last."""
    G, others = copy.deepcopy(model.G), {}
    for name in names:
        with torch.no_grad():
            for parameter in G.parameters():
                parameter *= 0.7
        others[name] = checkpoint.weights(G)
    facts = model.facts | {"train": model.facts["train"] | {"batch_norm": "running"}}
    checkpoint.save_model(folder, model.G, model.D, facts, others)
    return checkpoint.load_model(folder)


def test_each_generator_that_a_training_kept_samples_as_it_should(model: Model) -> None:
    """The average with recomputed statistics, the others with those of the training."""
    kept = with_others(model, Path("models/three/seed0"), "ema", "best")
    z = sampling.prior(model.network, 12, torch.Generator().manual_seed(0))
    running, pictures = Sampling(batch_norm="running", statistics_images=60), []
    for name, G, statistics in (("last", kept.G, running), ("best", kept.others["best"], running),
                                ("ema", kept.others["ema"], replace(running, batch_norm="recomputed"))):
        command("sample", "models/three", "out.npz", "--n", "12", "--generator", name)
        with sampling.evaluating(G, kept.network, statistics, FP32), np.load("out.npz") as found:
            np.testing.assert_array_equal(found["images"], sampling.sample(G, kept.network, z, FP32))
        pictures.append(Path("out.npz").read_bytes())
    assert len(set(pictures)) == 3
    command("sample", "models/three", "out.npz", "--n", "12")
    assert Path("out.npz").read_bytes() == pictures[0]


@pytest.mark.parametrize(("words", "message"), [
    (["one", "out.jpg"], "out.jpg: expected a .png"),
    (["one", "full"], "full: is there already; expected a new folder"),
    (["one", "."], ".: expected a .png"),
    (["one", "out.png", "--n", "0"], "--n 0: expected at least 1"),
    (["one", "out.png", "--label", "10"], "class 10: the generator has 10, from 0 to 9"),
    (["two", "out.png"], "two/model.json: not found"),
    (["one", "out.png", "--generator", "ema"], "one/seed0: has no generator ema; it has last"),
    (["averaged", "out.png", "--generator", "best"], "averaged/seed0: has no generator best; it has last, ema"),
    (["plain", "out.png", "--label", "1"], "--label 1: this generator is unconditional")])
def test_what_cannot_be_is_one_line_and_nothing_is_lost(model: Model, words: list[str], message: str) -> None:
    made_up.model(Path("models/plain/seed0"), "guidelines-28")
    with_others(model, Path("models/averaged/seed0"), "ema")
    Path("full").mkdir()
    Path("full/mine.txt").write_text("mine")
    Path("out.png").write_text("mine")
    with pytest.raises(InputError) as error:
        command("sample", f"models/{words[0]}", *words[1:])
    assert message in str(error.value) and "\n" not in str(error.value)
    assert Path("full/mine.txt").read_text() == Path("out.png").read_text() == "mine"


def test_the_help_shows_an_example_and_errors_are_one_line(model: Model) -> None:
    result = python("-m", "pipeline", "sample", "--help")
    assert result.returncode == 0 and sample.EXAMPLE in result.stdout
    for seed in ("-1", "18446744073709551616", "x"):
        result = python("-m", "pipeline", "sample", "models/one", "out.png", f"--seed={seed}")
        assert result.returncode == 2 and f"{seed}: expected a whole number" in result.stderr
    result = python("-m", "pipeline", "sample", "models:/m-0123", "out.png")
    assert result.returncode == 1 and "mlflow.db: not found, so there is no models:/m-0123" in result.stderr
    assert result.stderr.count("\n") == 1 and not Path("mlflow.db").exists()
    result = python("-m", "pipeline", "sample", "models/two", "out.png")
    assert result.returncode == 1 and result.stderr.count("\n") == 1 and result.stderr.startswith("dcgan: models/")
