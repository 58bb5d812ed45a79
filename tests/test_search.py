"""The search as people run it: alone, in company, killed, resumed, continued; and what a trial may end in."""
import json
import math
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import mlflow
import optuna
import pandas as pd
import pytest
import torch
from optuna.samplers import TPESampler
from optuna.study import Study
from optuna.trial import Trial, TrialState
from ruamel.yaml import YAML

from pipeline import files, observing, search
from pipeline.data import digits, images
from pipeline.errors import DivergedError, InputError, ScoreError
from pipeline.gan import collapse, devices, literature, training
from pipeline.params import reading
from pipeline.scores import classifier
from pipeline.tracking import background
from pipeline.tracking.tracker import Tracker
from pipeline.tuning import analysis, rungs, samplers, space, storages, studies, trials
from pipeline.tuning.curve import Point
from pipeline.tuning.notes import Notes
from pipeline.tuning.setup import Setup, conditions_of, prepare
from pipeline.tuning.studies import Order
from tests.conftest import FP32, Params, command, stage

TINY = {"search.space.batch": [32, 64, 100, 256], "search.rungs": [100, 200, 400], "train.epochs": 1,
        "train.width": 0.25,
        "search.validation": 300, "search.probe_images": 300, "search.n_trials": 6, "search.n_startup_trials": 5,
        "search.candidates": 1, "search.seeds": 1, "train.checkpoint_seconds": 0, "reference.epochs": 1}


@pytest.fixture(scope="session")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where classifiers are kept that tests share."""
    return tmp_path_factory.mktemp("classifiers")


@pytest.fixture
def project(params: Params, fitted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Makes tmp_path a study that a search can begin in, with the changes to params.yaml that one names."""
    monkeypatch.setattr(analysis, "DRAWS", 5)  # intervals of importances are not what is tested here

    def change(changes: dict[str, Any] | None = None) -> Path:
        params(TINY | (changes or {}))
        return tmp_path

    change()
    images.save(tmp_path / "data/arrays/digits", digits.arrays(), digits.FACTS)
    (tmp_path / ".work").mkdir()
    (tmp_path / ".work/reference").symlink_to(fitted)
    return change


def worker(folder: Path) -> "subprocess.Popen[str]":
    """Starts the stage as DVC and `dcgan search` do."""
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen([sys.executable, "-m", "pipeline.search"], cwd=folder, env=environment, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def finish(process: "subprocess.Popen[str]") -> str:
    output, errors = process.communicate()
    assert process.returncode == 0, errors
    return output + errors


def all_studies(folder: Path) -> dict[str, Study]:
    """The study and its repetitions, as `main` and `seeds`."""
    storage = storages.open_storage(None, folder).backend
    names = optuna.get_all_study_names(storage)
    return {"seeds" if trials.CONFIRMED in name else "main": optuna.load_study(study_name=name, storage=storage)
            for name in names}


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((folder / "reports/search").iterdir())}


def unfinished(study: Study) -> list[int]:
    return [trial.number for trial in study.trials if not trial.state.is_finished()]


def kill_in_the_middle(process: "subprocess.Popen[str]", folder: Path, after: int) -> None:
    """kill -9 as soon as `after` trials are finished and its own has a checkpoint to go on from."""
    while True:
        assert process.poll() is None, process.communicate()
        kept = {path.parent.name.split("-")[0] for path in folder.glob(".work/search/*/*/state.pt")}
        study = all_studies(folder).get("main") if kept else None
        if study and len(studies.finished(study)) >= after and any(
                trial.state == TrialState.RUNNING and str(trial.number) in kept
                and trial.user_attrs["process"].split(":")[1] == str(process.pid) for trial in study.trials):
            break
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate()


@pytest.mark.slow
@pytest.mark.parametrize(("network", "violate"), [("paper-mnist", []), ("guidelines-28", ["sigmoid", "pooling"])])
def test_any_network_is_searched_like_the_slides(
        project: Callable[..., Path], network: str, violate: list[str]) -> None:
    """A conditional one, which is conditioned on labels, and one with batch norm in D and images in 0..1."""
    folder = project({"train.network": network, "train.width": 0.125, "train.violate": violate,
                      "search.first": ["test4"], "search.n_trials": 2})
    finish(worker(folder))
    table = pd.read_csv(folder / "reports/search/trials.csv", keep_default_na=False)
    assert len(table) == 2 and (table["fid_classifier_200"].astype(float) > 0).all() and (table["reason"] == "").all()


@pytest.mark.slow
def test_one_worker_always_finds_the_same_also_when_it_is_killed(
        project: Callable[..., Path], tmp_path: Path) -> None:
    """Twice from nothing, once with kill -9 in the middle of a trial: the declared files have the same bytes."""
    folder = project()
    finish(worker(folder))
    undisturbed = files_of(folder)
    table = pd.read_csv(folder / "reports/search/trials.csv", keep_default_na=False)
    assert table["first"].tolist()[:4] == ["test4", "test1", "test2", "test3"] and len(table) == 6
    assert set(undisturbed) >= {"best.yaml", "trials.csv", "seeds.csv", "scores.json", "report.md", "history.png",
                                "importances.png", "slices.png", "seeds.png"}

    (tmp_path / "optuna.log").unlink()
    shutil.rmtree(tmp_path / "reports")
    shutil.rmtree(tmp_path / ".work/search")  # else it says that the journal is lost
    process = worker(folder)
    kill_in_the_middle(process, folder, after=2)
    output = finish(worker(folder))
    study = all_studies(folder)["main"]
    assert [trial.state for trial in study.trials].count(TrialState.FAIL) == 1
    assert sum("retry_of" in trial.user_attrs for trial in study.trials) == 1 and "trial" in output
    assert files_of(folder) == undisturbed

    before = len(study.trials)
    finish(worker(folder))  # finished already: nothing more is trained
    assert len(all_studies(folder)["main"].trials) == before and files_of(folder) == undisturbed
    project({"search.n_trials": 7})
    finish(worker(folder))  # a total: one more
    assert len(all_studies(folder)["main"].trials) == before + 1
    assert len(pd.read_csv(folder / "reports/search/trials.csv")) == 7


@pytest.mark.slow
def test_two_workers_share_a_study_and_the_survivor_ends_it(project: Callable[..., Path]) -> None:
    """On an empty directory, one of them killed with a trial in its hands."""
    folder = project({"search.n_trials": 8, "search.rungs": [200, 400, 800]})
    victim, survivor = worker(folder), worker(folder)
    kill_in_the_middle(victim, folder, after=1)
    finish(survivor)
    found = all_studies(folder)
    counted = studies.finished(found["main"])
    assert len(counted) == 8 and not unfinished(found["main"])
    assert {trial.state for trial in counted} <= {TrialState.COMPLETE, TrialState.PRUNED}
    assert len({json.dumps(trial.params, sort_keys=True) for trial in counted}) == 8
    assert len({studies.first(trial) for trial in counted}) == 8
    lost, = [trial for trial in found["main"].trials if trial.state == TrialState.FAIL]
    assert lost.user_attrs["process"].split(":")[1] == str(victim.pid)
    again, = [trial for trial in counted if trial.user_attrs.get("retry_of") == lost.number]
    assert again.params == lost.params and again.user_attrs["process"].split(":")[1] == str(survivor.pid)
    assert len(studies.finished(found["seeds"])) == 2 and not unfinished(found["seeds"])  # a candidate, and test4
    assert len(pd.read_csv(folder / "reports/search/trials.csv")) == 8


@pytest.mark.slow
@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_worker_that_is_stopped_releases_its_trial(
        project: Callable[..., Path], number: signal.Signals, status: int) -> None:
    """The next one goes on from the checkpoint that the first has left."""
    folder = project(ONE | {"search.n_trials": 1, "search.rungs": [10_000, 20_000], "train.report_images": 100,
                            "train.checkpoint_seconds": 1000})
    process = subprocess.Popen([sys.executable, "-m", "pipeline.search"], cwd=folder, text=True, stderr=subprocess.PIPE,
                               env=os.environ | {"OMP_NUM_THREADS": "1"},
                               preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler))
    while not [*folder.glob(".work/search/*/*/samples/*.png")]:
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    begin = time.monotonic()
    process.send_signal(number)
    errors = process.communicate()[1]
    assert process.returncode == status and time.monotonic() - begin < 10, errors
    assert "Traceback" not in errors and f"search: interrupted by {number.name}" in errors
    study = all_studies(folder)["main"]
    lost, = study.trials
    assert lost.state == TrialState.FAIL and lost.user_attrs["interrupted"] and studies.finished(study) == []
    state, = folder.glob(".work/search/*/*/state.pt")
    trial = studies.claim(storages.open_storage(None, folder), study, lost.distributions, [], 1,
                          lambda begun: TPESampler())
    assert trial is not None and trial.user_attrs["retry_of"] == 0 and trial.params == lost.params
    assert trial.user_attrs["checkpoint"] == state.stat().st_mtime_ns


@pytest.fixture
def setup(project: Callable[..., Path]) -> Callable[..., Setup]:
    """Makes what trials share, from params.yaml with changes."""
    def make(changes: dict[str, Any] | None = None) -> Setup:
        folder = project(changes)
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        params = reading.load()
        dataset = images.load(folder / "data/arrays/digits")
        return prepare(params.search, params.train, params.evaluate, dataset, params.reference,
                       devices.choose(params.hardware), storages.open_storage(None, folder))

    return make


def study_of(lab: Setup) -> Study:
    return studies.open_study(lab.storage, "s", {}, samplers.directions(lab.search), rungs.pruner(lab.search))


def test_no_trial_sees_validation_images_and_none_sees_test_images(setup: Callable[..., Setup]) -> None:
    lab = setup()
    dataset = images.load(Path("data/arrays/digits"))
    assert len(lab.train_images) == 1437 - 300 and len(lab.validation_images) == 300
    kept, held_out = ([image.tobytes() for image in part] for part in (lab.train_images, lab.validation_images))
    everything = sorted(image.tobytes() for image in dataset.train_images)
    assert sorted(kept + held_out) == everything
    tests = {image.tobytes() for image in dataset.test_images}
    assert tests.isdisjoint(held_out) and tests.isdisjoint(kept)
    assert lab.reference.moments.count == 300
    again = setup()
    assert (again.validation_images == lab.validation_images).all()
    other = setup({"search.seed": 1})
    assert not (other.validation_images == lab.validation_images).all()


def test_the_classifier_is_fitted_on_the_images_that_trials_train_on(
        setup: Callable[..., Setup], monkeypatch: pytest.MonkeyPatch) -> None:
    original, fitted = classifier.fit, []

    def fit(shown: Any, labels: Any, *words: Any) -> Any:
        fitted.append([image.tobytes() for image in shown])
        return original(shown, labels, *words)

    monkeypatch.setattr(classifier, "fit", fit)
    changed = {"reference.seed": 5}  # a classifier that no other test has
    lab = setup(changed)
    assert fitted == [[image.tobytes() for image in lab.train_images]]
    assert set(fitted[0]).isdisjoint(image.tobytes() for image in lab.validation_images)
    moments = lab.reference.moments_of(lab.validation_images)
    assert torch.equal(moments.mean, lab.reference.moments.mean)
    setup(changed)
    assert len(fitted) == 1  # kept
    setup(changed | {"search.seed": 1})
    assert len(fitted) == 2


WIDE = {"search.space": {"lr_G": {"low": 1e-4, "high": 1e-3, "log": True}, "lr_D": [None, 4e-4], "batch": 100,
                         "d_steps": {"low": 1, "high": 2}, "label_smoothing": {"low": 0.0, "high": 0.2},
                         "ema": [0.0, 0.9], "network": ["slides", "guidelines-28"], "flip": [False, True],
                         "width": {"low": 0.1, "high": 0.2},
                         "violate": {"values": [[], ["sigmoid"]], "when": {"network": "guidelines-28"}}},
        "search.first": [], "search.n_trials": 4, "search.n_startup_trials": 4, "search.rungs": [200, 400],
        "search.pruner": "none"}


@pytest.mark.slow
def test_everything_searchable_is_searched_shown_and_promoted(project: Callable[..., Path]) -> None:
    folder = project(WIDE)
    search.search()
    table = pd.read_csv(folder / "reports/search/trials.csv", keep_default_na=False)
    names = ["batch", "lr", "beta1", "leak", "network", "width", "violate", "lr_G", "lr_D", "d_steps",
             "label_smoothing", "flip", "ema"]
    assert [key for key in table if key in names] == names and (table["reason"] == "").all()
    assert table["lr_G"].between(1e-4, 1e-3).all() and table["lr_D"].astype(str).isin(["", "0.0004"]).all()
    assert table["d_steps"].isin([1, 2]).all() and table["label_smoothing"].between(0, 0.2).all()
    assert table["lr_G"].nunique() == 4 and (table["batch"] == 100).all() and table["width"].between(0.1, 0.2).all()
    assert set(table["network"]) == {"slides", "guidelines-28"}  # with this seed
    assert (table["violate"][table["network"] == "slides"] == "none").all()
    command("promote")  # there was no run to beat
    promoted = reading.load().runs["searched"]
    best = YAML(typ="safe").load((folder / "reports/search/best.yaml").read_text())
    row = table.iloc[best["trial"]]
    assert {key: getattr(promoted, key) for key in best["run"]} == best["run"]
    for key in ("network", "width", "violate", "lr_G", "ema"):
        assert space.label(getattr(promoted, key)) == row[key]
    assert set(names) - set(best["run"]) <= {"lr_D"}


def collapsing(monkeypatch: pytest.MonkeyPatch, until: int = 99) -> None:
    """Every training shows a sign of collapse from its third report of losses on, until there are so many."""
    monkeypatch.setattr(collapse, "signs", lambda losses, *_: (
        {"losses": "D is sure"} if 2 < len(losses) < until else {}))


ONE = {"search.space.batch": [100], "search.first": ["test4"], "search.rungs": [200, 400], "train.report_images": 100}


@pytest.mark.parametrize("objectives", [["fid"], ["fid", "probe"]])
def test_a_training_that_stops_on_a_collapse_is_pruned_with_its_score_and_a_penalty(
        setup: Callable[..., Setup], monkeypatch: pytest.MonkeyPatch, objectives: list[str]) -> None:
    found = {}
    collapsing(monkeypatch)
    for choice in ("warn", "stop"):
        lab = setup(ONE | {"train.on_collapse": choice, "runs.test4.on_collapse": choice,
                           "search.objectives": objectives})
        study = studies.open_study(lab.storage, choice, {}, samplers.directions(lab.search), rungs.pruner(lab.search))
        search.work(lab, study, search.first_runs(reading.load()), 1)
        found[choice], = study.trials
        table = analysis.table(studies.finished(study), lab.search.space, lab.train.run, lab.score)
        notes = json.dumps(lab.storage.backend.get_study_system_attrs(study._study_id))
        assert "collapsed at 300 images: D is sure" in notes and "D is sure" in table["reason"].iloc[0]
    warned, stopped = found["warn"], found["stop"]
    assert warned.state == TrialState.COMPLETE and warned.user_attrs["images_seen"] == 400
    assert warned.values[0] == math.log(warned.user_attrs[lab.score]) + rungs.PENALTY  # to the end, and penalised
    assert stopped.state == TrialState.PRUNED and stopped.user_attrs["images_seen"] == 300
    assert table[lab.score].iloc[0] == stopped.user_attrs[lab.score] > 0 and table["images_seen"].iloc[0] == 300
    assert [key for key in stopped.user_attrs if "_at_" in key] == [f"{lab.score}_at_200"]  # 300 is no rung
    if len(objectives) == 1:
        assert sorted(warned.intermediate_values) == [200, 400] and sorted(stopped.intermediate_values) == [200, 300]
        assert warned.intermediate_values[200] == stopped.intermediate_values[200] == math.log(
            stopped.user_attrs[f"{lab.score}_at_200"])  # before the collapse: no penalty
        assert stopped.value == math.log(stopped.user_attrs[lab.score]) + rungs.PENALTY


def test_a_collapse_that_ended_costs_nothing_at_later_rungs(
        setup: Callable[..., Setup], monkeypatch: pytest.MonkeyPatch) -> None:
    collapsing(monkeypatch, until=4)
    lab = setup(ONE | {"search.rungs": [300, 600]})
    study = study_of(lab)
    search.work(lab, study, search.first_runs(reading.load()), 1)
    trial, = study.trials
    at = {rung: math.log(trial.user_attrs[f"{lab.score}_at_{rung}"]) for rung in (300, 600)}
    assert trial.intermediate_values == {300: at[300] + rungs.PENALTY, 600: at[600]} and trial.value == at[600]
    assert "collapse" not in trial.user_attrs


def test_a_collapse_is_told_to_mlflow_and_a_resumed_trial_trains_no_further(
        setup: Callable[..., Setup], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    class Told(Tracker):
        def tags(self, tags: dict[str, str]) -> None:
            told.update(tags)

    told: dict[str, str] = {}
    lab = setup(ONE | {"train.on_collapse": "stop"})
    run, made = replace(lab.train.run, batch=100), literature.network("slides")
    collapsing(monkeypatch)
    course = rungs.course(lab.search, run, len(lab.train_images), whole=False)
    first, second = ([*trials.points(lab, state, run, course, 0, tmp_path / "scratch", Told())]
                     for state in (training.start(made, run, 0, FP32) for _ in range(2)))
    assert [(point.step, point.collapse != "", point.rung) for point in first] == [
        (200, False, True), (300, True, False)]
    assert first == second and told["collapse"] == "losses"


def test_the_average_of_weights_decides_where_a_run_has_one(setup: Callable[..., Setup], tmp_path: Path) -> None:
    lab, made = setup(ONE), literature.network("slides")
    run = replace(lab.train.run, batch=100, ema=0.9)
    state = training.start(made, run, 0, lab.device)
    course = rungs.course(lab.search, run, len(lab.train_images), whole=False)
    found = [*trials.points(lab, state, run, course, 0, tmp_path / "scratch", Tracker())]
    last = observing.snapshot(state, lab.train, lab.reference, lab.device).distances
    assert found[-1].fid == last[f"{lab.score}_of_ema"] != last[lab.score] and len(found) == 2


def test_failures_are_results_with_a_reason_and_do_not_end_the_study(
        setup: Callable[..., Setup], monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str]) -> None:
    lab = setup()
    study = study_of(lab)

    def fit(lab: Setup, trial: Trial, *_: Any) -> TrialState:
        if trial.number == 1:
            raise DivergedError("the losses left the finite numbers: lower lr")
        if trial.number == 2:
            raise ScoreError("too few\nof two lines")
        trial.set_user_attr(lab.score, 10.0 + trial.number)
        return TrialState.COMPLETE

    monkeypatch.setattr(trials, "fit", fit)
    search.work(lab, study, search.first_runs(reading.load()), 6)
    states = [trial.state.name for trial in study.trials]
    assert states == ["COMPLETE", "FAIL", "FAIL", "COMPLETE", "COMPLETE", "COMPLETE"]
    reasons = [trial.user_attrs.get("reason") for trial in study.trials]
    assert reasons[1:3] == ["DivergedError: the losses left the finite numbers: lower lr",
                            "ScoreError: too few"]
    assert study.trials[1].value is None and not study.trials[1].intermediate_values
    assert "Traceback" not in capsys.readouterr().err
    table = analysis.table(studies.finished(study), lab.search.space, lab.train.run, lab.score)
    assert len(table) == 6 and math.isnan(table[lab.score].iloc[1])


def test_a_real_divergence_fails_its_trial(
        setup: Callable[..., Setup], monkeypatch: pytest.MonkeyPatch) -> None:
    lab = setup()
    study = study_of(lab)
    monkeypatch.setattr("pipeline.gan.training.to_float", lambda pixels, low: pixels.float() * math.inf)
    search.work(lab, study, search.first_runs(reading.load()), 1)
    trial, = study.trials
    assert trial.state == TrialState.FAIL and trial.user_attrs["reason"].startswith("DivergedError: ")
    assert "left the finite numbers" in trial.user_attrs["reason"]


def test_when_all_fail_there_is_one_line_and_nothing_is_overwritten(
        project: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    folder = project({"search.n_trials": 4})
    (folder / "reports/search").mkdir(parents=True)
    (folder / "reports/search/best.yaml").write_text("kept")

    def fit(*_: Any) -> TrialState:
        raise DivergedError("lower lr")

    monkeypatch.setattr(trials, "fit", fit)
    with pytest.raises(InputError, match="none of 4 trials was completed; the first failed with: Div.*lower lr"):
        search.search()
    assert (folder / "reports/search/best.yaml").read_text() == "kept"


def test_a_score_on_the_way_to_a_failure_is_no_score(
        setup: Callable[..., Setup], monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither in the search nor where a candidate fails with another seed."""
    lab = setup({"search.n_trials": 4, "search.candidates": 2, "search.seeds": 2})
    study = study_of(lab)

    def fit(lab: Setup, trial: Trial, *_: Any) -> TrialState:
        trial.set_user_attr(lab.score, 1.0)
        trial.set_user_attr("probe_accuracy_validation", 0.5)
        trial.set_user_attr("images_seen", 100)
        if trial.user_attrs["first"] == "test1" or trial.user_attrs.get("seed") == 2:
            raise DivergedError("lower lr")
        return TrialState.COMPLETE

    monkeypatch.setattr(trials, "fit", fit)
    search.work(lab, study, search.first_runs(reading.load()), 4)
    table = analysis.table(studies.finished(study), lab.search.space, lab.train.run, lab.score)
    assert table["first"].tolist() == ["test4", "test1", "test2", "test3"]
    assert table[lab.score].isna().tolist() == [False, True, False, False]
    repeats = search.confirm(lab, study, table, reading.load())
    assert repeats["candidate"].tolist() == [2, 2, 3, 3, 0, 0] and repeats["seed"].tolist() == [1, 2] * 3
    assert repeats["against"].tolist() == [0, 0, 0, 0, 1, 1]
    assert repeats[lab.score].isna().tolist() == [False, True] * 3
    assert analysis.means(repeats, lab.score)["failed"].tolist() == [1, 1, 1]


def test_a_search_whose_known_run_fails_with_every_seed_ends_with_a_page(
        project: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    folder = project({"search.n_trials": 5, "search.seeds": 2})

    def fit(lab: Setup, trial: Trial, *_: Any) -> TrialState:
        if trial.user_attrs.get("first") == "test4":
            raise DivergedError("lower lr")
        for key, value in ((lab.score, 1.0 + trial.params["lr"]), ("probe_accuracy_validation", 0.5),
                           ("images_seen", 400)):
            trial.set_user_attr(key, value)
        return TrialState.COMPLETE

    monkeypatch.setattr(trials, "fit", fit)
    search.search()
    page = (folder / "reports/search/report.md").read_text()
    assert "test4 failed with every seed" in page and "1 failed" in page
    assert YAML(typ="safe").load((folder / "reports/search/best.yaml").read_text())["beats"] is True


def test_a_full_disk_costs_no_trial(setup: Callable[..., Setup], monkeypatch: pytest.MonkeyPatch) -> None:
    """However often one starts before there is room again."""
    lab = setup(ONE)
    study, write = study_of(lab), files.write

    def full(path: Path, content: bytes) -> None:
        if ".work" in path.parts:
            raise OSError(28, "No space left on device", str(path))
        write(path, content)

    for _ in range(5):
        with monkeypatch.context() as patch, pytest.raises(InputError, match=(
                r"^trial \d: OSError: \[Errno 28\] No space left .*; nothing is lost: mend that and start again")):
            patch.setattr(files, "write", full)
            search.work(lab, study, search.first_runs(reading.load()), 2)
    assert studies.finished(study) == [] and not unfinished(study)
    search.work(lab, study, search.first_runs(reading.load()), 2)
    found = studies.finished(study)
    assert {trial.state.name for trial in found} <= {"COMPLETE", "PRUNED"} and found[0].user_attrs["first"] == "test4"
    assert [studies.first(trial) for trial in found] == [0, 6]


@pytest.mark.parametrize(("error", "raised"), [
    (MemoryError(), InputError), (torch.OutOfMemoryError("CUDA out of memory"), InputError),
    (ZeroDivisionError("a mistake\nof two lines"), ZeroDivisionError)])
def test_a_trial_that_ends_its_worker_each_time_fails_in_the_end(
        setup: Callable[..., Setup], monkeypatch: pytest.MonkeyPatch, error: Exception, raised: type) -> None:
    """A mistake in the code keeps its traceback; the other trials go on."""
    lab = setup()
    study = study_of(lab)

    def fit(lab: Setup, trial: Trial, *_: Any) -> TrialState:
        if trial.user_attrs["first"] == "test4":
            raise error
        trial.set_user_attr(lab.score, 1.0)
        return TrialState.COMPLETE

    monkeypatch.setattr(trials, "fit", fit)
    for _ in range(3):
        with pytest.raises(raised):
            search.work(lab, study, search.first_runs(reading.load()), 3)
        assert not unfinished(study) and studies.finished(study) == []
    search.work(lab, study, search.first_runs(reading.load()), 3)
    found = studies.finished(study)
    assert [trial.state.name for trial in found] == ["FAIL", "COMPLETE", "COMPLETE"]
    assert found[0].user_attrs["reason"] == (
        f"{type(error).__name__}{': ' if str(error) else ''}{str(error).partition(chr(10))[0]}, 3 times without a "
        "newer checkpoint")
    table = analysis.table(found, lab.search.space, lab.train.run, lab.score)
    assert table["reason"].iloc[0] == found[0].user_attrs["reason"]


def test_a_lost_device_leaves_the_trial_to_the_next_worker(
        setup: Callable[..., Setup], monkeypatch: pytest.MonkeyPatch) -> None:
    lab = setup()
    study = study_of(lab)
    lost = torch.AcceleratorError("CUDA error: uncorrectable ECC error")

    def fit(*_: Any) -> TrialState:
        raise lost

    monkeypatch.setattr(trials, "fit", fit)
    for _ in range(5):
        with pytest.raises(InputError, match="trial . AcceleratorError: CUDA error: uncorr|trial .: Accel.*nothing is"):
            search.work(lab, study, search.first_runs(reading.load()), 2)
    assert studies.finished(study) == [] and not unfinished(study)


def test_an_interrupted_trial_is_not_a_failure_and_goes_on(
        setup: Callable[..., Setup], monkeypatch: pytest.MonkeyPatch) -> None:
    lab = setup()
    study = study_of(lab)

    def fit(*_: Any) -> TrialState:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(trials, "fit", fit)
        search.work(lab, study, search.first_runs(reading.load()), 4)
    assert studies.finished(study) == []

    def good(lab: Setup, trial: Trial, *_: Any) -> TrialState:
        trial.set_user_attr(lab.score, 1.0)
        return TrialState.COMPLETE

    monkeypatch.setattr(trials, "fit", good)
    search.work(lab, study, search.first_runs(reading.load()), 4)
    assert [trial.user_attrs["first"] for trial in studies.finished(study)] == ["test4", "test1", "test2", "test3"]


@pytest.mark.parametrize("batch", [32, 100, 256])
def test_all_trials_have_the_same_budget_and_are_measured_at_the_same_rungs(
        setup: Callable[..., Setup], batch: int) -> None:
    lab = setup({"search.space.batch": [batch], "search.rungs": [150, 300, 600], "search.first": [],
                 "search.n_trials": 1})
    study = study_of(lab)
    search.work(lab, study, [], 1)
    trial, = study.trials
    # A batch of 256 passes no rung before 150: its first score is after 256 images.
    assert sorted(trial.intermediate_values) == [150, 300, 600] and trial.user_attrs["images_seen"] == 600
    assert trial.value == trial.intermediate_values[600] == math.log(trial.user_attrs[lab.score])
    assert [trial.user_attrs[f"{lab.score}_at_{rung}"] for rung in (150, 300, 600)] == pytest.approx(
        [math.exp(trial.intermediate_values[rung]) for rung in (150, 300, 600)])
    assert 0 < trial.user_attrs["probe_accuracy_validation"] <= 1
    run = trials.run_of(lab, trial)
    assert run.batch == batch


@pytest.mark.parametrize(("batch", "images"), [(32, [64, 128, 256]), (500, [1000, 1637, 3274])])
def test_equal_updates_are_equally_many_batches(setup: Callable[..., Setup], batch: int, images: list[int]) -> None:
    """Of 1,137 images in batches of 500 the third has 137: four updates are an epoch and one batch more."""
    lab = setup({"search.space.batch": [batch], "search.rungs": [2, 4, 8], "search.equal": "updates",
                 "search.first": [], "search.validation": 300, "train.report_images": 5000})
    study, seen = study_of(lab), []
    real = observing.snapshot

    def snapshot(state: Any, *words: Any) -> Any:
        seen.append(state.images_seen)
        return real(state, *words)

    with mock.patch.object(observing, "snapshot", snapshot):
        search.work(lab, study, [], 1)
    trial, = study.trials
    assert sorted(trial.intermediate_values) == [2, 4, 8]
    assert seen == images and trial.user_attrs["images_seen"] == images[-1]


def scripted(scores: Callable[[Any], list[float]], places: tuple[int, ...] = (100, 200, 400)) -> Any:
    """Points whose distances are a function of the run."""
    def points(lab: Setup, state: Any, run: Any, course: rungs.Course, *_: Any) -> Any:
        for place, score in zip([place for place in places if place <= course.length] or [course.length], scores(run)):
            yield Point(place, place, score)

    return points


def test_a_trial_that_falls_behind_ends_at_its_rung(
        setup: Callable[..., Setup], monkeypatch: pytest.MonkeyPatch) -> None:
    """leak says at which rung it is worse than those before."""
    lab = setup()
    study = study_of(lab)
    monkeypatch.setattr(trials, "points", scripted(lambda run: [
        5.0 + (run.leak > 0.4), 4.0 + (run.leak > 0.3), 3.0 + run.leak]))
    monkeypatch.setattr(trials, "probe_accuracy", lambda *_: 0.9)
    orders: list[Order] = [({"batch": 100, "lr": 2e-4, "beta1": 0.5, "leak": leak}, Notes(first=str(leak)))
                           for leak in (0.2, 0.45, 0.35, 0.1)]
    search.work(lab, study, orders, 4)
    assert [trial.state.name for trial in study.trials] == ["COMPLETE", "PRUNED", "PRUNED", "COMPLETE"]
    assert [max(trial.intermediate_values) for trial in study.trials] == [400, 100, 200, 400]
    told = study.trials[2].user_attrs
    assert told["images_seen"] == 200 and told["probe_accuracy_validation"] == 0.9
    assert study.trials[0].value == math.log(3.2)


def test_candidates_are_trained_at_the_studys_length_and_the_winner_is_chosen_there(
        project: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that is the best at the last rung loses at the end; nothing of the search's own seed counts."""
    folder = project({"train.epochs": 3, "search.rungs": [200, 400, 800], "search.candidates": 2, "search.seeds": 2,
                      "search.n_trials": 4, "search.pruner": "none"})
    courses = []

    def points(lab: Setup, state: Any, run: Any, course: rungs.Course, seed: int, *_: Any) -> Any:
        courses.append((seed, course.places))
        for seen, rung in course.places.items():
            short = {0.9: 40.0, 0.5: 30.0}[run.beta1] + run.leak
            yield Point(rung, seen, short if seen < 3 * 1137 else 100 - short + seed)

    monkeypatch.setattr(trials, "points", points)
    monkeypatch.setattr(trials, "probe_accuracy", lambda *_: 0.9)
    search.search()
    assert [places for seed, places in courses if seed == 0] == [{200: 200, 400: 400, 800: 800}] * 4
    assert [seed for seed, _ in courses[4:]] == [1, 2] * 3
    assert all(places == {200: 200, 400: 400, 800: 800, 3411: 3411} for _, places in courses[4:])
    seeds = pd.read_csv(folder / "reports/search/seeds.csv")
    assert (seeds["images_seen"] == 3411).all() and seeds["against"].sum() == 2
    page = (folder / "reports/search/report.md").read_text()
    # In the search test3 (30.3) was better than test1 (40.3); at the end 100 - short + seed, the other way round.
    table = pd.read_csv(folder / "reports/search/trials.csv", keep_default_na=False)
    assert table["first"].iloc[seeds["candidate"].iloc[0]] == "test3"
    assert "**test1 beats test4.**" in page and "after 3,411 images" in page
    assert "-1.00" in page  # Kendall's tau between the last rung and the end
    command("promote")
    assert reading.load().runs["searched"].batch == 256
    names = set(optuna.get_all_study_names(storages.open_storage(None, folder).backend))
    longer = {"train.epochs": 4}
    project({"train.epochs": 3, "search.rungs": [200, 400, 800], "search.candidates": 2, "search.seeds": 2,
             "search.n_trials": 4, "search.pruner": "none"} | longer)
    monkeypatch.setattr(trials, "points", lambda lab, state, run, course, seed, *_: iter(
        [Point(course.length, course.length, 50.0 + run.leak)]))
    search.search()  # another length: the same trials, confirmed anew
    more = set(optuna.get_all_study_names(storages.open_storage(None, folder).backend)) - names
    assert len(more) == 1 and "confirmed after 4 epochs" in more.pop()


def test_hours_end_the_trials_and_not_the_confirmation(
        project: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    folder = project({"search.n_trials": 50, "search.hours": 1.0})
    ages = iter([0.0, 0.5, 0.9, 1.01])
    monkeypatch.setattr(search, "age", lambda study: next(ages))
    monkeypatch.setattr(trials, "points", scripted(lambda run: [3.0 + run.leak, 2.0 + run.leak, 1.0 + run.leak]))
    monkeypatch.setattr(trials, "probe_accuracy", lambda *_: 0.9)
    search.search()
    found = all_studies(folder)
    assert len(found["main"].trials) == 3 and len(studies.finished(found["seeds"])) == 2
    assert "by time, after `hours: 1.0`, with 3 of 50 trials" in (folder / "reports/search/report.md").read_text()


def test_a_study_is_as_old_as_its_first_trial(setup: Callable[..., Setup]) -> None:
    study = study_of(setup())
    assert search.age(study) == 0
    study.ask()
    assert 0 <= search.age(study) < 0.1
    with mock.patch.object(time, "time", lambda now=time.time(): now + 7200):
        assert search.age(study) == pytest.approx(2, abs=0.1)


@pytest.mark.parametrize("sampler", ["tpe", "gp", "random"])
@pytest.mark.filterwarnings("ignore:greenlet")
def test_every_sampler_draws_the_same_again_and_each_trial_something_else(
        setup: Callable[..., Setup], monkeypatch: pytest.MonkeyPatch, sampler: str) -> None:
    drawn = []
    monkeypatch.setattr(trials, "points", scripted(lambda run: [1.0 + run.leak] * 3))
    monkeypatch.setattr(trials, "probe_accuracy", lambda *_: 0.9)
    for name in ("a", "b"):
        lab = setup({"search.sampler": sampler, "search.n_startup_trials": 3})
        study = studies.open_study(lab.storage, name, {}, ["minimize"], rungs.pruner(lab.search))
        search.work(lab, study, [], 6)
        drawn.append([trial.params for trial in study.trials])
    assert drawn[0] == drawn[1] and len({json.dumps(params) for params in drawn[0]}) == 6


def test_a_missing_package_is_one_line(project: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    project({"search.sampler": "cmaes"})
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError, match="search.sampler = 'cmaes': needs the package cmaes: pip install cmaes"):
        search.search()


def test_the_dashboard_names_the_objective_and_says_what_the_study_is(
        project: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    folder = project({"search.n_trials": 4})
    monkeypatch.setattr(trials, "points", scripted(lambda run: [1.0 + run.leak] * 3))
    monkeypatch.setattr(trials, "probe_accuracy", lambda *_: 0.9)
    search.search()
    search.search()  # nothing is written twice
    storage = storages.open_storage(None, folder).backend
    for study in all_studies(folder).values():
        attributes = storage.get_study_system_attrs(study._study_id)
        assert attributes["study:metric_names"] == ["ln fid_classifier_200"]
        note = "".join(value for key, value in attributes.items() if key.startswith("dashboard:note_str:"))
        assert "Fréchet distance" in note and "test4" in note or "pruned there" in note
        assert attributes["dashboard:note_ver"] == 1
        assert study.study_name.startswith("slides on digits, 100-400 images (")
    main = all_studies(folder)["main"].study_name
    assert all_studies(folder)["seeds"].study_name == f"{main}, confirmed after 1 epoch"


def test_two_objectives_have_a_front_and_end_no_trial_early(
        project: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    folder = project({"search.objectives": ["fid", "probe"], "search.n_trials": 5})

    def points(lab: Setup, state: Any, run: Any, *_: Any) -> Any:
        for place in (200, 400):
            yield Point(place, place, 100 * run.lr * run.batch + run.leak)

    monkeypatch.setattr(trials, "points", points)
    monkeypatch.setattr(trials, "probe_accuracy", lambda *_: 0.9)
    search.search()
    study = all_studies(folder)["main"]
    assert [trial.state.name for trial in study.trials] == ["COMPLETE"] * 5 and len(study.directions) == 2
    page = (folder / "reports/search/report.md").read_text()
    assert "## The Pareto front" in page and (folder / "reports/search/front.png").exists()


def test_a_run_outside_the_space_is_named_and_not_tried(
        setup: Callable[..., Setup], capsys: pytest.CaptureFixture[str]) -> None:
    setup({"search.space.beta1": {"low": 0.0, "high": 0.6, "log": False}})
    assert [notes.first for _, notes in search.first_runs(reading.load())] == ["test4", "test3"]
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2 and all(f"search: {name} " in line for name, line in zip(("test1", "test2"), lines))


@pytest.mark.parametrize("change", [
    {"search.space.leak": 0.2}, {"search.rungs": [200, 400]}, {"runs.test4.lr": 3e-4}, {"search.validation": 200},
    {"search.equal": "updates"}, {"search.sampler": "random"}, {"search.pruner": "median"}, {"search.against": "test1"},
    {"train.fid_images": 300}, {"train.batch_norm": "running"}, {"search.objectives": ["fid", "probe"]},
    {"reference.seed": 7}, {"search.seed": 7}])
def test_other_conditions_are_another_study(project: Callable[..., Path], change: dict[str, Any]) -> None:
    folder = project()
    dataset = images.load(folder / "data/arrays/digits")
    before = conditions_of(reading.load(), dataset, FP32)
    project({"search.n_trials": 99, "search.hours": 2.0, "train.epochs": 7, "search.seeds": 9, "search.candidates": 9,
             "reference.classifiers": 3, "search.storage": "postgresql+psycopg://u:s3cret@host/db",
             "train.checkpoint_seconds": 100.0})
    assert conditions_of(reading.load(), dataset, FP32) == before
    for other in (replace(FP32, dtype=torch.bfloat16), replace(FP32, fast=False)):
        assert conditions_of(reading.load(), dataset, other) != before
    project(change)
    after = conditions_of(reading.load(), dataset, FP32)
    assert after != before and "s3cret" not in json.dumps(after)


@pytest.mark.parametrize(("change", "expected"), [
    ({"search.validation": 1200}, "search.validation = 1200: leaves 237 of 1437 training images; search.probe_images, "
     "reference.batch and the largest batch need 300"),
    ({"search.space.batch": [64, 1400]}, "need 1400"), ({"reference.batch": 1200}, "need 1200"),
    ({"search.storage": "postgresql+psycopg://u:s3cret@127.0.0.1:9/db"}, "u:***@127.0.0.1:9/db: does not answer"),
    ({"search.space.network": ["slides", "slide"]}, "search.space with network slide: no network 'slide'"),
    ({"search.space.network": ["slides", "torch-64"]}, "generates images of 3 channels; digits has 1"),
    ({"search.space.violate": [[], ["nonsense"]]}, "search.space with violate nonsense: "),
    ({"search.against": "test2", "search.space.beta1": {"low": 0.0, "high": 0.6}},
     "search.against = 'test2': lies outside search.space"),
])
def test_what_cannot_be_searched_is_one_line(
        project: Callable[..., Path], change: dict[str, Any], expected: str) -> None:
    folder = project(change)
    result = stage("search")
    assert result.returncode == 1 and result.stdout == "" and result.stderr.count("\n") == 1
    assert expected in result.stderr and "s3cret" not in result.stderr
    assert not (folder / "reports/search").exists()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # MLflow's own dependencies
def test_mlflow_and_the_dashboard_have_every_trial_and_lead_to_each_other(
        project: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    folder = project({"search.n_trials": 5, "search.candidates": 1})
    monkeypatch.delenv("DCGAN_TRACKING")
    monkeypatch.setattr(background, "FLUSH_SECONDS", 0.1)
    search.search()
    client = mlflow.MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("dcgan search")
    assert experiment is not None
    runs = {run.info.run_id: run for run in client.search_runs([experiment.experiment_id])}
    parent, = [run for run in runs.values() if "study" in run.data.tags]
    children = [run for run in runs.values() if run.data.tags.get("mlflow.parentRunId") == parent.info.run_id]
    found = all_studies(folder)
    assert len(children) == len(runs) - 1 == len(found["main"].trials) + len(found["seeds"].trials)
    assert {path.path for path in client.list_artifacts(parent.info.run_id)} >= {
        "history.png", "importances.png", "slices.png", "seeds.png", "best.yaml"}
    for name, study in found.items():
        for trial in study.trials:
            run = runs[trial.user_attrs["mlflow_run"]]
            assert run.data.tags["optuna.study"] == study.study_name
            assert run.data.tags["optuna.trial"] == str(trial.number)
            assert run.data.tags["optuna.state"] == trial.state.name and run.info.status == "FINISHED"
            assert ("optuna.pruned_at" in run.data.tags) == (trial.state == TrialState.PRUNED)
            assert float(run.data.params["lr"]) == float(f"{trial.params['lr']:.3g}")
            curve = client.get_metric_history(run.info.run_id, "curves/fid_classifier_200")
            end = 400 if name == "main" else 1137
            assert end in {point.step for point in curve} or trial.state == TrialState.PRUNED
            assert curve and client.list_artifacts(run.info.run_id, "images")
    storage = storages.open_storage(None, folder).backend  # where the dashboard keeps its notes
    notes = json.dumps(storage.get_study_system_attrs(storage.get_study_id_from_name(found["main"].study_name)))
    assert notes.count("MLflow run") == len(found["main"].trials) == notes.count("![samples]")
    assert len(list((folder / "optuna_artifacts").iterdir())) == len(runs) - 1
