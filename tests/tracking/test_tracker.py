"""Tracking: what MLflow is told."""
import base64
import json
import os
import subprocess
import sys
import time
import zlib
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest
import torch
from PIL import Image

from pipeline.gan import sampling
from pipeline.tracking import descriptions, finding
from pipeline.tracking import tracker as tracking
from pipeline.tracking import views
from pipeline.tracking.background import BackgroundTracker
from pipeline.tracking.store import Store
from tests import made_up
from tests.conftest import FP32, ROOT, command
from tests.tracking.conftest import DATA, curve, description, runs


def store_of(**changes: Any) -> Store:
    return Store(descriptions.opening(description(**changes)))


@pytest.mark.filterwarnings("ignore")  # MLflow's own dependencies
class TestWithMLflow:
    """Against a real store, in the project's folder."""

    def test_a_run_carries_parameters_curves_pictures_and_the_way_back(self, project: Path) -> None:
        params = {"lr": 1e-4, "lr_G": None, "flip": False, "violate": ["sigmoid"]}
        with tracking.run(description(tags={"model": "m1", "data": "d1"}, params=params)) as tracker:
            tracker.metrics({"loss_D": 1.5, "loss_G": 0.5}, 100)
            tracker.metrics({"loss_D": 1.25, "fid_classifier_5k": float("inf")}, 200)
            tracker.image("samples", Image.new("L", (8, 8), 200), 200)
            tracker.tags({"model": "m2"})
        run, = runs(project)
        assert run.info.status == "FINISHED" and run.info.run_name == "test1"
        assert run.data.params == {key: str(value) for key, value in params.items()}
        assert curve(project, run, "curves/loss_D") == [(100, 1.5), (200, 1.25)]
        assert "curves/fid_classifier_5k" not in run.data.metrics
        assert run.data.tags["model"] == "m2" and run.data.tags["data"] == "d1"
        assert run.data.tags["process"].split(":")[1] == str(os.getpid())
        assert run.inputs.dataset_inputs[0].dataset.name == "digits"
        assert run.info.artifact_uri.startswith((project / "mlruns").as_uri())
        pictures = list((project / "mlruns").rglob("samples+step*200*.png"))
        assert len(pictures) == 1 and Image.open(pictures[0]).getpixel((3, 3)) == 200

    def test_a_study_keeps_its_artifacts_with_the_repositorys(
            self, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (project / "studies/mine").mkdir(parents=True)
        monkeypatch.chdir(project / "studies/mine")
        for _ in range(2):  # MLflow remembers the address of the first
            with tracking.run(description()) as tracker:
                tracker.image("samples", Image.new("L", (8, 8)), 200)
        client = mlflow.MlflowClient(f"sqlite:///{project / 'mlflow.db'}")
        experiment = client.get_experiment_by_name("dcgan mine")
        assert experiment is not None and experiment.artifact_location == (project / "mlruns").as_uri()
        assert {path.name for path in (project / "studies/mine").iterdir()} == set()
        assert len(list((project / "mlruns").rglob("samples+*.png"))) == 2

    def test_a_resumed_run_goes_on_without_repeating_points(self, project: Path) -> None:
        same = description(id_file=project / "id")
        for points in ([(100, 1.0), (200, 2.0)], [(200, 2.0), (300, 3.0)]):
            with tracking.run(same) as tracker:
                for step, value in points:
                    tracker.metrics({"loss_D": value}, step)
        run, = runs(project)
        assert curve(project, run, "curves/loss_D") == [(100, 1.0), (200, 2.0), (300, 3.0)]

    def test_scores_join_the_run_that_made_the_model(self, project: Path) -> None:
        for name, model in (("test1", "m1"), ("test2", "m2")):
            with tracking.run(description(name=name, tags={"model": model})) as tracker:
                tracker.metrics({"loss_D": 1.0}, 1)
        with tracking.run(description(tags={"model": "m2"}, same="model")) as tracker:
            tracker.metrics({"fid_classifier_5k": 7.0}, 2)
        found = {run.info.run_name: run.data.metrics.get("curves/fid_classifier_5k") for run in runs(project)}
        assert found == {"test1": None, "test2": 7.0}

    def test_a_logged_generator_is_found_with_its_scores(self, project: Path) -> None:
        model = made_up.model(project / "one", "guidelines-28", 0.25)
        with tracking.run(description()) as tracker:
            scores = {"fid_classifier_10k": 3.5, "near_copies_pixels_2k": 0.0}
            tracker.model(model.G, model.facts["network"], scores, 100)
        run, = runs(project)
        found, = mlflow.search_logged_models([run.info.experiment_id], "metrics.`scores/fid_classifier_10k` < 4",
                                             output_format="list")
        assert found.source_run_id == run.info.run_id
        command("sample", f"runs:/{run.info.run_id}/generator", "--n", "5", "mlflow.npz")
        command("sample", found.model_uri, "--n", "5", "again.npz")
        assert Path("mlflow.npz").read_bytes() == Path("again.npz").read_bytes()
        z = sampling.prior(model.network, 5, torch.Generator().manual_seed(0))
        with np.load("mlflow.npz") as arrays:
            ours = sampling.sample(model.G, model.network, z, FP32)
            assert abs(arrays["images"].astype(int) - ours).max() <= 1 and ours.std() > 9

    def test_a_child_is_found_under_its_parent_even_if_it_is_there_first(
            self, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
        child = BackgroundTracker(store_of(name="child", parent="study 1", experiment="searches"))
        child.metrics({"fid_classifier_5k": 3.0}, 1)
        time.sleep(1)
        with tracking.run(description(name="parent", tags={"study": "study 1"}, same="study", experiment="searches")):
            pass
        child.close("FINISHED")
        client = mlflow.MlflowClient(f"sqlite:///{project / 'mlflow.db'}")
        experiment = client.get_experiment_by_name("searches")
        assert experiment is not None and runs(project) == []
        found = {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}
        assert found["child"].data.tags["mlflow.parentRunId"] == found["parent"].info.run_id
        assert found["child"].data.metrics["curves/fid_classifier_5k"] == 3
        assert "does not answer" not in capsys.readouterr().err
        assert child.address == f"/#/experiments/{experiment.experiment_id}/runs/{found['child'].info.run_id}"

    def test_the_end_of_the_block_is_the_status_of_the_run(self, project: Path) -> None:
        for error in (KeyboardInterrupt, ValueError):
            with pytest.raises(error), tracking.run(description(name=error.__name__)):
                raise error
        assert {run.info.run_name: run.info.status for run in runs(project)} == {
            "KeyboardInterrupt": "KILLED", "ValueError": "FAILED"}

    @pytest.mark.parametrize("silent", [False, True])
    def test_a_run_whose_process_fell_silent_is_closed_by_the_next_on_whatever_machine(
            self, project: Path, silent: bool, monkeypatch: pytest.MonkeyPatch) -> None:
        lost = store_of(name="lost")
        lost.open()
        mlflow.end_run("RUNNING")
        if silent:
            monkeypatch.setattr(finding, "SILENT_SECONDS", -1)
        with tracking.run(description(name="next", tags={})):
            pass
        assert {run.info.run_name: run.info.status for run in runs(project)} == {
            "lost": "KILLED" if silent else "RUNNING", "next": "FINISHED"}
        lost.beat()  # it had only been cut off
        assert {run.info.run_name: run.info.status for run in runs(project)}["lost"] == "RUNNING"

    @pytest.mark.slow
    def test_two_processes_may_create_the_store_at_once(self, project: Path) -> None:
        (project / "mlflow.db").unlink()
        code = ("from pipeline.tracking import tracker; from pipeline.tracking.store import Description\n"
                "with tracker.run(Description('w', {}, %r, {})) as t: t.metrics({'loss_D': 1.0}, 1)" % DATA)
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        workers = [subprocess.Popen([sys.executable, "-c", code], env=environment, stderr=subprocess.PIPE, text=True)
                   for _ in range(3)]
        for worker in workers:
            assert "does not answer" not in worker.communicate()[1] and worker.returncode == 0
        assert [run.data.metrics["curves/loss_D"] for run in runs(project)] == [1.0] * 3


@pytest.mark.filterwarnings("ignore")  # MLflow's own dependencies
def test_the_pages_are_served_before_the_first_run_and_a_server_is_only_named(
        project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from pipeline.tracking import ui
    started: list[list[str]] = []
    monkeypatch.setattr(os, "execv", lambda program, words: started.append(words))
    ui.main("5001")
    assert "no runs yet" in capsys.readouterr().out
    assert started[0][2:4] == ["mlflow", "ui"] and f"sqlite:///{project / 'mlflow.db'}" in started[0]
    with tracking.run(description()):
        pass
    ui.main("5001")
    assert "dcgan: http://127.0.0.1:5001/#/experiments/1/runs" in capsys.readouterr().out and len(started) == 2
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{project / 'other.db'}")
    ui.main("5001")
    assert f"sqlite:///{project / 'other.db'}" in started[2] and "no runs yet" in capsys.readouterr().out


@pytest.mark.filterwarnings("ignore")  # MLflow's own dependencies
def test_a_run_of_several_seeds_is_one_group_of_the_table_and_one_curve(
        project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pipeline.tracking import ui
    monkeypatch.setattr(os, "execv", lambda program, words: None)

    def grouping() -> Any:
        ui.main("5001")
        tag = mlflow.get_experiment_by_name("dcgan").tags[f"mlflow.sharedViewState.{views.VIEW}"]
        return json.loads(zlib.decompress(base64.b64decode(tag.removeprefix("deflate;")))).get("groupBy")

    for run, seed in (("test3", 0), ("test4", 0), ("test4", 0)):  # the last is trained anew
        with tracking.run(description(params={"seed": seed}, tags={"run": run})) as tracker:
            tracker.metrics({"fid_classifier_5k": 9.0}, 100)
    assert grouping() is None
    with tracking.run(description(params={"seed": 1}, tags={"run": "test4"})):
        pass
    assert grouping() == {"aggregateFunction": "average", "groupByKeys": [{"mode": "tag", "groupByData": "run"}]}
