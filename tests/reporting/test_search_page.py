"""What a search leaves behind: files that are a function of its trials, and a page that claims what they show."""
import json
import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from ruamel.yaml import YAML

from pipeline.params import reading
from pipeline.params.searching import Range, Space
from pipeline.params.study import Study as Section
from pipeline.reporting import search_page, search_results
from pipeline.tuning import analysis
from pipeline.tuning.analysis import PROBE
from tests.conftest import ROOT

FID = "fid_classifier_5k"
NAME = "slides on mnist, 5k-45k images (01234567)"
NAMES = ("test1", "test2", "test3", "test4")


@pytest.fixture
def section() -> Section:
    return reading.load(ROOT / "params.yaml")


@pytest.fixture(autouse=True)
def few_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    """Intervals of importances are not what is tested here."""
    monkeypatch.setattr(analysis, "DRAWS", 5)


def trials() -> pd.DataFrame:
    """Ten trials: the slides' four, three complete, two ended early, one failed."""
    rows = []
    for place in range(10):
        state = "PRUNED" if place in (5, 7) else "FAIL" if place == 9 else "COMPLETE"
        scored, whole = state != "FAIL", state == "COMPLETE"
        rows.append({"trial": place, "first": NAMES[place] if place < 4 else "", "state": state,
                     "batch": (256, 100, 100, 100, 32, 64, 128, 512, 32, 64)[place], "lr": 1e-4 * (1 + place),
                     "beta1": 0.9 - 0.08 * place, "leak": 0.3 - 0.02 * place,
                     FID: 900.0 - 80 * place if scored else None,
                     PROBE: 0.95 + 0.002 * place if scored else None,
                     "images_seen": 45_000 if whole else 15_000, "reason": "" if scored else "DivergedError: lower lr",
                     f"{FID}_at_15000": 950.0 - 80 * place if scored else None,
                     f"{FID}_at_45000": 900.0 - 80 * place if whole else None})
    return pd.DataFrame(rows).astype({key: float for key in (FID, PROBE, f"{FID}_at_15000", f"{FID}_at_45000")})


def repeats(scores: dict[int, list[float]], against: int | None = 3) -> pd.DataFrame:
    return pd.DataFrame([{"candidate": place, "seed": seed + 1, "against": int(place == against), FID: value,
                          PROBE: 0.96, "images_seen": 100_000, f"{FID}_at_45000": value + 100}
                         for place, values in scores.items() for seed, value in enumerate(values)])


USUAL = {8: [260.0, 280.0, 270.0], 6: [420.0, 430.0, 425.0], 3: [650.0, 660.0, 670.0]}


def write(folder: Path, section: Section, scores: dict[int, list[float]] = USUAL, against: int | None = 3) -> str:
    search_page.write(folder, section, NAME, FID, trials(), repeats(scores, against))
    return (folder / "report.md").read_text()


def best(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = YAML(typ="safe").load((folder / "best.yaml").read_text())
    return found


def test_the_page_says_who_won_and_by_how_much(section: Section, tmp_path: Path) -> None:
    page = write(tmp_path / "search", section)
    assert "**Trial 8 beats test4.** **Trial 8** (batch 32, lr 0.0009, beta1 0.26, leak 0.14) has" in page
    assert "of 270 ± 10 after 100,000 images, over 3 further seeds: " in page
    # ln(260/650), ln(280/660), ln(270/670) have the mean -0.8942 and the deviation 0.0314; t(2) = 4.303
    assert "0.41 (95 % interval 0.38 to 0.44) times that of test4, 660 ± 10." in page
    assert "| trial 8 | 32 |" in page and "| test1 | 256 | 0.0001 | 0.9 | 0.3 | 900.0 | 95.00 % |" in page
    assert "7 complete, 2 pruned, 1 failed" in page and "DivergedError: lower lr" in page
    # 2 of 9 trials that did not fail saved two thirds of their budget
    assert "saved 15 % of the images" in page
    assert "nan" not in page.lower().replace("candida", "") and "{{" not in page


def test_the_page_says_how_far_the_rungs_rank_alike(section: Section, tmp_path: Path) -> None:
    page = write(tmp_path / "search", section)
    assert "| 15,000 images | 45,000 images | 7 trials | 1.00 |" in page
    assert "| 45,000 images | 100,000 images, the study's length | 9 trainings of the candidates | 1.00 |" in page


def test_there_are_no_verdicts_on_the_literature(section: Section, tmp_path: Path) -> None:
    assert "survive" not in write(tmp_path / "search", section)


@pytest.mark.parametrize(("n_trials", "hours", "expected"), [
    (10, None, "ended after `n_trials: 10`"), (10, 2.0, "ended after `n_trials: 10`"),
    (40, 2.0, "ended by time, after `hours: 2.0`, with 10 of 40 trials")])
def test_the_page_says_what_ended_the_search(
        section: Section, tmp_path: Path, n_trials: int, hours: float | None, expected: str) -> None:
    changed = replace(section, search=replace(section.search, n_trials=n_trials, hours=hours))
    assert expected in write(tmp_path / "search", changed)


def test_every_picture_is_there_and_named_once(section: Section, tmp_path: Path) -> None:
    page = write(tmp_path / "search", section)
    pictures = re.findall(r"!\[[^]]+\]\(([^)]+)\)", page)
    assert sorted(pictures) == sorted(path.name for path in (tmp_path / "search").glob("*.png"))
    assert len(pictures) == len(set(pictures)) == 4


def test_the_same_trials_give_the_same_bytes(section: Section, tmp_path: Path) -> None:
    for name in ("a", "b"):
        write(tmp_path / name, section)
    files = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert len(files) == 9
    for name in files:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes(), name


def test_a_worker_that_ends_second_leaves_the_files_alone(section: Section, tmp_path: Path) -> None:
    write(tmp_path / "search", section)
    before = (tmp_path / "search").stat().st_ino, (tmp_path / "search/history.png").stat().st_mtime_ns
    write(tmp_path / "search", section)
    assert ((tmp_path / "search").stat().st_ino, (tmp_path / "search/history.png").stat().st_mtime_ns) == before


def test_the_winner_is_exact_and_the_scores_have_six_digits(section: Section, tmp_path: Path) -> None:
    write(tmp_path / "search", section, USUAL | {8: [260.123456789, 280.0, 270.0]})
    found = best(tmp_path / "search")
    assert found["run"] == {"batch": 32, "lr": 1e-4 * 9, "beta1": 0.9 - 0.08 * 8, "leak": 0.3 - 0.02 * 8}
    assert found["trial"] == 8 and found["scores"] == {FID: [260.123, 280.0, 270.0], "seeds": [1, 2, 3]}
    assert found["against"] == "test4" and found["beats"] is True and found["images"] == 100_000
    assert found["ln_ratio"]["low"] < found["ln_ratio"]["ln"] < found["ln_ratio"]["high"] < 0
    table = pd.read_csv(tmp_path / "search/trials.csv", keep_default_na=False)
    assert table["lr"].tolist() == [1e-4 * (1 + place) for place in range(10)] and table[FID].iloc[9] == ""


@pytest.mark.parametrize(("scores", "why"), [
    ({8: [300.0, 320.0, 310.0], 3: [200.0, 210.0, 205.0]}, "it is worse."),
    ({8: [300.0, 600.0, 310.0], 3: [400.0, 410.0, 405.0]}, "it may be as good or worse."),
    ({8: [300.0], 3: [400.0]}, "it may be as good or worse.")])
def test_where_nothing_beats_the_known_run_the_page_and_best_yaml_say_so(
        section: Section, tmp_path: Path, scores: dict[int, list[float]], why: str) -> None:
    page = write(tmp_path / "search", section, scores)
    assert "**Nothing beats test4.** **Trial 8** (" in page and why in page and "nan" not in page.replace("nal", "")
    found = best(tmp_path / "search")
    assert found["beats"] is False and found["trial"] == 8


def test_a_known_run_that_failed_with_every_seed_is_beaten_and_divides_nothing(
        section: Section, tmp_path: Path) -> None:
    page = write(tmp_path / "search", section, {8: [300.0, 320.0], 3: [math.nan, math.nan]})
    assert "test4 failed with every seed" in page and best(tmp_path / "search")["beats"] is True
    assert "ln_ratio" not in best(tmp_path / "search")
    page = write(tmp_path / "other", section, {8: [300.0, math.nan], 3: [math.nan, 400.0]})
    assert "**Nothing beats test4**: no seed trained both" in page and best(tmp_path / "other")["beats"] is False


def test_without_a_known_run_the_best_candidate_wins(section: Section, tmp_path: Path) -> None:
    page = write(tmp_path / "search", section, {8: [300.0, 320.0], 6: [400.0, 410.0]}, against=None)
    assert "There was no run to beat." in page and best(tmp_path / "search")["against"] is None
    assert best(tmp_path / "search")["beats"] is True


def test_a_candidate_that_failed_with_a_seed_does_not_win(section: Section, tmp_path: Path) -> None:
    page = write(tmp_path / "search", section, {8: [100.0, math.nan], 6: [400.0, 410.0], 3: [600.0, 610.0]})
    assert "**Trial 6** (" in page and "100.0, 1 failed" in page


def test_two_objectives_show_their_front(section: Section, tmp_path: Path) -> None:
    two = replace(section, search=replace(section.search, objectives=["fid", "probe"]))
    page = write(tmp_path / "search", two)
    assert "### The Pareto front" in page and (tmp_path / "search/front.png").exists()
    front = page.split("### The Pareto front")[1].split("![")[0]
    assert front.count("\n| ") == 2 and "| trial 8 |" in front  # the head, and one trial: it is best in both


def test_what_else_was_searched_is_in_the_tables_and_in_the_winner(section: Section, tmp_path: Path) -> None:
    knobs: Space = {"d_steps": [1, 2], "ema": Range(low=0.0, high=0.999), "flip": [False, True],
                    "violate": [[], ["sigmoid", "sgd"]], "lr_D": [None, 1e-3], "network": ["slides", "torch-64"]}
    wide = replace(section, search=replace(section.search, space=section.search.space | knobs))
    table = trials().assign(d_steps=[1, 2] * 5, ema=[0.1 * place for place in range(10)], flip=[True, False] * 5,
                            violate=["sigmoid+sgd", "none"] * 5, lr_D=[None, 1e-3] * 5, network=["slides"] * 10)
    table.loc[5, "reason"] = "collapsed at 7,500 images: D is sure"
    search_page.write(tmp_path / "search", wide, NAME, FID, table, repeats(USUAL))
    page = (tmp_path / "search/report.md").read_text()
    assert "| run | batch | lr | beta1 | leak | network | violate | lr_D | d_steps | flip | ema |" in page
    assert "| trial 8 | 32 | 0.0009 | 0.26 | 0.14 | slides | sigmoid+sgd |  | 1 | True | 0.8 |" in page
    assert "pruned: collapsed at 7,500 images" in page and "Trials failed with: DivergedError: lower lr." in page
    run = best(tmp_path / "search")["run"]
    assert list(run) == ["network", "violate", "batch", "lr", "beta1", "leak", "d_steps", "flip", "ema"]
    assert run["d_steps"] == 1 and type(run["d_steps"]) is int and run["ema"] == 0.8 and run["flip"] is True
    assert run["violate"] == ["sigmoid", "sgd"]
    scores = json.loads((tmp_path / "search/scores.json").read_text())
    assert {"importance_of_d_steps", "importance_of_ema", "importance_of_violate"} <= set(scores)
    found = search_results.read(tmp_path / "search")
    assert found is not None and search_results.candidates(found).rows == search_results.candidates(
        search_results.SearchOutcome(table, repeats(USUAL), FID)).rows  # as the report reads it


def test_the_length_itself_is_no_rung_to_rank_by() -> None:
    at_the_end = repeats(USUAL).assign(**{f"{FID}_at_100000": lambda rows: rows[FID]})
    found = search_results.SearchOutcome(trials(), at_the_end, FID)
    table, *_ = search_results.agreement(found, "images")
    assert [row[0] for row in table.rows] == ["15,000 images", "45,000 images"]
