"""Who may join a study: workers with its conditions, which include code and precision.

Nobody begins a second study beside one with the same parameters because of other code or another precision.
"""
import sys
import warnings
from collections.abc import Sequence
from typing import Any, Literal

import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.storages import RDBStorage
from optuna.study import Study

from pipeline import folders, processes
from pipeline.errors import InputError
from pipeline.tuning import notes
from pipeline.tuning.ledger import Ledger
from pipeline.tuning.storages import Storage

Direction = Literal["minimize", "maximize"]
MACHINES = {"code", "dtype", "fast"}  # conditions that differ between machines, or checkouts, by accident
TOTAL = "n_trials"  # user attribute of a study: how many trials were asked for last


def open_study(storage: Storage, name: str, conditions: dict[str, Any], directions: Sequence[Direction],
               pruner: optuna.pruners.BasePruner) -> Study:
    """The study `name`, new or as it is; InputError when it was made under other `conditions`.

    InputError also when there is one with other code, or in another precision, that others work on; and when the study
    was here and the journal has lost it.
    """
    with storage.lock():
        if name in optuna.get_all_study_names(storage.backend):
            study = optuna.load_study(study_name=name, storage=storage.backend, pruner=pruner)
        else:
            _check_new(storage, name, conditions)
            study = optuna.create_study(storage=storage.backend, study_name=name, directions=directions, pruner=pruner)
        if not (study.user_attrs or study.get_trials(deepcopy=False)):  # new, or its maker died here
            study.set_user_attr("conditions", conditions)
        found = study.user_attrs.get("conditions", {})
    if found != conditions:
        key = _difference(found, conditions)
        raise InputError(f"{storage.name}: the study {name} was made with {key} = {found.get(key)}, not "
                         f"{conditions.get(key)}; give it another name in the storage, or delete it")
    return study


def fail_stale(study: Study) -> None:
    """Fails the trials whose workers have sent a database no heartbeat for too long; of a journal none."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        optuna.storages.fail_stale_trials(study)


def _check_new(storage: Storage, name: str, conditions: dict[str, Any]) -> None:
    """InputError when the study `name` should not be begun in this storage."""
    database = isinstance(storage.backend, RDBStorage)
    if not database and (left := folders.work("search", name)).exists():
        raise InputError(f"{storage.name}: has lost the study {name}, which trials have run for: restore the file, or "
                         f"delete {left} to begin the study anew")
    for other in storage.backend.get_all_studies():
        found = other.user_attrs.get("conditions", {})
        different = {key for key in found | conditions if found.get(key) != conditions.get(key)}
        if not (different and different <= MACHINES):
            continue
        key = _difference(found, conditions)
        study = optuna.load_study(study_name=other.study_name, storage=storage.backend)
        if _in_work(study, database):
            raise InputError(
                f"{storage.name}: {other.study_name} is not finished and has {key} = {found.get(key)}; this worker has "
                f"{conditions.get(key)}, and its trials would not compare: check out the same commit, install the same "
                "versions and choose the same hardware.precision; or delete that study")
        print(f"search: begins a new study: {key} was {found.get(key)} in {other.study_name}, and is "
              f"{conditions.get(key)}", file=sys.stderr)


def _in_work(study: Study, database: bool) -> bool:
    """Whether workers have trials of this study, or may come back to it from other machines."""
    fail_stale(study)
    book = Ledger()
    book.read(study)
    if database:
        return bool(book.running()) or len(book.counted) < study.user_attrs.get(TOTAL, 0)
    return any(not processes.gone(notes.read(trial).process) for trial in book.running())


def _difference(one: dict[str, Any], other: dict[str, Any]) -> str:
    return next(key for key in one | other if one.get(key) != other.get(key))
