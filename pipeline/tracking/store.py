"""MLflow's side of tracking: one method for everything that is reported about a run.

Called from one thread at a time. MLflow is imported there too: it takes seconds.
"""
import math
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from filelock import FileLock
from PIL import Image

from pipeline import folders
from pipeline.tracking import connection, finding, generators, names, views
from pipeline.tracking.connection import connect
from pipeline.tracking.descriptions import Description, Opening, experiment, milliseconds

__all__ = ["Description", "NotYet", "Store", "connect", "experiment"]

PARENT_SECONDS = 20.0  # how long a run waits for its parent, which somebody may have deleted

Row = tuple[str, float, int, int]  # key, value, milliseconds, step


class NotYet(Exception):
    """Another thread or process is about to make what was asked for."""


class Store:
    """One MLflow run. Its methods may fail in any of MLflow's ways; calling again is safe.

    With `replay` it is told afterwards, by another process than its own; `model` is then the digest of the model that
    the run has made, which may have been scored meanwhile.
    """

    def __init__(self, opening: Opening, replay: bool = False, model: str = "") -> None:
        self.opening = opening
        self.replay = replay
        self.model_digest = model
        self.run_id = ""
        self.experiment_id = ""
        self.patient_until = time.monotonic() + (0 if replay else PARENT_SECONDS)
        self.before: tuple[str, int | None] = ("KILLED", None)  # how and when a run that was there had ended
        self.passed = False  # whether another process has gone on with the run, after the one of which this tells
        self.written: dict[str, set[int]] = {}  # by metric: the steps of a run that is being resumed

    @property
    def overtaken(self) -> bool:
        """Whether another process has gone on with the run, or ended it, so that this one's end and picture are old."""
        return self.passed or self.replay and self.before[0] == "FINISHED"

    def open(self) -> None:
        """The run exists and is this thread's active run."""
        import mlflow
        description = self.opening.description
        local = connect()
        # Two processes that create one database at the same time break it.
        folders.work().mkdir(exist_ok=True)
        with FileLock(folders.work("mlflow.lock")):
            self.experiment_id = finding.experiment(self.opening.description.experiment, local)
            connection.tidy()
            if not self.replay:
                finding.bury(self.experiment_id)
            if run_id := self._existing():
                run = mlflow.get_run(run_id)
                self.before = run.info.status, run.info.end_time
                gone_on = run.data.tags.get("identity") == self.opening.identity
                self.passed = self.replay and gone_on and int(run.data.tags.get("described") or 0) > self.opening.began
                if run.info.lifecycle_stage == "deleted":  # made at the same time as the one that stays
                    raise NotYet(run_id)
            run_id = run_id or self._new()
        mlflow.end_run()  # of an attempt that failed half-way
        mlflow.start_run(run_id, log_system_metrics=not (self.replay or description.same))
        self.run_id = run_id
        self.beat()

    def describe(self) -> None:
        """The run has its tags, unless another has made it, whose tags tell of that, or has gone on with it since."""
        import mlflow
        if self.passed:
            return
        description, here = self.opening.description, self.opening.provenance
        ours = not description.same or self._tag("identity") == self.opening.identity
        described = {"described": str(self.opening.began), "identity": self.opening.identity}  # in milliseconds
        mlflow.set_tags(description.tags | here | described if ours else {"process": here["process"]})

    def params(self) -> None:
        """The run has its parameters."""
        import mlflow
        mlflow.log_params(self.opening.description.params)

    def data(self) -> None:
        """The run has its data set."""
        import mlflow
        mlflow.log_input(finding.dataset(self.opening.description.data), context="training")

    def beat(self) -> None:
        """The run's process is alive, also if somebody has taken it for dead."""
        import mlflow
        if not self.replay:
            client = mlflow.MlflowClient()
            client.set_tag(self.run_id, "alive", str(milliseconds()))
            if client.get_run(self.run_id).info.status != "RUNNING":
                client.update_run(self.run_id, status="RUNNING")

    def alive(self) -> bool:
        """Whether MLflow has this run and says so."""
        import mlflow
        try:
            return bool(mlflow.MlflowClient().get_run(self.run_id))
        except Exception:  # whatever MLflow, its store and the network raise
            return False

    def metrics(self, rows: Iterable[Row]) -> None:
        """Writes rows of numbers in one batch; what a resumed run had is left out."""
        self._numbers([(key, names.of_curve(key), value, now, step) for key, value, now, step in rows])

    def image(self, key: str, picture: Image.Image | Path, step: int) -> None:
        """A picture, or a file of one, in the series `key`; a grid of samples describes the run too."""
        if not self.replay and step <= min(map(max, self.written.values()), default=-1):
            return
        import mlflow
        image = Image.open(picture) if isinstance(picture, Path) else picture
        mlflow.log_image(image, key=key, step=step, synchronous=True)
        if key in names.GRIDS and not self.overtaken:
            mlflow.log_image(image, names.SAMPLES)
            mlflow.set_tag(views.NOTE, views.of_run(self.run_id, f"After {step:,} images:"))

    def tags(self, tags: dict[str, str]) -> None:
        """Facts that the run is found by; where another process has gone on with it, its own stay."""
        import mlflow
        if not self.passed:
            mlflow.set_tags(tags)

    def model(self, graph: Path, network: dict[str, Any], scores: dict[str, float], step: int,
              measured: int | None = None) -> None:
        """Logs what `generators.export` has written, with `scores`, `measured` now or at a time in milliseconds, linked
        to it and to its data.
        """
        now, model_id = measured or milliseconds(), generators.log(graph, network)
        self._numbers([(key, names.of_score(key), value, now, step) for key, value in scores.items()], model_id)

    def file(self, path: Path) -> None:
        """A file among the run's artifacts."""
        import mlflow
        mlflow.log_artifact(str(path))

    def close(self, status: str, ended: int | None = None) -> None:
        """The run has ended in this way, now or at a time in milliseconds; or as another process has ended it."""
        import mlflow
        if self.replay:
            info = mlflow.get_run(self.run_id).info
            if info.status != "RUNNING":  # it has ended since this store made it run
                status, ended = info.status, info.end_time
            elif self.overtaken:
                status, ended = self.before
        mlflow.end_run(status)
        if self.replay and ended:
            mlflow.MlflowClient().set_terminated(self.run_id, status, ended)

    def _numbers(self, rows: list[tuple[str, str, float, int, int]], model_id: str | None = None) -> None:
        """Writes rows of key, name, value, milliseconds and step; those without a name go into a file with the others.

        A training's curves have no such file: they are in its report.
        """
        import mlflow
        from mlflow.entities import Metric
        metrics = []
        for _, name, value, now, step in rows:
            place = step if names.is_curve(name) else 0
            if name and math.isfinite(value) and place not in self.written.get(name, ()):
                about = finding.dataset(self.opening.description.data) if model_id else None
                metrics.append(Metric(name, value, now, place, model_id=model_id, dataset_name=about and about.name,
                                      dataset_digest=about and about.digest))
        mlflow.MlflowClient().log_batch(self.run_id, metrics=metrics)
        if not all(name for _, name, *_ in rows):
            mlflow.log_dict({key: value for key, _, value, *_ in rows}, f"{rows[0][-1]}-{names.NUMBERS}")

    def _tag(self, name: str) -> str:
        import mlflow
        return str(mlflow.MlflowClient().get_run(self.run_id).data.tags.get(name, ""))

    def _existing(self) -> str:
        """The id of the run that this one continues, or ''."""
        import mlflow
        client, description = mlflow.MlflowClient(), self.opening.description
        if description.same:
            return finding.newest(self.experiment_id, description.same, description.tags[description.same])
        run_id = finding.newest(self.experiment_id, "identity", self.opening.identity)
        if not run_id and self.model_digest:
            run_id = finding.newest(self.experiment_id, "model", self.model_digest)
            if run_id and description.tags.keys() <= client.get_run(run_id).data.tags.keys():
                run_id = ""  # another training made the same model
        if run_id:
            for key in client.get_run(run_id).data.metrics:
                if not key.startswith("system/"):
                    self.written[key] = {metric.step for metric in client.get_metric_history(run_id, key)}
        return run_id

    def _new(self) -> str:
        """The id of a run that is made; NotYet while its parent may still come."""
        import mlflow
        client, description = mlflow.MlflowClient(), self.opening.description
        tags = description.tags | self.opening.provenance | {"identity": self.opening.identity}
        if description.parent:
            if parent := finding.newest(self.experiment_id, "study", description.parent):
                tags["mlflow.parentRunId"] = parent
            elif time.monotonic() < self.patient_until:
                raise NotYet(description.parent)
        run = client.create_run(self.experiment_id, self.opening.began, tags, description.name)
        if description.same:  # another machine may have made one in the same moment: the older one stays
            *_, first = finding.found(self.experiment_id, description.same, description.tags[description.same])
            if first != run.info.run_id:
                client.delete_run(run.info.run_id)
                return first
        return str(run.info.run_id)
