"""promote: the winner goes into params.yaml, whose comments and order stay; without a winner nothing is touched."""
from pathlib import Path

import pytest

from pipeline import params as parameters
from pipeline import promote
from pipeline.errors import InputError
from pipeline.sections import Run
from tests.conftest import ROOT, Params

BEST = """# a comment
study: dcgan-mnist-0123456789abcdef
trial: 7
run: {batch: 64, lr: 0.00123, beta1: 0.271, leak: 0.05}
scores: {fid_classifier_5k: [1.0], seeds: [1]}
"""
WINNER = Run(batch=64, lr=0.00123, beta1=0.271, leak=0.05)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    text = (Path(__file__).parent / "params.yaml").read_text()
    (tmp_path / "params.yaml").write_text(text)
    (tmp_path / "best.yaml").write_text(BEST)
    return tmp_path


def test_one_line_is_added_and_all_others_stay(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (project / "params.yaml").read_text().splitlines()
    promote.promote(Path("best.yaml"))
    after = (project / "params.yaml").read_text().splitlines()
    added = [line for line in after if line not in before]
    assert added == ["  searched: {batch: 64, lr: 0.00123, beta1: 0.271, leak: 0.05}"]
    assert [line for line in after if line not in added] == before
    assert parameters.load().runs["searched"] == WINNER
    assert list(parameters.load().runs)[:4] == ["test1", "test2", "test3", "test4"]
    assert "runs.searched is" in capsys.readouterr().out


def test_a_second_winner_replaces_the_first_and_the_same_changes_nothing(
        project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    promote.promote(Path("best.yaml"))
    once = (project / "params.yaml").read_bytes()
    promote.promote(Path("best.yaml"))
    assert (project / "params.yaml").read_bytes() == once and "has this run already" in capsys.readouterr().out
    (project / "best.yaml").write_text(BEST.replace("batch: 64", "batch: 128"))
    promote.promote(Path("best.yaml"))
    assert parameters.load().runs["searched"].batch == 128 and "it was" in capsys.readouterr().out
    assert (project / "params.yaml").read_text().count("searched:") == 1


@pytest.mark.parametrize(("content", "expected"), [
    (None, r"best\.yaml: not found: no search has been finished; run `dvc repro search`"),
    ("", "no winner of a search"), ("run: {batch: 64}", "no winner of a search"),
    (BEST.replace("lr: 0.00123", "lr: 12"), "no winner of a search"), ("run: [", "no winner of a search")])
def test_without_a_winner_nothing_is_overwritten(project: Path, content: str | None, expected: str) -> None:
    before = (project / "params.yaml").read_bytes()
    (project / "best.yaml").unlink()
    if content is not None:
        (project / "best.yaml").write_text(content)
    with pytest.raises(InputError, match=expected) as error:
        promote.promote(Path("best.yaml"))
    assert "\n" not in str(error.value) and (project / "params.yaml").read_bytes() == before


def test_the_projects_own_winner_can_be_promoted(params: Params) -> None:
    """What the search wrote is what promote reads."""
    promote.promote(ROOT / "reports/search/best.yaml")
    assert parameters.load().runs["searched"] == promote.read(ROOT / "reports/search/best.yaml")
