"""What a search leaves behind: files that are a function of its trials, and a page that claims what they show."""
import json
import math
import re
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from ruamel.yaml import YAML

from pipeline.params import reading
from pipeline.params.searching import Knob, Range
from pipeline.params.study import Study as Section
from pipeline.reporting import search_page
from pipeline.tuning.analysis import PROBE
from tests.conftest import ROOT

FID = "fid_classifier_5k"
NAMES = ("test1", "test2", "test3", "test4")


@pytest.fixture
def section() -> Section:
    return reading.load(ROOT / "params.yaml")


def trials() -> pd.DataFrame:
    """Ten trials: the slides' four, three complete, two ended early, one failed."""
    rows = []
    for place in range(10):
        state = "PRUNED" if place in (5, 7) else "FAIL" if place == 9 else "COMPLETE"
        scored = state != "FAIL"
        rows.append({"trial": place, "first": NAMES[place] if place < 4 else "", "state": state,
                     "batch": (256, 100, 100, 100, 32, 64, 128, 512, 32, 64)[place], "lr": 1e-4 * (1 + place),
                     "beta1": 0.9 - 0.08 * place, "leak": 0.3 - 0.02 * place,
                     FID: 900.0 - 80 * place if scored else None,
                     PROBE: 0.95 + 0.002 * place if scored else None,
                     "images_seen": 7_500 if state == "PRUNED" else 15_000,
                     "reason": "" if scored else "DivergedError: lower lr"})
    return pd.DataFrame(rows).astype({FID: float, PROBE: float})


def repeats(scores: dict[int, list[float]]) -> pd.DataFrame:
    return pd.DataFrame([{"candidate": place, "seed": seed + 1, FID: value, PROBE: 0.96}
                         for place, values in scores.items() for seed, value in enumerate(values)])


USUAL = {8: [260.0, 280.0, 270.0], 6: [420.0, 430.0, 425.0], 3: [650.0, 660.0, 670.0]}


def write(folder: Path, section: Section, scores: dict[int, list[float]] = USUAL) -> str:
    search_page.write(folder, section, "dcgan-mnist-0123456789abcdef", FID, trials(), repeats(scores))
    return (folder / "report.md").read_text()


def test_the_page_says_who_won_and_by_how_much(section: Section, tmp_path: Path) -> None:
    page = write(tmp_path / "search", section)
    assert "**Trial 8** (batch 32, lr 0.0009, beta1 0.26, leak 0.14) wins" in page
    assert "is 270 ± 10 on average over 3 further seeds" in page
    # 660 - 270 = 390, over sqrt(10² / 3 + 10² / 3) = 8.165
    assert "test4, the best of the runs known before, has 660 ± 10, 47.8 standard errors" in page
    assert "| trial 8 | 32 |" in page and "| test1 | 256 | 0.0001 | 0.9 | 0.3 | 900.0 | 95.00 % |" in page
    assert "7 complete, 2 pruned, 1 failed" in page and "DivergedError: lower lr" in page
    # 2 of 9 trials that did not fail saved half of their budget
    assert "saved 11 % of the images" in page
    assert "0 of 9 comparisons of two candidates (0 %)" in page
    assert "nan" not in page.lower().replace("candida", "") and "{{" not in page


def test_every_picture_is_there_and_named_once(section: Section, tmp_path: Path) -> None:
    page = write(tmp_path / "search", section)
    pictures = re.findall(r"!\[[^]]+\]\(([^)]+)\)", page)
    assert sorted(pictures) == sorted(path.name for path in (tmp_path / "search").glob("*.png"))
    assert len(pictures) == len(set(pictures)) == 6


def test_the_same_trials_give_the_same_bytes(section: Section, tmp_path: Path) -> None:
    for name in ("a", "b"):
        write(tmp_path / name, section)
    files = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert len(files) == 11
    for name in files:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes(), name


def test_a_worker_that_ends_second_leaves_the_files_alone(section: Section, tmp_path: Path) -> None:
    write(tmp_path / "search", section)
    before = (tmp_path / "search").stat().st_ino, (tmp_path / "search/history.png").stat().st_mtime_ns
    write(tmp_path / "search", section)
    assert ((tmp_path / "search").stat().st_ino, (tmp_path / "search/history.png").stat().st_mtime_ns) == before


def test_the_winner_is_exact_and_the_scores_have_six_digits(section: Section, tmp_path: Path) -> None:
    write(tmp_path / "search", section, USUAL | {8: [260.123456789, 280.0, 270.0]})
    best = YAML(typ="safe").load((tmp_path / "search/best.yaml").read_text())
    assert best["run"] == {"batch": 32, "lr": 1e-4 * 9, "beta1": 0.9 - 0.08 * 8, "leak": 0.3 - 0.02 * 8}
    assert best["trial"] == 8 and best["scores"] == {FID: [260.123, 280.0, 270.0], "seeds": [1, 2, 3]}
    table = pd.read_csv(tmp_path / "search/trials.csv", keep_default_na=False)
    assert table["lr"].tolist() == [1e-4 * (1 + place) for place in range(10)] and table[FID].iloc[9] == ""


def test_a_known_run_that_wins_is_called_so(section: Section, tmp_path: Path) -> None:
    page = write(tmp_path / "search", section, {8: [300.0, 320.0], 3: [200.0, 210.0]})
    assert "**test4** stays the best of the 2 runs that were trained again with 2 further seeds" in page
    assert "wins" not in page


def test_a_candidate_that_failed_with_a_seed_does_not_win(section: Section, tmp_path: Path) -> None:
    page = write(tmp_path / "search", section, {8: [100.0, math.nan], 6: [400.0, 410.0], 3: [600.0, 610.0]})
    assert "**Trial 6** (" in page and "100.0, 1 failed" in page


def test_one_further_seed_has_no_spread_and_compares_nothing(section: Section, tmp_path: Path) -> None:
    page = write(tmp_path / "search", section, {8: [270.0], 3: [660.0]})
    assert "is 270.0 on average over 1 further seed;" in page and "has 660.0." in page
    assert "is not known" in page and "nan" not in page.replace("candida", "")


def test_two_objectives_show_their_front(section: Section, tmp_path: Path) -> None:
    two = replace(section, search=replace(section.search, objectives=["fid", "probe"]))
    page = write(tmp_path / "search", two)
    assert "### The Pareto front" in page and (tmp_path / "search/front.png").exists()
    front = page.split("### The Pareto front")[1].split("![")[0]
    assert front.count("\n| ") == 2 and "| trial 8 |" in front  # the head, and one trial: it is best in both


def test_what_else_was_searched_is_in_the_tables_and_in_the_winner(section: Section, tmp_path: Path) -> None:
    knobs: dict[str, Knob] = {"d_steps": [1.0, 2.0], "ema": Range(low=0.0, high=0.999)}
    wide = replace(section, search=replace(section.search, space=section.search.space | knobs))
    table = trials().assign(d_steps=[1, 2] * 5, ema=[0.1 * place for place in range(10)])
    table.loc[5, "reason"] = "collapsed at 7,500 images: D is sure"
    search_page.write(tmp_path / "search", wide, "dcgan", FID, table, repeats(USUAL))
    page = (tmp_path / "search/report.md").read_text()
    assert "| run | batch | lr | beta1 | leak | d_steps | ema |" in page and "| trial 8 | 32 | 0.0009 |" in page
    assert "pruned: collapsed at 7,500 images" in page and "Trials failed with: DivergedError: lower lr." in page
    best = YAML(typ="safe").load((tmp_path / "search/best.yaml").read_text())["run"]
    assert list(best) == ["batch", "lr", "beta1", "leak", "d_steps", "ema"]
    assert best["d_steps"] == 1 and type(best["d_steps"]) is int and best["ema"] == 0.8
    scores = json.loads((tmp_path / "search/scores.json").read_text())
    assert {"importance_of_d_steps", "importance_of_ema"} <= set(scores)
