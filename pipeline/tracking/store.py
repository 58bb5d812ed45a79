"""MLflow's side of tracking: where runs go, and one method for everything that is reported about them.

Called from one thread only, tracking's. MLflow is imported there too: it takes seconds.
"""
import logging
import math
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from filelock import FileLock
from PIL.Image import Image
from torch import nn

from pipeline import files, folders, processes
from pipeline.tracking import generators

PARENT_SECONDS = 20.0  # how long a run waits for its parent, which somebody may have deleted


class NotYet(Exception):
    """Another thread or process is about to make what was asked for."""


def experiment(kind: str = "") -> str:
    """The name of the MLflow experiment that the study's runs of this kind belong to, like "dcgan guidelines"."""
    return " ".join(word for word in ("dcgan", folders.study(), kind) if word)


@dataclass(frozen=True)
class Description:
    """What MLflow gets about a run at its start: its name, parameters, data set and tags.

    `id_file` keeps the MLflow id of a run that may be resumed. With `same`, the name of a tag, the newest run that has
    the same value of that tag is continued, if there is one. With `parent`, the run is nested under the newest run
    whose tag `study` equals `parent`.
    """
    name: str
    params: dict[str, Any]
    data: dict[str, Any]
    tags: dict[str, str]
    id_file: Path | None = None
    same: str | None = None
    experiment: str = field(default_factory=experiment)
    parent: str | None = None


def connect() -> bool:
    """MLflow speaks to the server or the file where this project's runs are; it prints no more than errors.

    True for the file. Ask before MLflow is told: it puts what it is told into MLFLOW_TRACKING_URI.
    """
    for name, value in (("MLFLOW_HTTP_REQUEST_TIMEOUT", "20"), ("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1"),
                        ("MLFLOW_DISABLE_TELEMETRY", "true")):
        os.environ.setdefault(name, value)
    import mlflow
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.ERROR)
    file = f"sqlite:///{folders.repository() / 'mlflow.db'}"
    address = os.environ.get("MLFLOW_TRACKING_URI") or file
    mlflow.set_tracking_uri(address)
    return address == file


def provenance() -> dict[str, str]:
    """Tags that lead from a run to the commit, the DVC stage and experiment, and the process that made it."""
    git = shutil.which("git")
    commit = git and subprocess.run([git, "rev-parse", "HEAD"], capture_output=True, text=True).stdout.strip()
    tags = {"mlflow.source.git.commit": commit, "mlflow.source.name": Path(sys.argv[0]).name,
            "dvc.stage": os.environ.get("DVC_STAGE"), "dvc.experiment": os.environ.get("DVC_EXP_NAME"),
            "process": processes.me()}
    return {key: value for key, value in tags.items() if value}


class Store:
    """One MLflow run. Its methods may fail in any of MLflow's ways; calling again is safe."""

    def __init__(self) -> None:
        self.run_id = ""
        self.experiment_id = ""
        self.patient_until = time.monotonic() + PARENT_SECONDS
        self.written: dict[str, int] = {}  # by metric: the last step of a run that is being resumed

    def open(self, description: Description) -> None:
        """The run exists and is this thread's active run, with everything that is known at its start."""
        import mlflow
        local = connect()
        # Two processes that create one database at the same time break it.
        folders.work().mkdir(exist_ok=True)
        with FileLock(folders.work("mlflow.lock")):
            found = mlflow.get_experiment_by_name(description.experiment)
            if found is None:
                where = str(folders.repository() / "mlruns") if local else None
                found = mlflow.get_experiment(mlflow.create_experiment(description.experiment, where))
            self.experiment_id = found.experiment_id
            self._bury()
            self.run_id = self.run_id or self._existing(description)
            continued = bool(self.run_id and description.same)  # whose tags tell of the training that made it
            if not self.run_id:
                self.run_id = self._new(description)
        mlflow.end_run()  # of an attempt that failed half-way
        mlflow.start_run(self.run_id, log_system_metrics=description.same is None)
        here = provenance()
        mlflow.set_tags({"process": here["process"]} if continued else description.tags | here)
        mlflow.log_params(description.params)
        self.dataset = self._dataset(description.data)
        mlflow.log_input(self.dataset, context="training")

    def metrics(self, rows: list[tuple[str, float, int, int]]) -> None:
        """Writes rows of (key, value, milliseconds, step) in one batch; what a resumed run had is left out."""
        import mlflow
        from mlflow.entities import Metric
        fresh = [Metric(*row) for row in rows if math.isfinite(row[1]) and row[3] > self.written.get(row[0], -1)]
        mlflow.MlflowClient().log_batch(self.run_id, metrics=fresh)

    def image(self, key: str, picture: Image, step: int) -> None:
        if step <= min(self.written.values(), default=-1):
            return
        import mlflow
        mlflow.log_image(picture, key=key, step=step, synchronous=True)

    def tags(self, tags: dict[str, str]) -> None:
        import mlflow
        mlflow.set_tags(tags)

    def model(self, G: nn.Module, network: dict[str, Any], scores: dict[str, float], step: int) -> None:
        """Logs G, as `generators.log` takes it, with `scores` linked to it and to its data."""
        import mlflow
        mlflow.log_metrics(scores, step=step, model_id=generators.log(G, network), dataset=self.dataset)

    def file(self, path: Path) -> None:
        import mlflow
        mlflow.log_artifact(str(path))

    def close(self, status: str) -> None:
        import mlflow
        mlflow.end_run(status)

    def _existing(self, description: Description) -> str:
        """The id of the run that `description` continues, or ''."""
        import mlflow
        client = mlflow.MlflowClient()
        if description.same:
            return self._newest(description.same, description.tags[description.same])
        if not (description.id_file and description.id_file.exists()):
            return ""
        run_id = description.id_file.read_text()
        if run_id not in {run.info.run_id for run in client.search_runs([self.experiment_id])}:
            return ""  # deleted, or of another store
        for key in client.get_run(run_id).data.metrics:
            if not key.startswith("system/"):
                self.written[key] = max(metric.step for metric in client.get_metric_history(run_id, key))
        return run_id

    def _new(self, description: Description) -> str:
        """The id of a run that is made for `description`; NotYet while its parent may still come."""
        import mlflow
        tags = description.tags | provenance()
        if description.parent:
            if parent := self._newest("study", description.parent):
                tags["mlflow.parentRunId"] = parent
            elif time.monotonic() < self.patient_until:
                raise NotYet(description.parent)
        client = mlflow.MlflowClient()
        run_id = client.create_run(self.experiment_id, tags=tags, run_name=description.name).info.run_id
        if description.id_file:
            files.write(description.id_file, run_id.encode())
        return run_id

    def _newest(self, tag: str, value: str) -> str:
        """The id of the newest run whose `tag` has this value, or ''."""
        import mlflow
        found = mlflow.MlflowClient().search_runs([self.experiment_id], f"tags.{tag} = '{value}'", max_results=1)
        return found[0].info.run_id if found else ""

    def _bury(self) -> None:
        """Marks runs as KILLED whose process on this machine is gone: kill -9 leaves them RUNNING for ever."""
        import mlflow
        client = mlflow.MlflowClient()
        for run in client.search_runs([self.experiment_id], "attributes.status = 'RUNNING' and tags.process LIKE '%'"):
            if processes.left(run.data.tags["process"]):
                client.set_terminated(run.info.run_id, "KILLED")

    def _dataset(self, data: dict[str, Any]) -> Any:
        from mlflow.data.http_dataset_source import HTTPDatasetSource
        from mlflow.data.meta_dataset import MetaDataset
        return MetaDataset(  # type: ignore[abstract]
            HTTPDatasetSource(url=data["url"]), name=data["name"], digest=data["sha256"][:32])
