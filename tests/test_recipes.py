"""dcgan recipe: what is written, what it is called, and that nothing is lost when it cannot be."""
import json
import shutil
from pathlib import Path

import pytest
from PIL import Image

from pipeline import params, recipes
from pipeline.data import digits
from pipeline.errors import InputError
from tests.conftest import ROOT, SMALL, change_params, stage


@pytest.fixture
def book(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "recipes").mkdir()
    shutil.copy(ROOT / "recipes/params.yaml", tmp_path / "recipes/params.yaml")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "recipes/params.yaml"


def test_a_recipe_as_it_is_changes_nothing(book: Path) -> None:
    before = book.read_text()
    assert recipes.write("paper-64", None, None, None, None) == "paper-64"
    assert recipes.write("paper-64", 1.0, 25, 350_000, "pictures64") == "paper-64"
    assert book.read_text() == before


def test_a_scaled_recipe_is_an_entry_whose_name_says_how(book: Path) -> None:
    before = book.read_text()
    name = recipes.write("paper-mnist", 0.25, 4, 1000, "digits")
    assert name == "paper-mnist-width25-epochs4-images1000-on-digits"
    source, scaled = (params.recipe_of(f"recipes/{key}") for key in ("paper-mnist", name))
    assert (source.width, source.epochs, source.decay_epochs, source.images) == (1, 200, 100, 50_000)
    assert (scaled.width, scaled.epochs, scaled.decay_epochs, scaled.images) == (0.25, 4, 2, 1000)
    assert (scaled.batch, scaled.lr, scaled.beta1, scaled.leak) == (128, 2e-4, 0.5, 0.2)
    study, label = params.study(f"recipes/{name}")
    assert label == name and study.data.name == "digits"
    added = [line for line in book.read_text().splitlines() if line not in before.splitlines()]
    assert len(added) == 1 and added[0].startswith(f"  {name}: ")

    once = book.read_text()
    assert recipes.write("paper-mnist", 0.25, 4, 1000, "digits") == name and book.read_text() == once
    assert recipes.write(name, 0.5, None, None, None) == f"{name}-width50"
    assert params.recipe_of(f"recipes/{name}-width50").width == 0.125


@pytest.mark.parametrize(("given", "message"), [
    (("paper-64", 9.0, None, None, None), "recipes.paper-64-width900.width = 9: expected less than or equal to 4"),
    (("paper-64", None, 0, None, None), "recipes.paper-64-epochs0.epochs = 0: expected greater than or equal to 1"),
    (("paper-64", None, None, -3, None), "recipes.paper-64-images-3.images = -3: expected greater than"),
    (("paper-64", None, None, None, "eurosta"), "no data set 'eurosta' (did you mean 'eurosat'?)"),
    (("paper-46", 0.5, None, None, None), "recipes: no recipe 'paper-46' (did you mean 'paper-64'?)")])
def test_what_cannot_be_is_one_line_and_nothing_is_written(
        book: Path, given: tuple[str, float | None, int | None, int | None, str | None], message: str) -> None:
    before = book.read_text()
    with pytest.raises(InputError) as error:
        recipes.write(*given)
    assert message in str(error.value) and "\n" not in str(error.value)
    assert book.read_text() == before


def test_another_recipe_of_the_same_name_is_not_overwritten(book: Path) -> None:
    name = recipes.write("paper-64", 0.5, None, None, None)
    book.write_text(book.read_text().replace("width: 0.5", "width: 0.4"))
    with pytest.raises(InputError, match=f"recipes.{name} is there with other numbers"):
        recipes.write("paper-64", 0.5, None, None, None)


def small(book: Path, changes: dict[str, object]) -> None:
    """Gives the recipes the sizes of tests, and the `changes`."""
    parts = ("reference.", "sampling.", "evaluate.", "train.fid_", "train.grid", "train.report_")
    change_params(book, book, {key: value for key, value in SMALL.items() if key.startswith(parts)} | changes)


@pytest.mark.slow
def test_pictures_without_classes_are_trained_on_and_scored(book: Path, tmp_path: Path) -> None:
    """Their distance is taken in features of how they were turned, and says so; there is no probe."""
    (tmp_path / "faces").mkdir()
    for i, image in enumerate(digits.arrays()["train_images"][:300, 0]):
        Image.fromarray(image).save(tmp_path / f"faces/{i:03}.png")
    pictures = {"size": 28, "channels": 1, "smallest": 28, "test": 0.2, "deduplicate": False}
    small(book, {"data.faces": {"name": "images", "directory": "faces", "pictures": pictures}})
    name = recipes.write("ablation-baseline-0", 0.25, 1, None, "faces")
    words = ["data/faces", "models/reference", "models/faces"]
    for command in (["fetch", "recipes/faces", words[0]], ["reference", "recipes/faces", *words[:2], "reports/r"],
                    ["train", f"recipes/{name}", *words, "reports/t"],
                    ["evaluate", f"recipes/{name}", *words, "reports/e"]):
        result = stage(*command)
        assert result.returncode == 0, result.stderr
    controls, scores = (json.loads((tmp_path / f"reports/{key}/metrics.json").read_text()) for key in "re")
    assert not any("classifier" in key or "probe" in key or "class" in key for key in controls | scores)
    assert controls["test_images"] == 60 and controls["turns_accuracy_test"] > 0.4
    assert scores["fid_turns_400"] > controls["fid_turns_60_of_test_images"]
    assert (tmp_path / "reports/t/fid.csv").read_text().startswith("images_seen,fid_turns_200")

    conditional = recipes.write("paper-mnist", 0.25, 1, None, "faces")
    result = stage("train", f"recipes/{conditional}", *words, "reports/t")
    assert result.returncode == 1
    assert result.stderr == (f"train: recipes/params.yaml: recipes.{conditional}: network 'paper-mnist' is told one of "
                             "10 classes, images has 1\n")


def test_a_data_set_that_does_not_fit_the_recipe_is_one_line(book: Path, tmp_path: Path) -> None:
    small(book, {})
    assert stage("fetch", "recipes/digits", "data/digits").returncode == 0
    assert stage("reference", "recipes/digits", "data/digits", "models/r", "reports/r").returncode == 0
    for recipe, message in (
            ("udacity-svhn", "network 'udacity-svhn' makes images of 3 channels, digits has 1"),
            ("slides-mnist", "recipes.slides-mnist-images50-on-digits.batch = 100: expected at most 50, the training "
                             "images")):
        name = recipes.write(recipe, None, None, 50, "digits")
        result = stage("train", f"recipes/{name}", "data/digits", "models/r", "models/x", "reports/x")
        assert result.returncode == 1 and result.stderr.startswith("train: ") and message in result.stderr
        assert result.stderr.count("\n") == 1 and not (tmp_path / "models/x").exists()
