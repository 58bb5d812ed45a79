"""dcgan new: a folder that is a study, with the numbers that were asked for, or nothing at all."""
from pathlib import Path

import pytest

from pipeline.errors import InputError
from pipeline.params import reading
from tests.conftest import ROOT, command, write_params


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with this project's studies."""
    for path in [ROOT / "params.yaml", *(ROOT / "studies").glob("*/params.yaml")]:
        copy = tmp_path / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(path.read_text())
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_study_from_another_one(repository: Path) -> None:
    before = {path: path.read_bytes() for path in repository.rglob("params.yaml")}
    command("new", "mine", "--from", "udacity-svhn", "--epochs", "2", "--width", "0.5", "--data", "eurosat")
    folder = repository / "studies/mine"
    study, source = (reading.load(repository / f"studies/{name}/params.yaml") for name in ("mine", "udacity-svhn"))
    assert study.data.name == "images" and study.data.directory == "../../pictures/eurosat64.zip"
    assert study.data.pictures is not None and (study.data.pictures.size, study.data.pictures.channels) == (32, 3)
    assert {name: (run.epochs, run.width, run.violate, run.lr) for name, run in study.runs.items()} == {
        name: (2, 0.5, run.violate, run.lr) for name, run in source.runs.items()}
    assert {path.name for path in folder.iterdir()} == {"params.yaml", "dvc.yaml", "pipeline", ".dvcignore", ".dvc"}
    assert (folder / "dvc.yaml").readlink() == Path("../../dvc.yaml")
    assert {path: path.read_bytes() for path in before} == before


def test_falling_learning_rates_shrink_alike_and_runs_of_their_own_follow(repository: Path) -> None:
    command("new", "short", "--from", "paper-mnist", "--epochs", "4", "--images", "1000", "--seeds", "3", "4")
    study = reading.load(repository / "studies/short/params.yaml")
    run = study.runs["paper"]
    assert (run.epochs, run.decay_epochs, run.images, run.width, study.seeds) == (4, 2, 1000, 1, [3, 4])
    command("new", "shorter", "--from", "short", "--width", "0.25", "--data", "digits")
    study = reading.load(repository / "studies/shorter/params.yaml")
    assert study.runs["paper"].width == 0.25 and study.runs["paper"].epochs == 4 and study.data.name == "digits"


def test_without_a_source_it_is_the_repositorys_own_study(repository: Path) -> None:
    command("new", "copy")
    assert reading.load(repository / "studies/copy/params.yaml") == reading.load(repository / "params.yaml")


def test_relative_paths_mean_the_same_in_the_new_folder(repository: Path) -> None:
    write_params(repository / "params.yaml", {
        "data": {"name": "images", "directory": "pictures/p.zip",
                 "pictures": {"size": 28, "channels": 1, "smallest": 28}},
        "evaluate.inception.weights": "~/w.pth",
        "transfers": {"mine": {"model": "models/a/seed0"},
                      "other": {"model": "studies/paper-svhn/models/x/seed0"}}})
    for name, source in (("a", []), ("b", ["--from", "a"])):
        command("new", name, *source)
        study = reading.load(repository / f"studies/{name}/params.yaml")
        assert study.data.directory == "../../pictures/p.zip" and study.evaluate.inception.weights == "~/w.pth"
        assert [one.model for one in study.transfers.values()] == ["models/a/seed0", "../paper-svhn/models/x/seed0"]


@pytest.mark.parametrize(("words", "message"), [
    (["x", "--from", "paper-64", "--width", "9"], "studies/x/params.yaml: train.width = 9.0: expected less than"),
    (["x", "--from", "paper-64", "--epochs", "0"], "train.epochs = 0: expected greater than or equal to 1"),
    (["x", "--from", "paper-64", "--images", "-3"], "train.images = -3: expected greater than"),
    (["x", "--from", "paper-64", "--data", "eurosta"], "--data eurosta: no such data set (did you mean 'eurosat'?)"),
    (["x", "--from", "paper-46"], "--from paper-46: no such study (did you mean 'paper-64'?)"),
    (["x", "--seeds", "1", "1"], "seeds = [1, 1]: 1 is there twice"),
    (["../x"], "'../x': expected a name of letters"), (["guidelines"], "guidelines: is there already")])
def test_what_cannot_be_is_one_line_and_nothing_is_written(
        repository: Path, words: list[str], message: str) -> None:
    before = sorted(repository.rglob("*"))
    with pytest.raises(InputError) as error:
        command("new", *words)
    assert message in str(error.value) and "\n" not in str(error.value)
    assert sorted(repository.rglob("*")) == before


def test_what_a_killed_command_left_beside_its_finished_study_goes(repository: Path) -> None:
    (repository / "studies/.guidelines.dcgan-partial").mkdir()
    with pytest.raises(InputError, match="is there already"):
        command("new", "guidelines")
    assert not [*repository.rglob(".*partial")] and (repository / "studies/guidelines/params.yaml").exists()
