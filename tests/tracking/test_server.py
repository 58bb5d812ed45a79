"""A server of MLflow's own, on PostgreSQL, that several machines share: it takes and gives the artifacts itself."""
import os
import subprocess
import sys
import time
from pathlib import Path

import mlflow
import pytest

from pipeline.tracking import tracker as tracking
from tests import made_up
from tests.conftest import ROOT, command
from tests.servers import MLflow
from tests.tracking.conftest import DATA, description, report

WORKER = ("from pipeline.tracking import tracker; from pipeline.tracking.store import Description\n"
          "with tracker.run(Description('s', {}, %r, {'study': 's'}, same='study', experiment='searches')) as t:\n"
          "    t.metrics({'loss_D': 1.0}, 1)" % DATA)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # MLflow's own dependencies
def test_a_server_has_what_every_machine_reports_and_later_what_it_missed(
        project: Path, postgresql: str, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str]) -> None:
    with MLflow(postgresql, tmp_path_factory.mktemp("server")) as server:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", server.url)
        model = made_up.model(project / "one", "guidelines-28", 0.25)
        with tracking.run(description()) as tracker:
            report(tracker)
            tracker.model(model.G, model.facts["network"], {"fid_classifier_10k": 3.5}, 3)
        assert capsys.readouterr().err == ""
        run, = mlflow.search_runs(experiment_names=["dcgan"], output_format="list")
        assert run.info.artifact_uri.startswith("mlflow-artifacts:/") and run.info.status == "FINISHED"
        assert len([one for one in mlflow.artifacts.list_artifacts(run_id=run.info.run_id, artifact_path="images")
                    if one.path.endswith(".png")]) == 1
        elsewhere = tmp_path_factory.mktemp("elsewhere")
        monkeypatch.chdir(elsewhere)
        command("sample", f"runs:/{run.info.run_id}/generator", "--n", "5", "images.npz")
        assert not (project / "mlruns").exists() and not (elsewhere / "mlflow.db").exists()

        machines = []
        for name in ("a", "b"):
            folder = tmp_path_factory.mktemp(name)
            machines.append(subprocess.Popen([sys.executable, "-c", WORKER], cwd=folder, stderr=subprocess.PIPE,
                                             text=True, env=os.environ | {"PYTHONPATH": str(ROOT)}))
        assert [machine.communicate()[1] for machine in machines] == ["", ""]
        parent, = mlflow.search_runs(experiment_names=["searches"], output_format="list")
        assert parent.data.tags["study"] == "s"

        server.stop()
        begin = time.monotonic()
        with tracking.run(description(name="missed")) as tracker:
            report(tracker)
            tracker.model(model.G, model.facts["network"], {"fid_classifier_10k": 3.5}, 3)
        assert time.monotonic() - begin < 15  # and a few for the model
        server.start()
        command("sync")
        missed, = mlflow.search_runs(experiment_names=["dcgan"], filter_string="run_name = 'missed'",
                                     output_format="list")
        history = mlflow.MlflowClient().get_metric_history(missed.info.run_id, "curves/loss_D")
        assert [point.step for point in history] == [1, 2, 3] and missed.info.status == "FINISHED"
        command("sample", f"runs:/{missed.info.run_id}/generator", "--n", "5", "images.npz")
