"""The classifier that a study's workers share: the first one's, byte for byte, wherever they are."""
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
import torch

from pipeline.errors import InputError
from pipeline.scores import frechet, reference_model
from pipeline.scores.classifier import Classifier
from pipeline.tuning import shared, storages
from pipeline.tuning.storages import Storage
from tests.tuning.test_studies import new

DATA = "ab" * 32


def fitted(folder: Path, seed: int) -> Callable[[], Path]:
    """Makes a classifier, another one for every seed, as another kind of machine does."""
    def fit() -> Path:
        torch.manual_seed(seed)
        net = Classifier((1, 8, 8), 10)
        moments = frechet.moments(torch.rand(20, 128))
        reference_model.save(folder / f"fit{seed}", net, moments,
                             {"data": DATA, "shape": [1, 8, 8], "classes": 10, "extractor": "classifier"})
        return folder / f"fit{seed}"

    return fit


def never() -> Path:
    raise AssertionError("fitted although there is one")


def on_two_machines(one: Callable[[], Storage], other: Callable[[], Storage], folder: Path,
                    monkeypatch: pytest.MonkeyPatch) -> None:
    digests = []
    for machine, make, fit in ((folder / "a", one, fitted(folder, 1)), (folder / "b", other, never)):
        machine.mkdir()
        monkeypatch.chdir(machine)  # scratch is each machine's own
        with closing(make()) as storage:
            for _ in range(2):
                digests.append(shared.classifier(storage, ["facts"], fit, DATA).digest)
                fit = never
            shared.check(storage, new(storage, "scored"), digests[-1])
    assert len(set(digests)) == 1 and digests[0] == reference_model.load(folder / "fit1", DATA).digest


def test_workers_take_the_first_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    on_two_machines(*[lambda: storages.open_storage(None, tmp_path)] * 2, tmp_path, monkeypatch)


@pytest.mark.slow
def test_machines_that_share_a_database_take_the_first_ones(
        postgresql: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    on_two_machines(*[lambda: storages.open_storage(postgresql, tmp_path)] * 2, tmp_path, monkeypatch)


def test_of_workers_that_fit_at_once_the_first_to_end_is_taken(tmp_path: Path) -> None:
    storage, found = storages.open_storage(None, tmp_path), []

    def slow() -> Path:
        found.append(shared.classifier(storage, ["facts"], fitted(tmp_path, 2), DATA).digest)
        return fitted(tmp_path, 1)()

    found.append(shared.classifier(storage, ["facts"], slow, DATA).digest)
    assert found[0] == found[1] == reference_model.load(tmp_path / "fit2", DATA).digest


def test_another_classifier_than_the_studys_is_refused(tmp_path: Path) -> None:
    """As when what is kept beside the journal was deleted, and another machine fits it anew."""
    storage = storages.open_storage(None, tmp_path)
    study = new(storage)
    shared.check(storage, study, "1" * 64)
    shared.check(storage, study, "1" * 64)
    with pytest.raises(InputError, match="scores s is 1{12}….* this worker's is 2{12}…: restore .*optuna_classifiers"):
        shared.check(storage, study, "2" * 64)


def test_other_facts_are_another_classifier_and_a_damaged_one_is_a_line(tmp_path: Path) -> None:
    storage = storages.open_storage(None, tmp_path)
    one = shared.classifier(storage, ["facts"], fitted(tmp_path, 1), DATA).digest
    assert shared.classifier(storage, ["others"], fitted(tmp_path, 2), DATA).digest != one
    for path in (tmp_path / storages.KEPT).iterdir():
        path.write_bytes(path.read_bytes()[:-99])
    with pytest.raises(InputError, match="optuna_classifiers: a damaged classifier .*restore it"):
        shared.classifier(storage, ["facts"], never, DATA)
