"""What MLflow shows of the committed results: few numbers, in sections, with columns that say which run is better."""
import base64
import json
import zlib
from pathlib import Path

import pytest

from pipeline import folders
from pipeline.tracking import names, views
from tests.conftest import ROOT


def numbers(path: Path) -> list[str]:
    """The names of the numbers that a stage reports; MLflow gets no words."""
    return [key for key, value in json.loads(path.read_text()).items() if isinstance(value, float)]


@pytest.mark.parametrize("study", [".", *sorted(path.parent.name for path in ROOT.glob("studies/*/reports"))])
def test_a_run_has_at_most_25_numbers_and_they_are_in_sections(study: str) -> None:
    reports = ROOT / ("." if study == "." else f"studies/{study}") / "reports"
    for scores in reports.glob("evaluate/*/*/scores.json"):
        run, seed = scores.parts[-3:-1]
        shown = {names.of_score(key) for key in numbers(scores)}
        internals = reports / "internals" / run / "scores.json"
        if internals.exists():
            shown |= {names.of_curve(key) for key in numbers(internals)}
        for curves in (reports / "train" / run / seed).glob("*.csv"):
            shown |= {names.of_curve(key) for key in curves.read_text().splitlines()[0].split(",")}
        shown.discard("")
        assert len(shown) <= 25 and {name.split("/")[0] for name in shown} <= {
            "curves", "scores", "probe", "internals"}
        assert {"curves/loss_D", "curves/loss_G"} <= shown and any(name.startswith("scores/fid_") for name in shown)


def test_only_curves_are_placed_by_images() -> None:
    assert names.of_curve("fid_classifier_5k_of_ema") == "curves/fid_classifier_5k_of_ema"
    assert names.of_score("fid_classifier_10k") == "scores/fid_classifier_10k"
    assert names.of_score("fid_classifier_10k_std") == names.of_curve("slant") == ""
    assert names.of_curve("probe_accuracy_validation") == "probe/accuracy_validation"
    assert names.is_curve("curves/loss_D") and not names.is_curve("probe/accuracy_validation")


def test_the_table_shows_distance_probe_and_the_four_parameters() -> None:
    knobs = ["params.`batch`", "params.`lr`", "params.`beta1`", "params.`leak`"]
    trained = {"scores/fid_classifier_10k", "scores/fid_classifier_10k_relative", "curves/fid_classifier_5k",
               "probe/accuracy_1000_labels", "probe/accuracy_10000_labels"}
    assert views.columns(trained) == ["metrics.`scores/fid_classifier_10k`", "metrics.`probe/accuracy_10000_labels`",
                                      *knobs]
    searched = {"curves/fid_classifier_5k", "curves/loss_D", "probe/accuracy_validation"}
    shown = views.columns(searched)
    assert shown == ["metrics.`curves/fid_classifier_5k`", "metrics.`probe/accuracy_validation`", *knobs]
    tag, value = views.view(searched)
    state = json.loads(zlib.decompress(base64.b64decode(value.removeprefix("deflate;"))))
    assert tag == "mlflow.sharedViewState.dcgan" and state["selectedColumns"] == shown
    assert [one["name"] for one in state["compareRunSections"]] == ["curves", "probe"]
    assert state["orderByKey"] == shown[0] and state["orderByAsc"]
    assert "viewStateShareKey=dcgan" in views.address("http://127.0.0.1:5000", "7", charts=False)


@pytest.mark.parametrize(("experiment", "report"), [
    ("dcgan", "reports/report.html"), ("dcgan search", "reports/search/report.md"),
    ("dcgan mine", "studies/mine/reports/report.html"), ("dcgan mine search", "studies/mine/reports/search/report.md"),
    ("dcgan slides-search", "studies/slides-search/reports/report.html"),
    ("dcgan slides-search search", "studies/slides-search/reports/search/report.md")])
def test_the_description_of_an_experiment_names_its_own_report(experiment: str, report: str) -> None:
    said = views.of_experiment(experiment)
    assert said.endswith(f"{folders.repository() / report}`")
    assert ("trial of the search" in said) == ("/search/" in report)
