"""`dcgan walk`: strips whose rows meet, films that loop, and one line for what cannot be."""
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageSequence

from pipeline.commands import walk
from pipeline.errors import InputError
from pipeline.gan import checkpoint
from tests import made_up
from tests.conftest import Params, command, python


@pytest.fixture(autouse=True)
def model(params: Params, tmp_path: Path) -> None:
    params({"hardware.precision": "fp32", "hardware.device": "cpu"})
    made_up.model(tmp_path / "models/one/seed0", "guidelines-28", 0.25)


def cell(sheet: np.ndarray, row: int, column: int) -> np.ndarray:
    return sheet[29 * row:29 * row + 28, 29 * column:29 * column + 28]


def test_each_row_of_a_strip_begins_where_the_one_above_ends() -> None:
    command("walk", "models/one", "walk.png", "--points", "4", "--steps", "5", "--seed", "3")
    with Image.open("walk.png") as found:
        sheet = np.asarray(found)
    assert sheet.shape == (3 * 29 - 1, 6 * 29 - 1)
    for row in (0, 1):
        np.testing.assert_array_equal(cell(sheet, row, 5), cell(sheet, row + 1, 0))
        assert (cell(sheet, row, 0) != cell(sheet, row, 5)).any()


def test_straight_walks_take_another_way_between_the_same_ends() -> None:
    sheets = []
    for words in ([], ["--straight"]):
        command("walk", "models/one", "walk.png", "--points", "2", "--steps", "4", *words)
        with Image.open("walk.png") as found:
            sheets.append(np.asarray(found))
    same = [(cell(sheets[0], 0, i) == cell(sheets[1], 0, i)).all() for i in range(5)]
    assert same == [True, False, False, False, True]


@pytest.mark.parametrize("kind", ["webp", "gif"])
def test_a_film_goes_through_all_points_and_loops(kind: str) -> None:
    command("walk", "models/one", f"walk.{kind}", "--points", "3", "--steps", "4")
    with Image.open(f"walk.{kind}") as found:
        assert found.n_frames == 12 and found.info["loop"] == 0 and found.size == (196, 196)  # 7 times 28
        frames = [np.asarray(frame.convert("L"), int) for frame in ImageSequence.Iterator(found)]
    command("sample", "models/one", "points.npz", "--n", "3")
    with np.load("points.npz") as points:
        for i, image in enumerate(points["images"][:, 0]):
            assert abs(frames[4 * i] - image.repeat(7, 0).repeat(7, 1)).max() <= 2  # of 255: a GIF's colours
            assert abs(frames[4 * i + 2] - image.repeat(7, 0).repeat(7, 1)).max() > 20


def test_a_walk_of_one_class_stays_in_it_and_others_are_told_none(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--label 3: this generator is unconditional"):
        command("walk", "models/one", "walk.png", "--label", "3")
    made_up.model(tmp_path / "models/two", "paper-mnist")
    sheets = []
    for words in ([], ["--label", "0"], ["--label", "3"]):
        command("walk", "models/two", "walk.png", "--points", "2", "--steps", "2", *words)
        sheets.append(Path("walk.png").read_bytes())
    assert sheets[0] == sheets[1] != sheets[2]


def test_a_walk_is_of_the_generator_that_one_asks_for(tmp_path: Path) -> None:
    one, other = (made_up.model(tmp_path / f"models/{name}/seed0", "guidelines-28", width)
                  for name, width in (("a", 0.25), ("b", 0.25)))
    with torch.no_grad():
        for parameter in other.G.parameters():
            parameter *= 0.7
    checkpoint.save_model(tmp_path / "models/a/seed0", one.G, one.D, one.facts, {"best": checkpoint.weights(other.G)})
    checkpoint.save_model(tmp_path / "models/b/seed0", other.G, other.D, other.facts)
    films = []
    for words in (["a"], ["a", "--generator", "best"], ["b"]):
        command("walk", f"models/{words[0]}", "walk.png", "--points", "2", "--steps", "2", *words[1:])
        films.append(Path("walk.png").read_bytes())
    assert films[0] != films[1] == films[2]


@pytest.mark.parametrize(("words", "message"), [
    (["walk.mp4"], "walk.mp4: expected a .png"), (["walk.png", "--points", "1"], "a walk of 10 steps"),
    (["walk.png", "--generator", "best"], "has no generator best; it has last"),
    (["walk.png", "--steps", "0"], "a walk of 0 steps between each two of 6 points")])
def test_what_cannot_be_is_one_line(words: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message) as error:
        command("walk", "models/one", *words)
    assert "\n" not in str(error.value) and not Path(words[0]).exists()


def test_the_help_shows_an_example() -> None:
    result = python("-m", "pipeline", "walk", "--help")
    assert result.returncode == 0 and walk.EXAMPLE in result.stdout
