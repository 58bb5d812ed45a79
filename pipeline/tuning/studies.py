"""Who works on which trial, and what becomes of a worker that dies.

Workers share nothing but the storage. Whatever several of them may not do at once, like taking the next trial, happens
under the storage's lock, and takes the same time however many trials there are.

A trial counts once it is COMPLETE, PRUNED or FAILED for a `reason`. One that is FAILED without a reason lost its
process, or was interrupted: the next worker that looks enqueues it again, as a trial that is a `retry_of` the first
attempt. When ATTEMPTS processes have died on it without a newer checkpoint than they began from, it is FAILED.
"""
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import optuna
from optuna.distributions import BaseDistribution
from optuna.exceptions import StorageInternalError
from optuna.storages import RDBStorage
from optuna.study import Study
from optuna.trial import FrozenTrial, Trial, TrialState
from sqlalchemy.exc import SQLAlchemyError

from pipeline import folders, observing, processes
from pipeline.tuning import joining, ledger, notes, storages
from pipeline.tuning.joining import Direction, open_study
from pipeline.tuning.ledger import Ledger, first
from pipeline.tuning.notes import Notes
from pipeline.tuning.storages import Storage

__all__ = ["Direction", "Order", "claim", "finished", "first", "heartbeat", "open_study", "scratch"]

ATTEMPTS = 3  # a trial that has killed so many processes will kill the next one too

Order = tuple[dict[str, Any], Notes]  # the parameters of a trial that is to be run, and the notes it begins with
_ledgers: WeakKeyDictionary[Study, Ledger] = WeakKeyDictionary()  # a cache: what it says follows from the storage


def claim(storage: Storage, study: Study, drawn_from: dict[str, BaseDistribution], orders: Sequence[Order],
          n_trials: int, sampler: Callable[[int], optuna.samplers.BaseSampler]) -> Trial | None:
    """The next trial, its parameters drawn, for this process to run; None when `n_trials` are finished or running.

    Lost trials come first, then the `orders` that nobody has begun, then what the sampler draws. `sampler` makes one
    from the number of trials before: neither a second worker nor a resumed study repeats what was drawn, and a single
    worker draws the same whether it was killed on the way or not.
    """
    with storage.lock():
        book = _enqueue_lost(storage, study)
        if book.total != n_trials:
            study.set_user_attr(joining.TOTAL, n_trials)
            book.total = n_trials
        begun = len(book.counted) + len(book.running())
        if begun >= n_trials:
            return None
        missing = [(drawn, order) for drawn, order in orders if ledger.key(order) not in book.begun]
        if missing and not book.waiting():
            drawn, order = missing[0]
            study.enqueue_trial(drawn, order.attributes)
        study.sampler = sampler(begun)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Heartbeat of storage")  # `heartbeat` does what Study.optimize would
            trial = study.ask()
        if isinstance(storage.backend, RDBStorage):
            storage.backend.record_heartbeat(trial._trial_id)
        notes.write(trial, Notes(process=processes.me()))  # last: without a name, its process died in here
    for name, distribution in drawn_from.items():  # outside: a sampler takes seconds when there are many trials
        trial._suggest(name, distribution)
    return trial


def finished(study: Study) -> list[FrozenTrial]:
    """The trials that count, in the order of their first attempts."""
    counted = _read(study).counted
    return [counted[number] for number in sorted(counted)]


def scratch(study: Study, trial: FrozenTrial | Trial, kind: str) -> Path:
    """Where all attempts at this trial keep their checkpoint; `kind` stands for what it trains."""
    return folders.work("search", study.study_name, f"{first(trial)}-{kind}")


def _checkpoint(study: Study, number: int) -> int:
    """Stands for the newest checkpoint on this machine of the trial whose first attempt is `number`; 0 for none."""
    found = folders.work("search", study.study_name).glob(f"{number}-*/{observing.STATE}")
    return max((path.stat().st_mtime_ns for path in found), default=0)


def _read(study: Study) -> Ledger:
    book = _ledgers.setdefault(study, Ledger())
    book.read(study)
    return book


def _enqueue_lost(storage: Storage, study: Study) -> Ledger:
    """Trials whose process is gone are FAILED, and wait for another worker unless too many have died on them."""
    database = isinstance(storage.backend, RDBStorage)
    joining.fail_stale(study)
    book = _read(study)
    names = {trial.number: notes.read(trial).process for trial in book.running()}
    dead = [number for number, name in names.items() if not name or (not database and processes.gone(name))]
    for number in dead:
        study.tell(number, state=TrialState.FAIL)
    if dead:
        book.read(study)
    for number, trial in sorted(book.lost.items()):
        _enqueue_again(study, trial, book.deaths[number, checkpoint := _checkpoint(study, number)], checkpoint)
    if book.lost:
        book.read(study)
    return book


def _enqueue_again(study: Study, trial: FrozenTrial, deaths: int, checkpoint: int) -> None:
    """Another attempt from `checkpoint`, from which `deaths` attempts have died: it waits, or has FAILED already."""
    known = notes.read(trial)
    again = replace(known.order, retry_of=first(trial), checkpoint=checkpoint)
    if deaths < ATTEMPTS:
        drawn = trial.system_attrs.get("fixed_params", {}) | trial.params  # it may have died before it drew
        study.enqueue_trial(drawn, again.attributes)
        return
    reason = f"{known.trouble or 'its process died'}, {deaths} times without a newer checkpoint"
    study.add_trial(optuna.trial.create_trial(
        state=TrialState.FAIL, params=trial.params, distributions=trial.distributions,
        user_attrs=replace(again, reason=reason).attributes))


@contextmanager
def heartbeat(storage: Storage, trial: Trial) -> Iterator[None]:
    """Tells the database that this process lives, as long as the block runs; with a journal its lock tells it."""
    backend = storage.backend
    if not isinstance(backend, RDBStorage):
        yield
        return
    ended = threading.Event()

    def beat() -> None:
        while not ended.wait(storages.HEARTBEAT_SECONDS):
            with suppress(SQLAlchemyError, StorageInternalError):  # the next one may get through
                backend.record_heartbeat(trial._trial_id)

    thread = threading.Thread(target=beat, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
