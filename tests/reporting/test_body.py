"""The report: figures from files, words that claim no more than the figures show, and what is not there."""
import json
import re
from pathlib import Path

import pytest

from pipeline.reporting import search_results
from tests.conftest import Params
from tests.reporting import made_up


@pytest.fixture
def reports(tmp_path: Path, params: Params) -> Path:
    return made_up.study(tmp_path, params)


def test_the_page_holds_the_figures_and_every_picture_it_names(reports: Path) -> None:
    made_up.everything(reports)
    page, _ = made_up.reported(reports)
    assert "**test4** comes nearest" in page and "30.1 ± 0.4" in page and "40.2 ± 0.4" in page
    assert "| test2 | 100 | 0.0002 | 0.9 | 0.3 | 60.2 ± 0.4 | 97.00 ± 0.17 % | 96.00 ± 0.20 % |" in page
    assert "| `precision_classifier_10k` ↑ | **61.2 ± 0.3 %** |" in page and "| 71 % |" in page
    assert "| test1 | 97.00 ± 0.17 % | 96.00 ± 0.20 % | 95.0 ± 0.2 % | 90.0 ± 1.2 % |" in page
    assert "batch 256 → 100, lr 0.0001 → 0.0002" in page
    assert "**test1** may copy: 2.0 %" in page and "**test4** may copy" not in page
    assert "{{" not in page and "nan" not in page and "\n\n\n" not in page
    pictures = re.findall(r"!\[[^]]+\]\(([^)]+)\)", page)
    films = ["report/film-test4.webp"]
    assert len(pictures) == 4 + 3 + len(films) + 4 + 4 + 1 + 2 + 4 * 2 and set(films) <= set(pictures)
    assert all((reports / picture).exists() for picture in pictures)


def test_the_search_other_studies_and_internals_are_in_it(reports: Path) -> None:
    made_up.everything(reports)
    page, _ = made_up.reported(reports)
    assert "**Trial 1** (batch 64, lr 0.001, beta1 0.5, leak 0.2) wins: its `fid_classifier_5k` is 53 ± 4" in page
    assert "| trial 2 | 32 | 0.01 | 0.5 | 0.2 | 200.0 | 80.00 % | 200 | pruned |" in page
    assert "| slides-mnist | mnist | 1 | 7.2 ± 0.4 | 0.95 | 61 % | 25 % | 97.0 % | 96.0 % | 95.0 % | 91.8 % |" in page
    assert "| a&b | mnist | 1 | 12.5 ± 0.4 |  |" in page
    assert "broken: " in page and "line 1" in page  # a study that cannot be read
    assert "| a&b: from-there | 200 | 97.0 % | 96.0 % | 95.0 % |  |" in page
    assert "| `length` | 0.1235 | 0.1235 | 0.1235 |" in page and "there was <nothing> to add" in page
    assert "`dvc repro internals@test4`" in page and "internals/test1/pictures/lost.png is not there" in page
    assert "| `cccccccccccccccc` | `eeeeeeeeeeeeeeee` | *not recorded* | `dddddddddddddddd` | A GPU, bfloat16" in page
    assert "Somebody (CC0), 1,500" in page
    assert "| torch | 2.9.1, 2.14.1 (test4 seed 0) |" in page and "| numpy | 2.4.6 |" in page  # as installed


def test_with_several_seeds_there_are_means_intervals_and_every_training(tmp_path: Path, params: Params) -> None:
    reports = made_up.study(tmp_path, params, [0, 1, 2])
    page, _ = made_up.reported(reports)
    # 30.125, 31.125 and 32.125: mean 31.125, half-width 4.303 / sqrt(3) = 2.48
    assert "| test4 | 100 | 0.0002 | 0.5 | 0.2 | 31 ± 2 |" in page and "| test4 | 2 | 32.12 | 97 % |" in page
    assert "3 pairs of seeds" in page and "3 seeds (0, 1, 2)" in page
    metrics = json.loads((reports / "metrics.json").read_text())["test4"]
    assert metrics["fid_classifier_10k"] == pytest.approx(31.125) and metrics["trainings"] == 3
    assert metrics["fid_classifier_10k_interval"] == pytest.approx(2.484, abs=1e-3)


def test_the_chief_metrics_of_one_seed_are_two_numbers_a_run(reports: Path) -> None:
    made_up.reported(reports)
    metrics = json.loads((reports / "metrics.json").read_text())
    assert metrics["test2"] == {"fid_classifier_10k": 60.25, "probe_accuracy_test": 0.97} and len(metrics) == 4


def test_all_curves_are_in_one_table(reports: Path) -> None:
    made_up.reported(reports)
    lines = (reports / "report/curves.csv").read_text().splitlines()
    assert lines[0] == "run,seed,images_seen,loss_D,loss_G,fid_classifier_5k" and len(lines) == 1 + 4 * 2
    assert lines[1] == "test1,0,100,1,1,200"


def test_what_is_not_there_is_said_not_to_be_there(reports: Path) -> None:
    page, _ = made_up.reported(reports)
    for words in ("No search has been reported yet", "No other study has been scored yet",
                  "Not looked into yet: test1, test2, test3, test4", "meta.json is not here", "*not recorded*"):
        assert words in page


def test_the_search_page_and_the_report_name_one_winner(reports: Path) -> None:
    """Trial 1 has the smaller mean, but failed with a seed: it does not win, wherever one reads."""
    made_up.search(reports / "search", failed=True)
    found = search_results.read(reports / "search")
    assert found is not None and found.winner["first"] == "test1" and found.means["candidate"].tolist() == [0, 1]
    page, _ = made_up.reported(reports)
    assert "**test1** stays the best" in page and "50.0, 1 failed" in page


def test_the_same_files_give_the_same_pages_and_pictures(reports: Path) -> None:
    made_up.everything(reports)

    def written() -> list[str | bytes]:
        return [*made_up.reported(reports), *(path.read_bytes() for path in sorted((reports / "report").iterdir()))]

    first = written()
    assert len(first) == 7 and written() == first
