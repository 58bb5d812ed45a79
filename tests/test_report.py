"""The report: figures from files, and words that claim no more than the figures show."""
import math
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from pipeline.reporting import results
from pipeline.reporting.results import Result
from pipeline.sections import Run
from tests import made_up
from tests.conftest import Params


def result(fid: float, probe: float, curve: list[float], **run: Any) -> Result:
    parameters = Run(**({"batch": 100, "lr": 2e-4, "beta1": 0.5, "leak": 0.2} | run))
    scores = {"fid_classifier_10k": fid, "probe_accuracy_test": probe}
    return Result("a", parameters, scores, pd.DataFrame(),
                  pd.DataFrame({"images_seen": range(len(curve)), "fid_classifier_5k": curve}), pd.DataFrame(),
                  Path())


def change(before: Result, after: Result) -> dict[str, Any]:
    return results.change(before, after, "fid_classifier_10k", 10_000)


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
def reports(tmp_path: Path, params: Params) -> Path:
    return made_up.study(tmp_path, params)


def test_the_page_holds_the_figures_and_every_picture_it_names(reports: Path) -> None:
    made_up.everything(reports)
    page, _ = made_up.reported(reports)
    assert "**test4** comes nearest to the training images: Fréchet distance 30.1 ± 0.4, and 40.2 ± 0.4 for" in page
    assert "| test2 | 100 | 0.0002 | 0.9 | 0.3 | 60.2 ± 0.4 | 97.00 ± 0.17 % | 96.00 ± 0.20 % |" in page
    assert "| `precision_classifier_10k` ↑ | **61.2 ± 0.3 %** |" in page and "| 71 % |" in page
    assert "| test1 | 97.00 ± 0.17 % | 96.00 ± 0.20 % | 95.0 ± 0.2 % | 90.0 ± 1.2 % |" in page
    assert "batch 256 → 100, lr 0.0001 → 0.0002" in page and "with one seed" in page
    assert "**test4** may copy" not in page and "**test1** may copy: 2.0 % of its samples" in page
    assert "{{" not in page and "nan" not in page and "\n\n\n" not in page
    pictures = re.findall(r"!\[[^]]+\]\(([^)]+)\)", page)
    assert len(pictures) == 4 + 3 + 4 + 4 + 1 + 2 + 4 * 2
    assert all((reports / picture).exists() for picture in pictures)


def test_the_search_the_recipes_and_the_internals_are_told_where_they_are(reports: Path) -> None:
    made_up.everything(reports)
    page, _ = made_up.reported(reports)
    assert "**Trial 1** (batch 64, lr 0.001, beta1 0.5, leak 0.2) wins: its `fid_classifier_5k` is 53 ± 4" in page
    assert "test1, the best of the runs known before, has 82 ± 3." in page
    assert "| trial 2 | 32 | 0.01 | 0.5 | 0.2 | 200.0 | 80.00 % | 200 | ended early |" in page
    assert "| slides-mnist | mnist | 7.2 ± 0.4 | 0.95 | 61 % | 25 % | 97.0 % | 96.0 % | 95.0 % | 91.8 % |" in page
    assert "| a&b |  | 12.5 |  |" in page  # no recipe of params.yaml any more: its data is not known
    assert "| here-to-there | 200 | 97.0 % | 96.0 % | 95.0 % |  |" in page
    assert "| `length` | 0.1235 | 0.1235 | 0.1235 |" in page and "test1 has none of this: there was <nothing>" in page
    assert "Not looked into yet: test4. `dvc repro internals@test4` does." in page
    assert "Not looked into yet: slides-mnist." in page and "internals/test1/pictures/lost.png is not there" in page
    assert "length: of the <way>." in page
    assert "| `eeeeeeeeeeeeeeee` | *not recorded* | `dddddddddddddddd` | A GPU, bfloat16, threads: 3 |" in page
    assert "Somebody (CC0), 1,500" in page


def test_what_is_not_there_is_said_not_to_be_there(reports: Path) -> None:
    page, _ = made_up.reported(reports)
    for words in ("No search has been reported yet", "No system of the literature has been trained and scored yet",
                  "Not looked into yet: test1, test2, test3, test4", "meta.json is not here", "*not recorded*"):
        assert words in page


def test_the_same_files_give_the_same_pages_and_pictures(reports: Path) -> None:
    made_up.everything(reports)

    def written() -> list[str | bytes]:
        return [*made_up.reported(reports), *(path.read_bytes() for path in sorted((reports / "report").iterdir()))]

    first = written()
    assert len(first) == 5 and written() == first
