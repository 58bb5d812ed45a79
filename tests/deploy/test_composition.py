"""What deploy/compose.yaml starts, as processes: a database, an MLflow server and workers that share nothing else."""
import os
import shutil
import time
from contextlib import closing
from pathlib import Path

import mlflow
import pytest

from benchmarks.databases import PostgreSQL
from pipeline.data import digits, images
from pipeline.tuning import artifacts, storages, studies
from tests.conftest import ROOT, command, write_params
from tests.servers import MLflow
from tests.workers import Worker, both, finished, problems, wait

TRIALS = 6
SMALL = {"search.space.batch": [64, 100], "search.validation": 300, "search.probe_images": 300, "reference.epochs": 1,
         "search.n_trials": TRIALS, "search.n_startup_trials": 4, "search.candidates": 1, "search.seeds": 1,
         "train.checkpoint_seconds": 0, "train.epochs": 1}


def machine(folder: Path, fingerprints: Path, environment: dict[str, str]) -> Worker:
    """A worker in a folder of its own."""
    shutil.copytree(fingerprints, folder / "code")
    write_params(folder / "params.yaml", SMALL)
    images.save(folder / "data/arrays/digits", digits.arrays(), digits.FACTS)
    return Worker(folder, environment)


def disturb(machines: list[Worker], database: PostgreSQL, server: MLflow) -> None:
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
        machines = [machine(tmp_path_factory.mktemp("machine"), fingerprints, environment) for _ in range(3)]
        try:
            disturb(machines, database, server)
        finally:
            for one in machines:
                one.kill()

        monkeypatch.setenv("MLFLOW_TRACKING_URI", server.url)
        for one in machines:
            monkeypatch.chdir(one.folder)
            command("sync")
        with closing(storages.open_storage(database.url, Path())) as storage:
            assert not problems(storage, share, TRIALS)
            main, repeats = both(storage)
            counted = studies.finished(main)
            assert sum(trial.state.name == "FAIL" for trial in main.trials + repeats.trials) >= 1  # the killed had some
            client = mlflow.MlflowClient(server.url)
            experiment = client.get_experiment_by_name("dcgan search")
            assert experiment is not None
            runs = {(run.data.tags["optuna.study"], run.data.tags["optuna.trial"]): run
                    for run in client.search_runs([experiment.experiment_id]) if "optuna.trial" in run.data.tags}
            for trial in counted:
                run = runs[main.study_name, str(trial.number)]
                assert run.info.status == "FINISHED" and run.data.tags["optuna.state"] == trial.state.name
            assert not list(share.glob("checkpoint-*"))
            assert artifacts.UPLOADED in {key for trial in main.trials for key in trial.user_attrs}
