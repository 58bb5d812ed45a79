"""Stage claims on a study's files: what is there, what is missing, and what is damaged."""
import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from pipeline import claims, folders
from pipeline.errors import InputError
from pipeline.params import reading
from tests.conftest import Params

MINE = {"mine": {"better": ["test4", "test1"]}, "seen": {"runs": ["test4"], "of": "images_seen", "at_least": 100}}


def planted(run: str, seed: int, like: Path, factor: float) -> None:
    """A training whose distances are `factor` times those of another one."""
    folder = folders.report("train", run, seed)
    shutil.copytree(like / folders.report("train", "test4", 0), folder)
    fid = pd.read_csv(folder / "fid.csv")
    fid.iloc[:, 1] *= factor
    fid.to_csv(folder / "fid.csv", index=False)


def written() -> dict[str, dict[str, object]]:
    return {row["name"]: row for row in json.loads(Path("reports/claims/claims.json").read_text())}


def test_verdicts_from_what_trainings_have_written(study: Params, studied: Path,
                                                   capsys: pytest.CaptureFixture[str]) -> None:
    study({"seeds": [0, 1, 2], "claims": MINE})
    for seed, factor in enumerate((1.0, 1.1, 0.9)):
        planted("test4", seed, studied, factor)
        planted("test1", seed, studied, factor * (2 + seed / 100))
    claims.claims()
    mine, seen = written()["mine"], written()["seen"]
    assert mine["verdict"] == "holds" and mine["effect"] == pytest.approx(2.01, abs=0.01) and mine["trainings"] == 3
    assert mine["rule"] == "distance at the end of test1 over that of test4: more than 1.25"
    assert seen["verdict"] == "undecided" and seen["reason"] == "test4 seed 0 lacks images_seen"  # it is not scored
    table = pd.read_csv("reports/claims/table.csv")
    assert table["verdict"].tolist() == ["holds", "undecided"] and Path("reports/claims/forest.png").exists()
    assert "claims: mine: holds" in capsys.readouterr().out


def test_a_partial_experiment_and_no_claims_are_no_errors(study: Params, capsys: pytest.CaptureFixture[str]) -> None:
    study({"seeds": [0, 1], "claims": MINE})
    claims.claims()
    assert written()["mine"]["reason"] == "0 of 2 pairs of trainings are there"
    study({"claims": {}})
    claims.claims()
    assert written() == {} and "{mine: {better: [new, old]}}" in capsys.readouterr().out


@pytest.mark.parametrize(("file", "content"), [
    ("fid.csv", "images_seen,fid\n"), ("fid.csv", "images_seen,fid\n100,0\n"), ("training.csv", ""),
    ("events.csv", "a\n1\n")])
def test_a_damaged_training_is_one_line(study: Params, studied: Path, file: str, content: str) -> None:
    study({"seeds": [0], "claims": MINE})
    planted("test1", 0, studied, 2.0)
    (folders.report("train", "test1", 0) / file).write_text(content)
    with pytest.raises(InputError, match="not what a training writes .*run `dvc repro -f train@test1-0`"):
        claims.claims()


@pytest.mark.parametrize(("claim", "message"), [
    ({"better": ["test4"]}, "claims.mine.better = .*expected two different runs"),
    ({"better": ["test4", "test4"]}, "expected two different runs"),
    ({"better": ["test4", "tset1"]}, "claims.mine.better: no run 'tset1'.*test1"),
    ({"better": ["test4", "test1"], "at_least": 1.0}, "takes neither runs nor transfer nor at_least"),
    ({"runs": ["test4"]}, "one of at_least and at_most"), ({"at_least": 1.0}, "expected better"),
    ({"runs": ["test4"], "at_least": 1.0, "at_most": 2.0}, "one of at_least and at_most"),
    ({"runs": ["test4"], "at_least": 1.0, "minus": "a", "over": "b"}, "only one of better, minus and over"),
    ({"better": ["test4", "test1"], "over": "b"}, "only one of better, transfer, minus and over"),
    ({"transfer": "theirs", "at_least": 1.0}, "claims.mine.transfer: no 'theirs'.*; there are there"),
    ({"runs": ["test4"], "transfer": "there", "at_least": 1.0}, "or runs or transfer"),
    ({"transfer": "there", "at_least": 1.0}, "distance is no accuracy of a transfer"),
    ({"transfer": "there", "of": "probe_C_10000_labels", "at_least": 1.0}, "probe_C_10000_labels is no accuracy"),
    ({"transfer": "there", "of": "probe_accuracy_10_labels", "over": "b", "at_most": 1.0}, "transfer, minus and over"),
    ({"better": ["test4", "test1"], "seeds": 0}, "claims.mine.seeds = 0: expected"),
    ({"better": ["test4", "test1"], "looks": 0}, "claims.mine.looks = 0: expected"),
    ({"better": ["test4", "test1"], "by": 1.0}, "claims.mine.by = 1.0: expected"),
    ({"beter": ["test4", "test1"]}, "unknown key claims.mine.beter.*better")])
def test_a_claim_that_nothing_could_decide_is_refused(params: Params, claim: dict[str, object], message: str) -> None:
    params({"claims": {"mine": claim}, "transfers": {"there": {"model": "x"}}})
    with pytest.raises(InputError, match=message):
        reading.load()
