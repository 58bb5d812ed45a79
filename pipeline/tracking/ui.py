"""Serves MLflow on this project's runs, and prints where they are compared: `python -m pipeline.tracking.ui 5000`."""
import os
import sys

from pipeline.tracking import store


def main(port: str) -> None:
    """Prints a line for each experiment, then becomes `mlflow ui`; a server that is there already is only named."""
    server = os.environ.get("MLFLOW_TRACKING_URI", "")
    base = server.rstrip("/") if server.startswith("http") else f"http://127.0.0.1:{port}"
    store.connect()
    import mlflow
    found = [one for one in mlflow.search_experiments(order_by=["experiment_id"]) if one.name.startswith("dcgan")]
    for one in found:
        print(f"{one.name}: {base}/#/experiments/{one.experiment_id}/runs"
              "?workflowType=machine_learning&compareRunsMode=CHART")
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
