"""Serves MLflow on this project's runs, and prints where they are compared: `python -m pipeline.tracking.ui 5000`."""
import os
import sys
from collections import Counter

from pipeline.tracking import connection, views


def main(port: str) -> None:
    """Prints a line for each experiment, then becomes `mlflow ui`; a server that is there already is only named."""
    server = os.environ.get("MLFLOW_TRACKING_URI", "")
    base = server.rstrip("/") if server.startswith("http") else f"http://127.0.0.1:{port}"
    connection.connect()
    import mlflow
    try:
        experiments = mlflow.search_experiments(order_by=["experiment_id"])
    except Exception as error:  # whatever MLflow, its store and the network raise
        sys.exit(f"MLflow does not answer ({connection.reason(error)}): see MLFLOW_TRACKING_URI, or mlflow.db here")
    found = [one for one in experiments if one.name.startswith("dcgan")]
    for one in found:
        runs = mlflow.search_runs([one.experiment_id], max_results=200, output_format="list")
        metrics = {name for run in runs for name in run.data.metrics}
        client = mlflow.MlflowClient()
        client.set_experiment_tag(one.experiment_id, views.NOTE, views.of_experiment(one.name))
        trained = {(run.data.tags.get("run"), run.data.params.get("seed")) for run in runs}
        several = Counter(name for name, _ in trained if name)
        client.set_experiment_tag(one.experiment_id, *views.view(metrics, max(several.values(), default=0) > 1))
        print(f"{one.name}: {views.address(base, one.experiment_id, charts=False)}\n"
              f"    and its curves: {views.address(base, one.experiment_id, charts=True)}")
    if not found:
        print("There are no runs yet: `make` makes some, and they appear here while they train.")
    if server.startswith("http"):
        return
    sys.stdout.flush()
    os.environ["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] = "false"  # it would be eight more processes
    words = ["-m", "mlflow", "ui", "--workers", "1", "--port", port, "--backend-store-uri", mlflow.get_tracking_uri()]
    os.execv(sys.executable, [sys.executable, *words])


if __name__ == "__main__":
    main(sys.argv[1])
