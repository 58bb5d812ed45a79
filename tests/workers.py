"""Workers of a search, forked from a preloaded process, which are killed, suspended and started again."""
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import optuna
import sqlalchemy
import torch
from optuna.artifacts import FileSystemArtifactStore, get_all_artifact_meta
from optuna.study import Study

from benchmarks.databases import PostgreSQL
from pipeline import search, stage
from pipeline.tracking import background
from pipeline.tuning import analysis, artifacts, storages, studies
from pipeline.tuning.storages import Storage
from tests.conftest import FORKS, PRELOADED


def _work(folder: Path, log: Path, environment: dict[str, str]) -> None:
    """A worker, in a process that has imported everything; silence means death sooner than between machines."""
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    for number in (1, 2):
        os.dup2(os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT), number)
    sys.stdout, sys.stderr = (open(number, "w", buffering=1, closefd=False) for number in (1, 2))
    torch.set_num_threads(1)
    storages.HEARTBEAT_SECONDS, storages.GRACE_SECONDS = 1, 5
    artifacts.UPLOAD_SECONDS, background.FLUSH_SECONDS = 0.2, 0.5
    analysis.DRAWS = 5
    sys.argv = ["search"]
    stage.main(search.search)


class Worker:
    """Works on the search of the study in `folder`; started again when it fails, as a composition says."""

    def __init__(self, folder: Path, environment: dict[str, str], log: str = "log") -> None:
        FORKS.set_forkserver_preload([*PRELOADED, "mlflow", "psycopg", __name__])
        self.folder, self.environment, self.log = folder, environment, folder / log
        self.start()

    def start(self) -> None:
        self.process = FORKS.Process(target=_work, args=(self.folder, self.log, self.environment))
        self.process.start()

    def kill(self) -> None:
        self.process.kill()
        self.process.join()

    def suspend(self, seconds: float) -> None:
        """It does nothing for a while, and knows nothing of it."""
        if self.process.is_alive():
            os.kill(self.process.pid, signal.SIGSTOP)
            time.sleep(seconds)
            os.kill(self.process.pid, signal.SIGCONT)

    def ended(self) -> bool:
        """Whether it ended well; one that failed is running again."""
        if self.process.exitcode not in (None, 0):
            self.start()
        return self.process.exitcode == 0


def wait(workers: Sequence[Worker], condition: Callable[[], bool], seconds: float = 400) -> None:
    """Until `condition()`, or until all workers have ended."""
    until = time.monotonic() + seconds
    while not (condition() or all([worker.ended() for worker in workers])):
        assert time.monotonic() < until, "\n".join(worker.log.read_text() for worker in workers)
        time.sleep(0.1)


def finished(database: PostgreSQL) -> int:
    """How many trials have ended well."""
    engine = sqlalchemy.create_engine(database.url, poolclass=sqlalchemy.NullPool)
    try:
        with engine.connect() as connection:
            return int(connection.execute(sqlalchemy.text(
                "SELECT count(*) FROM trials WHERE state IN ('COMPLETE', 'PRUNED')")).scalar_one())
    except sqlalchemy.exc.ProgrammingError:  # no worker has made the tables yet
        return 0
    finally:
        engine.dispose()


def both(storage: Storage) -> tuple[Study, Study]:
    """The search's study, and the one of its candidates' repetitions."""
    names = sorted(optuna.get_all_study_names(storage.backend), key=len)
    main, repeats = (optuna.load_study(study_name=name, storage=storage.backend) for name in names)
    return main, repeats


def problems(storage: Storage, pictures: Path, trials: int) -> list[str]:
    """What does not hold of a search that has ended: `trials` are finished, each once, and with its picture."""
    main, repeats = both(storage)
    counted, store = studies.finished(main), FileSystemArtifactStore(pictures)
    found = [f"{len(counted)} trials are finished, not {trials}"] if len(counted) != trials else []
    found += [f"trial {trial.number} of {study.study_name} is {trial.state.name}"
              for study in (main, repeats) for trial in study.trials if not trial.state.is_finished()]
    drawn = [sorted(trial.params.items()) for trial in counted]
    found += [f"{params} is there twice" for i, params in enumerate(drawn) if params in drawn[:i]]
    if len({studies.first(trial) for trial in counted}) != len(counted):
        found.append("a trial was repeated though it had not failed")
    for study in (main, repeats):
        for trial in studies.finished(study):
            kept = get_all_artifact_meta(trial, storage=storage.backend)
            if len(kept) != 1 or beginning(store, kept[0].artifact_id) != b"\x89PNG":
                found.append(f"trial {trial.number} of {study.study_name} has {len(kept)} pictures")
            if trial.user_attrs.get("reason") is not None:
                found.append(f"trial {trial.number} of {study.study_name}: {trial.user_attrs['reason']}")
    return found


def beginning(store: FileSystemArtifactStore, name: str) -> bytes:
    """The first four bytes of an artifact."""
    with store.open_reader(name) as file:
        return file.read(4)
