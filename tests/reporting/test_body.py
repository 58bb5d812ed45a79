"""The report: figures from files, words that claim no more than the figures show, and what is not there."""
import json
import re
from pathlib import Path

import pytest

from pipeline.errors import InputError
from pipeline.reporting import headlines, other_studies, search_results
from tests.conftest import ROOT, Params
from tests.reporting import made_up


@pytest.fixture
def reports(tmp_path: Path, params: Params) -> Path:
    return made_up.study(tmp_path, params)


def test_the_page_holds_the_figures_and_every_picture_it_names(reports: Path) -> None:
    made_up.everything(reports)
    page, _ = made_up.reported(reports)
    assert "**test4** comes nearest" in page and "30.1 ± 0.4" in page and "40.2 ± 0.4" in page
    # 60.25 of the mean image's 250, and of the 0.95 of real test images
    assert "| test2 | 100 | 0.0002 | 0.9 | 0.3 | 24.10 ± 0.17 % | 63.42 | 60.2 ± 0.4 | 97.00 ± 0.17 % |" in page
    assert "| *real test images* |  |  |  |  | 0.38 % | 1 | 0.95 |  |  |" in page
    assert "| `precision_classifier_10k` ↑ | **61.2 ± 0.3 %** |" in page and "| 71 % |" in page
    assert "| test1 | 97.00 ± 0.17 % | 96.00 ± 0.20 % | 90.0 ± 1.2 % | 89 ± 2 % |" in page
    assert "| *supervised CNN* | 95.0 ± 0.2 % |  | 85.0 ± 0.4 % |  |" in page  # once, not for each run
    assert "| test3 | 75 % | 62.5 % |" in page and "| `checkerboard_pixels_10k` → 1 | 1.5 |" in page
    assert "| `fid_inception_10k` ↓ | not computed: no weights |" in page
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
    assert ("**Trial 1 beats test1.** **Trial 1** (batch 64, lr 0.001, beta1 0.5, leak 0.2) has a `fid_classifier_5k` "
            "of 52 ± 3 after 800 images") in page
    assert "| trial 2 | 32 | 0.01 | 0.5 | 0.2 | 200.0 | 80.00 % | 200 | pruned |" in page
    assert "| slides-mnist | mnist | 1 | 2.90 ± 0.17 % | 7.2 ± 0.4 | 0.95 | 61 % | 25 % | 97.0 % |" in page
    assert "| 97.0 % | 96.0 % | 95.0 % | 91.8 % |" in page  # the probe and its controls
    assert "| a&b | mnist | 1 | 5.00 ± 0.17 % | 12.5 ± 0.4 |  |" in page
    assert "broken: " in page and "line 1" in page  # a study that cannot be read
    assert "| a&b: from-there | 200 images | 97.0 % | 96.0 % |  |  |" in page
    assert "| `length` | 0.1235 | 0.1235 | 0.1235 |" in page and "there was <nothing> to add" in page
    assert "`dvc repro internals@test4`" in page and "internals/test1/pictures/lost.png is not there" in page
    assert "| `cccccccccccccccc` | `eeeeeeeeeeeeeeee` | *not recorded* | `dddddddddddddddd` | A GPU, bfloat16" in page
    assert "Somebody (CC0), 1,500" in page
    assert "| torch | 2.9.1, 2.14.1 (test4 seed 0) |" in page and "| numpy | 2.4.6 |" in page  # as installed


def test_with_several_seeds_there_are_means_intervals_and_every_training(tmp_path: Path, params: Params) -> None:
    reports = made_up.study(tmp_path, params, [0, 1, 2])
    page, _ = made_up.reported(reports)
    # 30.125, 31.125 and 32.125: mean 31.125, half-width 4.303 / sqrt(3) = 2.48; of 250 that is 12.45 and 0.99 %
    assert "| test4 | 100 | 0.0002 | 0.5 | 0.2 | 12.4 ± 1.0 % | 33 ± 3 | 31 ± 2 |" in page
    assert "| test4 | 2 | 12.85 % | 32.12 | 97 % |" in page and "12.4 ± 1.0 % (± over 3 trainings)" in page
    assert "3 pairs of seeds" in page and "3 seeds (0, 1, 2)" in page
    metrics = json.loads((reports / "metrics.json").read_text())["test4"]
    assert metrics["fid_classifier_10k"] == pytest.approx(31.125) and metrics["trainings"] == 3
    assert metrics["fid_classifier_10k_interval"] == pytest.approx(2.484, abs=1e-3)


def test_before_all_are_scored_the_page_shows_what_is_there(
        tmp_path: Path, params: Params, monkeypatch: pytest.MonkeyPatch) -> None:
    """What others left of an earlier study is not taken for it."""
    reports = made_up.study(tmp_path, params, [0, 1])
    (reports / "evaluate/test2/seed0/scores.json").write_text("{}")
    monkeypatch.setenv("DCGAN_SO_FAR", "test1-0,test4-0,test1-1")
    page, _ = made_up.reported(reports)
    assert "Still to come: test2 seed 0, test2 seed 1, test3 seed 0, test3 seed 1, test4 seed 1." in page
    assert "| test1 | 256 |" in page and "| test4 | 100 |" in page and "| test2 |" not in page
    assert "means over 2 trainings, or fewer" in page
    monkeypatch.setenv("DCGAN_SO_FAR", "test5-0")
    with pytest.raises(InputError, match="DCGAN_SO_FAR = 'test5-0': expected trainings of params.yaml, like test1-0"):
        made_up.reported(reports)


def test_one_seed_gives_numbers_and_no_verdict(reports: Path) -> None:
    page, _ = made_up.reported(reports)
    assert "48.2 % → 24.1 %" not in page.split("## The runs")[0] and page.count(headlines.UNDECIDED) == 1
    effects = page.split("What each change did")[1].split("## ")[0]
    assert "48.20 % → 24.10 %, ×0.50." in effects and "difference" not in effects and "pairs of seeds" not in effects


def test_collapses_and_further_generators_are_shown(reports: Path) -> None:
    page, text = made_up.reported(reports)
    assert "at 100 images (D is sure), recovered at 200." in page
    assert "at 150 images (the variance is 4 % of the largest), not recovered." in page
    assert "| test1 | test2 | test3 (collapse) | test4 |" in page and text.count(">collapse</span>") == 1
    assert "| test4 | average of G's weights | 11.4 % | 28.5 | 66 % |  |" in page
    assert "| test4 | best of the curve, after 100 images | 11.8 % | 29.5 |  |  |" in page
    assert "| test1 | G at the end |" not in page  # it has no other


def test_a_study_of_few_test_images_names_their_count(reports: Path) -> None:
    """A thousand test images: their distance stands beside one of as many samples, and so does the multiple."""
    controls = {key: value for key, value in made_up.CONTROLS.items() if not key.startswith("fid_")} | {
        "test_images": 1000, "fid_classifier_1k_of_test_images": 4.0,
        "fid_classifier_1k_relative_of_test_images": 0.016}
    made_up.write(reports / "controls/scores.json", controls)
    for path in (reports / "evaluate").glob("*/*/scores.json"):
        scores = json.loads(path.read_text())
        del scores["fid_classifier_10k_floors"]
        made_up.write(path, scores | {"fid_classifier_1k": 50.0, "fid_classifier_1k_relative": 0.2,
                                      "fid_classifier_1k_floors": 12.5})
    page, _ = made_up.reported(reports)
    assert "| test2 | 100 | 0.0002 | 0.9 | 0.3 | 24.10 ± 0.17 % | 12.5 | 60.2 ± 0.4 |" in page
    assert "| *real test images* |  |  |  |  | 1.6 % (1k images) | 1 | 4 (1k images) |  |  |" in page
    assert "| `fid_classifier_1k_relative` ↓ | **20 %** |" in page


def test_studies_scored_under_older_names_are_shown(tmp_path: Path) -> None:
    """Names and places of October 2026: the control in reports/reference, `test` for the count of labels, no events."""
    home = tmp_path / "studies/slides-mnist"
    place = "test4/seed0"
    made_up.trained(home / "reports/train" / place, [9.0, 8.0])
    for name in ("variance", "events"):
        (home / "reports/train" / place / f"{name}.csv").unlink()
    made_up.scored(home / "reports/evaluate" / place, {
        "fid_classifier_10k": 89.2, "fid_classifier_10k_std": 0.86, "probe_accuracy_test": 0.974, "images_seen": 9,
        "probe_accuracy_1000_labels": 0.94, "probe_accuracy_test_of_untrained_D": 0.968,
        "accuracy_test_of_supervised_CNN": 0.9769})
    made_up.write(home / "reports/reference/scores.json", {
        "fid_classifier_10k_of_test_images": 0.7459, "probe_accuracy_test_of_pixels": 0.9047})
    (home / "params.yaml").write_text((ROOT / "studies/slides-mnist/params.yaml").read_text())
    scored, problems = other_studies.read(tmp_path / "studies")
    row, = other_studies.table(scored).rows
    assert not problems and row[3:] == [
        "", "89.2 ± 0.9", "0.7459", "", "", "97.4 %", "96.8 %", "97.7 %", "90.5 %"]


def test_the_chief_metrics_of_one_seed_are_two_numbers_a_run(reports: Path) -> None:
    made_up.reported(reports)
    metrics = json.loads((reports / "metrics.json").read_text())
    assert metrics["test2"] == {"fid_classifier_10k": 60.25, "probe_accuracy_10000_labels": 0.97} and len(metrics) == 4


def test_all_curves_are_in_one_table(reports: Path) -> None:
    made_up.reported(reports)
    lines = (reports / "report/curves.csv").read_text().splitlines()
    assert lines[0] == ("run,seed,images_seen,loss_D,loss_G,fid_classifier_5k,fid_classifier_5k_of_ema,"
                        "variance_classifier_5k") and len(lines) == 1 + 4 * 2
    assert lines[1] == "test1,0,100,1,1,200,190,0.5"


def test_what_is_not_there_is_said_not_to_be_there(reports: Path) -> None:
    page, _ = made_up.reported(reports)
    for words in ("No search has been reported yet", "No other study has been scored yet",
                  "Not looked into yet: test1, test2, test3, test4", "meta.json is not here", "*not recorded*"):
        assert words in page


def test_the_search_page_and_the_report_name_one_winner(reports: Path) -> None:
    """Trial 1 has the smaller mean, but failed with a seed: it does not win, wherever one reads."""
    made_up.search(reports / "search", failed=True)
    found = search_results.read(reports / "search")
    assert found is not None and not found.beats and found.means["candidate"].tolist() == [0, 1]
    page, _ = made_up.reported(reports)
    assert "**Nothing beats test1.**" in page and "50.0, 1 failed" in page and "failed with a seed" in page


def test_the_same_files_give_the_same_pages_and_pictures(reports: Path) -> None:
    made_up.everything(reports)

    def written() -> list[str | bytes]:
        return [*made_up.reported(reports), *(path.read_bytes() for path in sorted((reports / "report").iterdir()))]

    first = written()
    assert len(first) == 7 and written() == first
