"""What tests of tracking share: an empty project in which tracking is on, and a run to report."""
import shutil
from pathlib import Path
from typing import Any

import mlflow
import pytest
from PIL import Image

from pipeline.tracking import background
from pipeline.tracking.circuit import Circuit
from pipeline.tracking.descriptions import Description
from pipeline.tracking.tracker import Tracker

DATA = {"name": "digits", "url": "https://example.org/digits", "sha256": "ab" * 32}


def description(**changes: Any) -> Description:
    return Description(**({"name": "test1", "params": {"lr": 1e-4}, "data": DATA, "tags": {"model": "m1"}} | changes))


def report(tracker: Tracker) -> None:
    """Three points of a curve, with a picture between them."""
    tracker.metrics({"loss_D": 1.0}, 1)
    tracker.metrics({"loss_D": 2.0}, 2)
    tracker.image("samples", Image.new("L", (2, 2), 9), 2)
    tracker.metrics({"loss_D": 3.0}, 3)


@pytest.fixture(autouse=True)
def circuit(monkeypatch: pytest.MonkeyPatch) -> Circuit:
    """Whether MLflow answers is found out anew by every test."""
    made = Circuit()
    monkeypatch.setattr(background, "CIRCUIT", made)
    return made


@pytest.fixture(scope="session")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty database of MLflow's, which takes seconds to make."""
    path = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    mlflow.MlflowClient(f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, database: Path) -> Path:
    """An empty project in which tracking is on."""
    shutil.copy(database, tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DCGAN_TRACKING")
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.setattr(background, "FLUSH_SECONDS", 0.1)
    return tmp_path


def runs(project: Path) -> list[Any]:
    client = mlflow.MlflowClient(f"sqlite:///{project / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("dcgan")
    return [] if experiment is None else list(client.search_runs([experiment.experiment_id]))


def curve(project: Path, run: Any, key: str) -> list[tuple[int, float]]:
    client = mlflow.MlflowClient(f"sqlite:///{project / 'mlflow.db'}")
    return sorted((metric.step, metric.value) for metric in client.get_metric_history(run.info.run_id, key))
