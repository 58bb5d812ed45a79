"""`dcgan combine`: sums of z whose concepts numbers have picked, and one line for what cannot be."""
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from pipeline.commands import models
from pipeline.commands.models import OpenedGenerator
from pipeline.errors import InputError
from pipeline.gan import literature
from tests import made_up
from tests.conftest import Params, command


def pictures(z: Tensor) -> np.ndarray:
    """4 x 4 pixels in colour: as bright as z0 says, and as warm as z1, linearly."""
    bright, warm = 128 + 25 * z[:, 0], 20 * z[:, 1]
    colour = torch.stack([bright + warm, bright, bright - warm], 1).clamp(0, 255)
    return colour[..., None, None].expand(-1, -1, 4, 4).round().to(torch.uint8).numpy()


@pytest.fixture
def planted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """What `published:pictures` generates; the names that were opened."""
    monkeypatch.chdir(tmp_path)
    network, names = replace(literature.network("udacity-svhn", 1 / 16), image=(3, 4, 4)), []

    @contextmanager
    def opened(model: str, generator: str) -> Iterator[OpenedGenerator]:
        names.append(f"{model} {generator}")
        yield OpenedGenerator(network, pictures)

    monkeypatch.setattr(models, "opened", opened)
    return names


def test_sums_are_what_the_concepts_make(planted: list[str], capsys: pytest.CaptureFixture[str],
                                         tmp_path: Path) -> None:
    command("combine", "published:pictures", "sums.png", "--candidates", "2000", "--generator", "ema")
    said = capsys.readouterr().out
    assert planted == ["published:pictures ema"]
    concepts, told = said.split(": ")[:2]
    assert concepts in ("(warm, bright) - (warm, dark) + (cold, dark)", "(cold, bright) - (cold, dark) + (warm, dark)")
    share, chance = (int(word.split("%")[0].split()[-1]) for word in told.split(", "))
    assert share > 50 and chance == 0
    with Image.open("sums.png") as found:
        assert found.width > 200
    first = Path("sums.png").read_bytes()
    command("combine", "published:pictures", "sums.png", "--candidates", "2000", "--generator", "ema")
    assert Path("sums.png").read_bytes() == first
    command("combine", "published:pictures", "sums.png", "--candidates", "2000", "--seed", "1")
    assert Path("sums.png").read_bytes() != first


@pytest.mark.parametrize(("words", "line"), [
    (["sums.gif"], "sums.gif: expected a .png"),
    (["sums.png", "--exemplars", "0"], "--exemplars 0: expected 1 to 5000, the candidates"),
    (["sums.png", "--exemplars", "9", "--candidates", "8"], "--exemplars 9: expected 1 to 8"),
    (["sums.png", "--candidates", "12"], "of 12 samples 3 are clearly cold or warm, .*; expected 6 for --exemplars 3"),
    (["sums.png", "--candidates", "1", "--exemplars", "1"], "0 of 1 samples are clearly cold and 0 clearly warm"),
    (["sums.png", "--candidates", "1000000000000"], "GB"),
    (["sums.png", "--label", "1"], "unconditional"),
])
def test_what_cannot_be_is_one_line_and_writes_nothing(planted: list[str], words: list[str], line: str,
                                                       tmp_path: Path) -> None:
    with pytest.raises(InputError, match=line):
        command("combine", "published:pictures", *words)
    assert not any(tmp_path.glob("sums.*"))


def test_an_untrained_generator_of_digits_is_opened_as_the_stages_do(params: Params, tmp_path: Path,
                                                                     capsys: pytest.CaptureFixture[str]) -> None:
    """Its grey noise is ink all over: it has a slant and a thickness."""
    params({"hardware.precision": "fp32", "hardware.device": "cpu"})
    made_up.model(tmp_path / "models/one/seed0", "paper-mnist", 0.25)
    command("combine", "models/one", "sums.png", "--candidates", "400", "--label", "3")
    said = capsys.readouterr().out
    assert all(word in said for word in ("thin", "bold", "left-leaning", "right-leaning", "% of 200 sums"))
