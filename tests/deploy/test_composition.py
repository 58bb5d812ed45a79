"""What deploy/compose.yaml starts, as processes: a database, an MLflow server and workers that share nothing else."""
import multiprocessing
import os
import shutil
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import mlflow
import optuna
import pytest
import sqlalchemy
import torch
from optuna.artifacts import FileSystemArtifactStore, get_all_artifact_meta

from benchmarks.databases import PostgreSQL
from pipeline import search, stage
from pipeline.data import digits, images
from pipeline.tracking import background
from pipeline.tuning import artifacts, storages, studies
from tests.conftest import PRELOADED, ROOT, command, write_params
from tests.servers import MLflow

TRIALS = 6
SMALL = {"search.space.batch": [64, 100], "search.validation": 300, "search.probe_images": 300, "reference.epochs": 1,
         "search.n_trials": TRIALS, "search.n_startup_trials": 4, "search.candidates": 1, "search.seeds": 1,
         "train.checkpoint_seconds": 0, "train.epochs": 1}
FORKS = multiprocessing.get_context("forkserver")


def work(folder: Path, environment: dict[str, str]) -> None:
    """A worker, in a process that has imported everything; silence means death sooner than between machines."""
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    log = os.open(folder / "log", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.dup2(log, 1)
    os.dup2(log, 2)
    sys.stdout, sys.stderr = (open(number, "w", buffering=1, closefd=False) for number in (1, 2))
    torch.set_num_threads(1)
    storages.HEARTBEAT_SECONDS, storages.GRACE_SECONDS = 1, 5
    artifacts.UPLOAD_SECONDS, background.FLUSH_SECONDS = 0.2, 0.5
    sys.argv = ["search"]
    stage.main(search.search)


class Machine:
    """A worker in a folder of its own, which is started again when it fails, as the composition says."""

    def __init__(self, folder: Path, fingerprints: Path, environment: dict[str, str]) -> None:
        self.folder, self.environment = folder, environment
        shutil.copytree(fingerprints, folder / "code")
        write_params(folder / "params.yaml", SMALL)
        images.save(folder / "data/arrays/digits", digits.arrays(), digits.FACTS)
        self.start()

    def start(self) -> None:
        self.process = FORKS.Process(target=work, args=(self.folder, self.environment))
        self.process.start()

    def kill(self) -> None:
        self.process.kill()
        self.process.join()

    def ended(self) -> bool:
        """Whether it ended well; one that failed is running again."""
        if self.process.exitcode not in (None, 0):
            self.start()
        return self.process.exitcode == 0


def wait(machines: list[Machine], condition: Any, seconds: float = 400) -> None:
    """Until `condition()`, or until all machines have ended."""
    until = time.monotonic() + seconds
    while not (condition() or all([machine.ended() for machine in machines])):
        assert time.monotonic() < until, "\n".join((machine.folder / "log").read_text() for machine in machines)
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


def disturb(machines: list[Machine], database: PostgreSQL, server: MLflow) -> None:
    """Until all machines have ended: each is killed once, the database restarted, and MLflow away for a while."""
    wait(machines, lambda: finished(database) >= 1)
    machines[0].kill()
    wait(machines, lambda: finished(database) >= 2)
    server.stop()
    machines[1].kill()
    wait(machines, lambda: finished(database) >= 3)
    database.stop()
    time.sleep(1)
    database.start()
    wait(machines, lambda: finished(database) >= 4)
    server.start()
    machines[2].kill()
    wait(machines, lambda: False)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # MLflow's own dependencies
def test_workers_killed_a_database_restarted_and_mlflow_away_lose_and_repeat_nothing(
        tmp_path_factory: pytest.TempPathFactory, fingerprints: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    share, place = tmp_path_factory.mktemp("artifacts"), tmp_path_factory.mktemp("mlflow")
    with PostgreSQL() as database, MLflow(database.database("mlflow"), place) as server:
        environment = os.environ | {"PYTHONPATH": str(ROOT), "DCGAN_STORAGE": database.url, "OMP_NUM_THREADS": "1",
                                    "DCGAN_ARTIFACTS": str(share), "MLFLOW_TRACKING_URI": server.url}
        environment.pop("DCGAN_TRACKING")
        FORKS.set_forkserver_preload([*PRELOADED, "mlflow", "psycopg", __name__])
        machines = [Machine(tmp_path_factory.mktemp("machine"), fingerprints, environment) for _ in range(3)]
        try:
            disturb(machines, database, server)
        finally:
            for machine in machines:
                machine.kill()

        monkeypatch.setenv("MLFLOW_TRACKING_URI", server.url)
        for machine in machines:
            monkeypatch.chdir(machine.folder)
            command("sync")
        storage, store = storages.open_storage(database.url, Path()), FileSystemArtifactStore(share)
        main, repeats = (optuna.load_study(study_name=name, storage=storage.backend)
                         for name in sorted(optuna.get_all_study_names(storage.backend), key=len))
        counted = studies.finished(main)
        assert len(counted) == TRIALS and not [trial for trial in main.trials if not trial.state.is_finished()]
        assert len({studies.first(trial) for trial in counted}) == TRIALS
        assert max(Counter(str(sorted(trial.params.items())) for trial in counted).values()) == 1
        assert sum(trial.state.name == "FAIL" for trial in main.trials + repeats.trials) >= 1  # the killed had some
        client = mlflow.MlflowClient(server.url)
        experiment = client.get_experiment_by_name("dcgan search")
        assert experiment is not None
        runs = {(run.data.tags["optuna.study"], run.data.tags["optuna.trial"]): run
                for run in client.search_runs([experiment.experiment_id]) if "optuna.trial" in run.data.tags}
        for study in (main, repeats):
            for trial in studies.finished(study):
                assert trial.user_attrs.get("reason") is None
                picture, = get_all_artifact_meta(trial, storage=storage.backend)
                assert store.open_reader(picture.artifact_id).read(4) == b"\x89PNG"
        for trial in counted:
            run = runs[main.study_name, str(trial.number)]
            assert run.info.status == "FINISHED" and run.data.tags["optuna.state"] == trial.state.name
        assert not list(share.glob("checkpoint-*"))
        assert artifacts.UPLOADED in {key for trial in main.trials for key in trial.user_attrs}
        storage.close()
