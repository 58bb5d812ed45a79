"""The registered model of a study in MLflow: its alias `champion` is the generator that the study has promoted."""
import os
from pathlib import Path

from pipeline import folders
from pipeline.errors import InputError
from pipeline.tracking import connection, descriptions, finding

ALIAS = "champion"


def crown(model: Path, digest: str) -> str:
    """Gives the alias to the generator whose SHA-256 is `digest`; `model` is its folder, for messages.

    Returns its address; '' while MLflow has not got it from stage evaluate. InputError when MLflow does not answer.
    """
    if not (os.environ.get("MLFLOW_TRACKING_URI") or (folders.repository() / "mlflow.db").exists()):
        return ""
    connection.connect()
    import mlflow
    from mlflow.entities import LoggedModelStatus
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError
    name = descriptions.experiment().replace(" ", "-")
    try:
        client = mlflow.MlflowClient()
        experiment = client.get_experiment_by_name(descriptions.experiment())
        if experiment is None:
            return ""
        runs = finding.found(experiment.experiment_id, "model", digest)
        logged = [one for run in runs for one in client.search_logged_models(
            [experiment.experiment_id], f"source_run_id = '{run}'",
            order_by=[{"field_name": "creation_time", "ascending": False}]) if one.status == LoggedModelStatus.READY]
        if not logged:
            return ""
        source = f"models:/{logged[0].model_id}"
        if not client.search_registered_models(f"name = '{name}'"):
            client.create_registered_model(name)
        known = [one for one in client.search_model_versions(f"name = '{name}'") if one.source == source]
        version = known[0] if known else client.create_model_version(name, source, model_id=logged[0].model_id)
        client.set_registered_model_alias(name, ALIAS, version.version)
    except (MlflowException, SQLAlchemyError) as error:
        raise InputError(f"{model}: MLflow does not make its generator the champion ({connection.reason(error)})"
                         ) from None
    return f"models:/{name}@{ALIAS}"
