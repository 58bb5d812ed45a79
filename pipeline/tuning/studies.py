"""Who works on which trial, and what becomes of a worker that dies.

Workers share nothing but the storage. Whatever several of them may not do at once, like taking the next trial, happens
under the storage's lock.

A trial counts once it is COMPLETE, PRUNED or FAILED for a `reason`. One that is FAILED without a reason lost its
process, or was interrupted: the next worker that looks enqueues it again, as a trial that is a `retry_of` the first
attempt.
"""
import threading
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any, Literal

import optuna
from optuna.distributions import BaseDistribution
from optuna.exceptions import ExperimentalWarning, StorageInternalError
from optuna.storages import RDBStorage
from optuna.study import Study
from optuna.trial import FrozenTrial, Trial, TrialState
from sqlalchemy.exc import SQLAlchemyError

from pipeline import processes
from pipeline.errors import InputError
from pipeline.tuning import notes, storages
from pipeline.tuning.notes import Notes
from pipeline.tuning.storages import Storage

Direction = Literal["minimize", "maximize"]

ATTEMPTS = 3  # a trial that has killed so many processes will kill the next one too

Order = tuple[dict[str, Any], Notes]  # the parameters of a trial that is to be run, and the notes it begins with


def open_study(storage: Storage, name: str, conditions: dict[str, Any], directions: Sequence[Direction],
               pruner: optuna.pruners.BasePruner) -> Study:
    """The study `name`, new or as it is; InputError when it was made under other `conditions`."""
    with storage.lock():
        study = optuna.create_study(storage=storage.backend, study_name=name, directions=directions, pruner=pruner,
                                    load_if_exists=True)
        if not (study.user_attrs or study.get_trials(deepcopy=False)):
            study.set_user_attr("conditions", conditions)
        found = study.user_attrs.get("conditions", {})
    if found != conditions:
        key = next(key for key in found | conditions if found.get(key) != conditions.get(key))
        raise InputError(f"{storage.name}: the study {name} was made with {key} = {found.get(key)}, not "
                         f"{conditions.get(key)}; give it another name in the storage, or delete it")
    return study


def claim(storage: Storage, study: Study, drawn_from: dict[str, BaseDistribution], orders: Sequence[Order],
          n_trials: int, sampler: Callable[[int], optuna.samplers.BaseSampler]) -> Trial | None:
    """The next trial, its parameters drawn, for this process to run; None when `n_trials` are finished or running.

    Lost trials come first, then the `orders` that nobody has begun, then what the sampler draws. `sampler` makes one
    from the number of trials before: neither a second worker nor a resumed study repeats what was drawn, and a single
    worker draws the same whether it was killed on the way or not.
    """
    with storage.lock():
        _requeue_lost(storage, study)
        trials = study.get_trials(deepcopy=False)  # read once: a trial that ends meanwhile would count twice
        begun = len(_counted(trials)) + sum(trial.state == TrialState.RUNNING for trial in trials)
        if begun >= n_trials:
            return None
        missing = [(drawn, order) for drawn, order in orders if not any(notes.says(trial, order) for trial in trials)]
        if missing and not any(trial.state == TrialState.WAITING for trial in trials):
            drawn, order = missing[0]
            study.enqueue_trial(drawn, order.attributes)
        study.sampler = sampler(begun)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Heartbeat of storage")  # `heartbeat` does what Study.optimize would
            trial = study.ask(drawn_from)
        notes.write(trial, Notes(process=processes.me()))
        if isinstance(storage.backend, RDBStorage):
            storage.backend.record_heartbeat(trial._trial_id)
        return trial


def finished(study: Study) -> list[FrozenTrial]:
    """The trials that count, in the order of their first attempts."""
    return _counted(study.get_trials(deepcopy=False))


def _counted(trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    deaths = Counter(first(trial) for trial in trials if _lost(trial) and not notes.read(trial).interrupted)
    last = {first(trial): trial.number for trial in trials}
    return sorted((trial for trial in trials if trial.state.is_finished() and (
        not _lost(trial) or deaths[first(trial)] >= ATTEMPTS and last[first(trial)] == trial.number)), key=first)


def first(trial: FrozenTrial | Trial) -> int:
    """The number of the first attempt at this trial."""
    retry_of = notes.read(trial).retry_of
    return trial.number if retry_of is None else retry_of


def _lost(trial: FrozenTrial) -> bool:
    return trial.state == TrialState.FAIL and not notes.read(trial).reason


def _requeue_lost(storage: Storage, study: Study) -> None:
    """Trials whose process is gone are FAILED, and wait for another unless that has happened ATTEMPTS times."""
    if isinstance(storage.backend, RDBStorage):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            optuna.storages.fail_stale_trials(study)
    for trial in study.get_trials(deepcopy=False):
        # Without a name, its process died between taking it and saying so.
        process = notes.read(trial).process
        gone = not process or processes.gone(process)
        if trial.state == TrialState.RUNNING and gone:
            study.tell(trial.number, state=TrialState.FAIL)
    trials = study.get_trials(deepcopy=False)
    counted = {first(trial) for trial in _counted(trials)}
    for trial in trials:
        tried_again = any(first(other) == first(trial) and other.number > trial.number for other in trials)
        if _lost(trial) and not tried_again and first(trial) not in counted:
            again = replace(notes.read(trial).order, retry_of=first(trial))
            drawn = trial.system_attrs.get("fixed_params", {}) | trial.params  # it may have died before it drew
            study.enqueue_trial(drawn, again.attributes)


@contextmanager
def heartbeat(storage: Storage, trial: Trial) -> Iterator[None]:
    """Tells the database that this process lives, as long as the block runs; a journal file asks the system."""
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
