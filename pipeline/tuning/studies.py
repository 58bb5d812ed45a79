"""Who works on which trial, and what becomes of a worker that dies.

Workers share nothing but the storage. Whatever several of them may not do at once, like taking the next trial, happens
under the storage's lock, and takes the same time however many trials there are.

A trial counts once it is COMPLETE, PRUNED or FAILED for a `reason`. One that is FAILED without a reason lost its
process, or was interrupted: the next worker takes it up first, as a trial that is a `retry_of` the first attempt. When
ATTEMPTS processes have died on it without a newer checkpoint than they began from, it has FAILED.
"""
import shutil
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
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
          n_trials: int, sampler: Callable[[int], optuna.samplers.BaseSampler],
          whole: Callable[[Mapping[str, Any]], bool] | None = None) -> Trial | None:
    """The next trial, its parameters drawn, for this process to run; None when `n_trials` are finished or running.

    Lost trials come first, then the `orders` that nobody has begun, then what the sampler draws. `sampler` makes one
    from the number of trials that were begun before this one was first attempted: neither a second worker nor a resumed
    study repeats what was drawn, and a single worker draws the same whether it was killed on the way or not.

    `whole` says whether a trial has all its parameters, by default those of `drawn_from`: one that was lost before has
    trained nothing and is drawn anew, because a sampler that begins in the middle would draw something else.
    """
    with storage.lock():
        book = _without_the_dead(storage, study)
        if book.total != n_trials:
            study.set_user_attr(joining.TOTAL, n_trials)
            book.total = n_trials
        if len(book.counted) + len(book.running()) >= n_trials:
            return None
        drawn, given = _next(study, book, orders, whole or (lambda drawn: drawn_from.keys() <= drawn.keys()))
        number = _begin(storage, study, drawn, given)
    before = len(book.latest) if given.retry_of is None else sum(one < given.retry_of for one in book.latest)
    study.sampler = sampler(before)  # outside the lock: it takes seconds when there are many trials
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Heartbeat of storage")  # `heartbeat` does what Study.optimize would
        trial = Trial(study, number)
    for name, distribution in drawn_from.items():
        trial._suggest(name, distribution)
    return trial


def _next(study: Study, book: Ledger, orders: Sequence[Order], whole: Callable[[Mapping[str, Any]], bool]) -> Order:
    """What comes next: a lost trial, an order that nobody has begun, or nothing that is not drawn."""
    if book.lost:
        number, trial = min(book.lost.items())
        drawn = trial.system_attrs.get("fixed_params", {}) | (trial.params if whole(trial.params) else {})
        return drawn, replace(notes.read(trial).order, retry_of=number, checkpoint=_checkpoint(study, number))
    return next((order for order in orders if ledger.key(order[1]) not in book.begun), ({}, Notes()))


def _begin(storage: Storage, study: Study, drawn: dict[str, Any], given: Notes) -> int:
    """A running trial of this process, by the storage's number for it. Study.ask looks at all trials once more."""
    database = isinstance(storage.backend, RDBStorage)
    told = given if database else replace(given, process=processes.me())
    template = optuna.trial.create_trial(
        state=TrialState.RUNNING, system_attrs={"fixed_params": drawn} if drawn else {}, user_attrs=told.attributes)
    number = study._storage.create_new_trial(study._study_id, template if drawn or told.attributes else None)
    if isinstance(storage.backend, RDBStorage):
        storage.backend.record_heartbeat(number)
        study._storage.set_trial_user_attr(number, "process", processes.me())  # without it, a worker died in here
    return number


def finished(study: Study) -> list[FrozenTrial]:
    """The trials that count, in the order of their first attempts."""
    counted = _read(study).counted
    return [counted[number] for number in sorted(counted)]


def scratch(study: Study, trial: FrozenTrial | Trial, kind: str) -> Path:
    """Where all attempts at this trial keep their checkpoint; `kind` stands for what it trains."""
    return folders.work("search", study.study_name, f"{first(trial)}-{kind}")


def tidy(study: Study) -> None:
    """Removes what workers that were killed left of finished trials."""
    done = {str(first(trial)) for trial in finished(study)}
    for folder in folders.work("search", study.study_name).glob("*-*"):
        if folder.name.partition("-")[0] in done:
            shutil.rmtree(folder, ignore_errors=True)


def _checkpoint(study: Study, number: int) -> int:
    """Stands for the newest checkpoint on this machine of the trial whose first attempt is `number`; 0 for none."""
    found = folders.work("search", study.study_name).glob(f"{number}-*/{observing.STATE}")
    return max((path.stat().st_mtime_ns for path in found), default=0)


def _read(study: Study) -> Ledger:
    book = _ledgers.setdefault(study, Ledger())
    book.read(study)
    return book


def _without_the_dead(storage: Storage, study: Study) -> Ledger:
    """What is known of the study, once trials whose process is gone are lost, or FAILED when too many died on them."""
    database = isinstance(storage.backend, RDBStorage)
    book = _ledgers.setdefault(study, Ledger())
    if database and time.monotonic() >= book.fail_stale_at:
        joining.fail_stale(study)
        book.fail_stale_at = time.monotonic() + storages.HEARTBEAT_SECONDS
    book.read(study)
    names = {trial.number: trial.user_attrs.get("process", "") for trial in book.running()}
    gone = set() if database else processes.gone_of(set(names.values()))
    dead = [number for number, name in names.items() if not name or name in gone]
    for number in dead:
        study.tell(number, state=TrialState.FAIL)
    if dead:
        book.read(study)
    hopeless = [trial for number, trial in book.lost.items()
                if book.deaths[number, _checkpoint(study, number)] >= ATTEMPTS]
    for trial in hopeless:
        _give_up(study, trial)
    if hopeless:
        book.read(study)
    return book


def _give_up(study: Study, trial: FrozenTrial) -> None:
    """Adds a last attempt, which has FAILED."""
    known = notes.read(trial)
    reason = f"{known.trouble or 'its process died'}, {ATTEMPTS} times without a newer checkpoint"
    study.add_trial(optuna.trial.create_trial(
        state=TrialState.FAIL, params=trial.params, distributions=trial.distributions,
        user_attrs=replace(known.order, retry_of=first(trial), reason=reason).attributes))


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
