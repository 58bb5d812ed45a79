"""MLflow's experiments, runs and data sets as the store looks for them."""
import time
from typing import Any

from pipeline.tracking import connection, views

SILENT_SECONDS = 300.0  # a running run whose process has said nothing for so long has lost it


def experiment(name: str, local: bool) -> str:
    """The id of the experiment of this name, which may be new; its artifacts are here where it is `local`."""
    import mlflow
    found = mlflow.get_experiment_by_name(name)
    if found is None:
        try:
            return str(mlflow.create_experiment(name, connection.artifacts() if local else None,
                                                {views.NOTE: views.of_experiment(name)}))
        except mlflow.MlflowException:  # another machine may have made it in the same moment
            found = mlflow.get_experiment_by_name(name)
            if found is None:
                raise
    return str(found.experiment_id)


def found(experiment_id: str, tag: str, value: str) -> list[str]:
    """The ids of the runs whose `tag` has this value, the newest first."""
    import mlflow
    ones = mlflow.MlflowClient().search_runs([experiment_id], f"tags.`{tag}` = '{value}'",
                                             order_by=["attributes.start_time DESC"])
    return [run.info.run_id for run in ones]


def newest(experiment_id: str, tag: str, value: str) -> str:
    """The id of the newest run whose `tag` has this value, or ''."""
    return next(iter(found(experiment_id, tag, value)), "")


def bury(experiment_id: str) -> None:
    """Marks runs as KILLED whose process is silent: kill -9 leaves them RUNNING for ever."""
    import mlflow
    client, late = mlflow.MlflowClient(), (time.time() - SILENT_SECONDS) * 1000
    for run in client.search_runs([experiment_id], "attributes.status = 'RUNNING'"):
        if float(run.data.tags.get("alive", run.info.start_time)) < late:
            client.set_terminated(run.info.run_id, "KILLED")


def dataset(data: dict[str, Any]) -> Any:
    """A data set as MLflow describes it; no data are copied."""
    from mlflow.data.http_dataset_source import HTTPDatasetSource
    from mlflow.data.meta_dataset import MetaDataset
    return MetaDataset(  # type: ignore[abstract]
        HTTPDatasetSource(url=data["url"]), name=data["name"], digest=data["sha256"][:32])
