"""The report: figures from files, and words that claim no more than the figures show."""
import json
import math
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from pipeline import report
from pipeline.report import Result
from pipeline.sections import Run
from tests.conftest import Params

CONTROLS = {"classifier_accuracy_test": 0.9931, "fid_classifier_10k_of_test_images": 0.95, "test_images": 10_000,
            "precision_classifier_10k_of_test_images": 0.71, "probe_accuracy_test_of_pixels": 0.9177,
            "probe_C_of_pixels": 0.01, "probe_accuracy_1000_labels_of_pixels": 0.8234,
            "probe_accuracy_1000_labels_interval_of_pixels": 0.0161}
SCORES = {"fid_classifier_10k_std": 0.42, "precision_classifier_10k": 0.61237, "precision_classifier_10k_std": 0.0031,
          "near_copies_pixels_2k": 0.02, "near_copies_pixels_2k_std": 0.0, "probe_accuracy_test": 0.97,
          "probe_accuracy_test_of_untrained_D": 0.96, "probe_accuracy_1000_labels": 0.9,
          "probe_accuracy_1000_labels_interval": 0.0123, "probe_accuracy_1000_labels_of_untrained_D": 0.89,
          "probe_accuracy_1000_labels_interval_of_untrained_D": 0.02, "accuracy_test_of_supervised_CNN": 0.95,
          "accuracy_1000_labels_of_supervised_CNN": 0.85, "images_seen": 200, "probe_images": 600, "seeds": 2,
          "neighbours": 5, "real_images": 10_000}


def result(fid: float, probe: float, curve: list[float], **run: Any) -> Result:
    parameters = Run(**({"batch": 100, "lr": 2e-4, "beta1": 0.5, "leak": 0.2} | run))
    scores = {"fid_classifier_10k": fid, "probe_accuracy_test": probe}
    return Result("a", parameters, scores, pd.DataFrame(),
                  pd.DataFrame({"images_seen": range(len(curve)), "fid_classifier_5k": curve}), pd.DataFrame())


def change(before: Result, after: Result) -> dict[str, Any]:
    return report.change(before, after, "fid_classifier_10k", 10_000)


def test_a_change_names_what_was_changed() -> None:
    found = change(result(9, 0.9, [1, 1], beta1=0.9), result(9, 0.9, [1, 1]))
    assert found["changed"] == "beta1 0.9 → 0.5"


@pytest.mark.parametrize(("before", "after", "seen"), [
    ((100, [300, 150, 100]), (30, [90, 40, 30]), True),    # ×3.3 against swings of ×1.5 and ×1.3
    ((30, [90, 40, 30]), (100, [300, 150, 100]), True),    # worse is seen as well
    ((100, [300, 150, 100]), (70, [90, 140, 70]), False),  # ×1.4 against a swing of ×2
    ((100, [900, 95, 130, 100]), (80, [80, 80, 80, 80]), False),  # ×1.25 against ×1.37 one point before the end
    ((100, [900, 100, 100, 100]), (80, [80, 80, 80, 80]), True),  # how a curve begins does not matter
    ((100, [100]), (1, [1]), False),                       # one point says nothing of the swing
])
def test_a_distance_counts_only_beyond_the_swing_of_the_curves(before: Any, after: Any, seen: bool) -> None:
    found = change(result(before[0], 0.9, before[1]), result(after[0], 0.9, after[1]))
    assert found["fid_seen"] is seen


def test_a_probe_difference_counts_only_beyond_the_sampling_error() -> None:
    """At 98 % of 10,000 images one difference has a standard error of 0.198 points: 0.388 at 95 %."""
    found = change(result(9, 0.980, [1, 1]), result(9, 0.9835, [1, 1]))
    assert found["probe_error"] == pytest.approx(1.96 * math.sqrt(2 * 0.98175 * 0.01825 / 10_000))
    assert not found["probe_seen"] and change(result(9, 0.98, [1, 1]), result(9, 0.985, [1, 1]))["probe_seen"]


@pytest.fixture
def study(tmp_path: Path, params: Params) -> Path:
    """The reports of the other stages, made up."""
    runs = {"test1": {"batch": 256, "lr": 1e-4, "beta1": 0.9, "leak": 0.3},
            "test2": {"batch": 100, "lr": 2e-4, "beta1": 0.9, "leak": 0.3},
            "test3": {"batch": 100, "lr": 2e-4, "beta1": 0.5, "leak": 0.3},
            "test4": {"batch": 100, "lr": 2e-4, "beta1": 0.5, "leak": 0.2}}
    params({"evaluate.fid_images": 10_000, "train.fid_images": 5_000, "runs": runs})
    reports = tmp_path / "reports"
    for i in (1, 2, 3, 4):
        training, evaluation = reports / "train" / f"test{i}", reports / "evaluate" / f"test{i}"
        training.mkdir(parents=True)
        evaluation.mkdir(parents=True)
        pd.DataFrame({"images_seen": [100, 200], "loss_D": [1.0, 1.1], "loss_G": [1, 2]}).to_csv(
            training / "losses.csv", index=False)
        pd.DataFrame({"images_seen": [100, 200], "fid_classifier_5k": [200, 150 / i]}).to_csv(
            training / "fid.csv", index=False)
        scores = {"fid_classifier_10k": 120.5 / i} | SCORES
        (evaluation / "metrics.json").write_text(json.dumps(scores))
        pd.DataFrame({"class": [0, 1], "real": [0.5, 0.5], "generated": [1.0, 0.0]}).to_csv(evaluation / "classes.csv")
        for picture in ("samples", "closest"):
            (evaluation / f"{picture}.png").write_bytes(b"")
    (reports / "reference").mkdir()
    (reports / "reference" / "metrics.json").write_text(json.dumps(CONTROLS))
    return reports


def write(study: Path, page: str = "report.md", pictures: str = "report") -> bytes:
    report.report(study / "reference", study / "train", study / "evaluate", study / page, study / pictures)
    return (study / page).read_bytes()


def test_the_page_holds_the_figures_and_every_picture_it_names(study: Path) -> None:
    page = write(study).decode()
    assert "**test4** has the smallest Fréchet distance, 30.1 ± 0.4, after 200 images;\n10,000 real test" in page
    assert "| test2 | 100 | 0.0002 | 0.9 | 0.3 | 60.2 ± 0.4 | 97.00 ± 0.17 % | 96.00 ± 0.20 % |" in page
    assert "| `precision_classifier_10k` ↑ | 61.2 ± 0.3 % | 61.2 ± 0.3 % | 61.2 ± 0.3 % | 61.2 ± 0.3 % | 71 % |" in page
    assert "| D of test1 | 97.00 ± 0.17 % | 90.0 ± 1.2 % |" in page
    assert "batch 256 → 100, lr 0.0001 → 0.0002" in page and "one seed" in page
    assert "{{" not in page and "nan" not in page
    pictures = re.findall(r"!\[[^]]+\]\(([^)]+)\)", page)
    assert len(pictures) == 11 and all((study / picture).exists() for picture in pictures)


def test_the_same_files_give_the_same_page_and_pictures(study: Path) -> None:
    def written() -> list[bytes]:
        return [write(study), *(path.read_bytes() for path in sorted((study / "report").iterdir()))]

    first = written()
    assert len(first) == 4 and written() == first
