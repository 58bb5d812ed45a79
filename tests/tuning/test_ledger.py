"""What is known of a study: the same from what is new as from everything, at the same cost however much there is."""
import random
from pathlib import Path

import optuna
import pytest
from optuna.trial import FrozenTrial, TrialState

from pipeline.tuning import ledger, notes, storages, studies
from pipeline.tuning.ledger import Ledger
from pipeline.tuning.notes import Notes
from pipeline.tuning.storages import Storage
from tests.tuning.test_studies import ORDERS, new, take


@pytest.fixture
def journal(home: object) -> Storage:
    return storages.open_storage(None, Path())


@pytest.mark.parametrize("seed", range(5))
def test_reading_on_gives_what_reading_all_gives(journal: Storage, seed: int) -> None:
    """Over random histories of four workers."""
    study, book, drawn = new(journal), Ledger(), random.Random(seed)
    running: list[optuna.Trial] = []
    for _ in range(60):
        if len(running) < 4 and drawn.random() < 0.5:
            trial = take(journal, study, orders=ORDERS)
            assert trial is not None
            running.append(trial)
        elif running:
            trial = running.pop(drawn.randrange(len(running)))
            how = drawn.choice(["complete", "reason", "died", "died", "interrupted"])
            if how in ("reason", "interrupted"):
                trial.set_user_attr(how, how == "interrupted" or "diverged")
            state = TrialState.COMPLETE if how == "complete" else TrialState.FAIL
            study.tell(trial, 1.0 if how == "complete" else None, state)
        if drawn.random() < 0.5:
            book.read(study)
    whole = Ledger()
    book.read(study)
    whole.read(study)
    assert vars(book) == vars(whole) and whole.counted


def test_a_claim_looks_at_few_trials_however_many_there_are(journal: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    study = new(journal)
    looked: list[int] = []
    read = notes.read

    def counted(trial: FrozenTrial) -> Notes:
        looked.append(trial.number)
        return read(trial)

    costs = {}
    for number in range(201):
        with monkeypatch.context() as patch:
            patch.setattr(notes, "read", counted)
            trial = take(journal, study, 1000)
        costs[number] = len(looked)
        looked.clear()
        study.tell(trial, 1.0)
    assert costs[200] == costs[10] <= 10


def test_an_order_is_found_by_what_it_was_given(journal: Storage) -> None:
    study = new(journal)
    take(journal, study, orders=ORDERS)
    book = Ledger()
    book.read(study)
    assert [ledger.key(order) in book.begun for _, order in ORDERS] == [True, False]
    assert studies.finished(study) == []
