"""The ledger on the report's first page: decided claims as a table, undecided ones folded, damaged ones named."""
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from pipeline.reporting import claims_page
from pipeline.reporting.blocks import Details, Figures, Items, Paragraph, Table


def ruling(says: str, verdict: str, **more: Any) -> dict[str, Any]:
    return {"says": says, "source": "the slides", "verdict": verdict, "stated": "×1.55 (1.43 to 1.68)", "trainings": 3,
            "planned": 3, "sentence": f"About {says}.", "reason": ""} | more


def write(home: Path, rulings: list[dict[str, Any]]) -> None:
    (home / "reports/claims").mkdir(parents=True)
    (home / "reports/claims/claims.json").write_text(json.dumps(rulings))


@pytest.fixture(autouse=True)
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_ROOT", raising=False)


def test_without_claims_there_is_no_section() -> None:
    assert claims_page.blocks() == []


def test_decided_claims_are_a_table_and_the_rest_is_folded(tmp_path: Path) -> None:
    write(tmp_path, [ruling("a", "holds")])
    write(tmp_path / "studies/other", [ruling("b", "undecided", trainings=1, stated=""), ruling("c", "reversed")])
    Image.new("L", (4, 4)).save(tmp_path / "studies/other/reports/claims/forest.png")
    blocks = claims_page.blocks()
    text, = [block.text for block in blocks if isinstance(block, Paragraph)]
    assert "Of 3 claims 1 holds, 1 is reversed, 0 make no difference, 1 is undecided." in text
    table, = [block for block in blocks if isinstance(block, Table)]
    assert [row[0] for row in table.rows] == ["a", "c"] and [row[4] for row in table.rows] == ["this", "other"]
    assert table.rows[0][1:4] == ["holds", "×1.55 (1.43 to 1.68)", "3 of 3"]
    measured, folded = [block for block in blocks if isinstance(block, Details)]
    assert measured.blocks == [Items(["**a**: About a.", "**c**: About c."])]
    assert folded.title.startswith("1 undecided claim,")
    assert folded.blocks == [Items(["`other`: b (the slides). About b."])]
    figures, = [block for block in blocks if isinstance(block, Figures)]
    place = tmp_path / "studies/other/reports/claims/forest.png"
    assert [picture.path for picture in figures.pictures] == [place]


def test_claims_that_wait_for_their_first_training_share_a_line(tmp_path: Path) -> None:
    waits = {"verdict": "undecided", "trainings": 0, "reason": "0 of 3 trainings are there"}
    write(tmp_path, [ruling("a", **waits), ruling("b", "undecided", reason="run `dvc repro transfer@b`"),
                     ruling("c", **waits)])
    folded, = [block for block in claims_page.blocks() if isinstance(block, Details)]
    assert folded.blocks == [Items(["b (the slides). About b.", "not trained yet: a; c."])]


def test_a_study_shows_its_own_claims_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, [ruling("a", "holds")])
    write(tmp_path / "studies/other", [ruling("c", "reversed")])
    monkeypatch.chdir(tmp_path / "studies/other")
    table, = [block for block in claims_page.blocks() if isinstance(block, Table)]
    assert [row[0] for row in table.rows] == ["c"]


def test_a_damaged_file_is_named_and_the_rest_is_shown(tmp_path: Path) -> None:
    write(tmp_path, [ruling("a", "holds")])
    (tmp_path / "studies/other/reports/claims").mkdir(parents=True)
    (tmp_path / "studies/other/reports/claims/claims.json").write_text("{")
    problem, _ = [block.text for block in claims_page.blocks() if isinstance(block, Paragraph)]
    assert "studies/other/reports/claims/claims.json" in problem and "dcgan claims" in problem
