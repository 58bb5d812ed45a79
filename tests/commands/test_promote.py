"""dcgan promote: the winner goes into params.yaml, whose comments and order stay; without one nothing is touched."""
import shutil
from pathlib import Path

import pytest

from pipeline.commands import promote
from pipeline.errors import InputError
from pipeline.params import reading
from tests.conftest import ROOT, command

BEST = """# a comment
study: dcgan-mnist-0123456789abcdef
trial: 7
run: {batch: 64, lr: 0.00123, beta1: 0.271, leak: 0.05}
scores: {fid_classifier_5k: [1.0], seeds: [1]}
against: test4
beats: true
"""
STUDY = """# The study.
data: {name: mnist}
train: {network: slides, batch: 100}  # shared

runs:  # the tests
  test1: {lr: 0.0001}   # the first
  test4: {leak: 0.2}

internals: {runs: [test4]}
"""
WINNER = {"batch": 64, "lr": 0.00123, "beta1": 0.271, "leak": 0.05}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A study, and what a search found."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text(STUDY)
    (tmp_path / "best.yaml").write_text(BEST)
    return tmp_path


def test_one_line_is_added_and_all_others_stay(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command("promote", "best.yaml")
    after = (project / "params.yaml").read_text().splitlines()
    added = [line for line in after if line not in STUDY.splitlines()]
    assert added == ["  searched: {batch: 64, lr: 0.00123, beta1: 0.271, leak: 0.05}"]
    assert [line for line in after if line not in added] == STUDY.splitlines()
    run = reading.load().runs["searched"]
    assert {key: getattr(run, key) for key in WINNER} == WINNER and run.network == "slides"
    assert list(reading.load().runs) == ["test1", "test4", "searched"]
    assert "runs.searched is" in capsys.readouterr().out


def test_a_second_winner_replaces_the_first_and_the_same_changes_nothing(
        project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command("promote", "best.yaml")
    once = (project / "params.yaml").read_bytes()
    command("promote", "best.yaml")
    assert (project / "params.yaml").read_bytes() == once and "has this run already" in capsys.readouterr().out
    (project / "best.yaml").write_text(BEST.replace("batch: 64", "batch: 128"))
    command("promote", "best.yaml")
    assert reading.load().runs["searched"].batch == 128 and "it was" in capsys.readouterr().out
    assert (project / "params.yaml").read_text().count("searched:") == 1


def test_all_that_was_searched_is_taken(project: Path) -> None:
    more = {"lr_G": 0.0001, "lr_D": 0.0004, "d_steps": 2, "label_smoothing": 0.1, "ema": 0.999}
    words = "".join(f", {key}: {value}" for key, value in more.items())
    (project / "best.yaml").write_text(BEST.replace("leak: 0.05", f"leak: 0.05{words}"))
    command("promote", "best.yaml")
    run = reading.load().runs["searched"]
    assert {key: getattr(run, key) for key in more} == more and run.rates == (0.0001, 0.0004)


@pytest.mark.parametrize(("content", "expected"), [
    (None, r"best\.yaml: not found"), ("", "no winner of a search"), ("run: {bach: 64}", "no winner of a search"),
    (BEST.replace("lr: 0.00123", "lr: 12"), "no winner of a search"), ("run: [", "no winner of a search")])
def test_without_a_winner_nothing_is_overwritten(project: Path, content: str | None, expected: str) -> None:
    (project / "best.yaml").unlink()
    if content is not None:
        (project / "best.yaml").write_text(content)
    with pytest.raises(InputError, match=expected) as error:
        command("promote", "best.yaml")
    assert "\n" not in str(error.value) and (project / "params.yaml").read_text() == STUDY


@pytest.mark.parametrize(("end", "expected"), [
    ("beats: false\nln_ratio: {ln: 0.1, low: -0.2, high: 0.4}\n",
     r"trial 7 does not beat test4 at the study's length \(ln of the ratio of their distances: -0\.20 to 0\.40\)"),
    ("beats: false\n", "trial 7 does not beat test4"), ("", "does not say whether"),
    ("beats: false\nln_ratio: {ln: 0.1}\n", "trial 7 does not beat test4")])
def test_what_was_not_shown_to_be_better_is_promoted_only_anyway(project: Path, end: str, expected: str) -> None:
    (project / "best.yaml").write_text(BEST.replace("beats: true\n", end))
    with pytest.raises(InputError, match=expected + r".*; nothing was promoted, `dcgan promote --anyway` does it"):
        command("promote", "best.yaml")
    assert (project / "params.yaml").read_text() == STUDY
    command("promote", "best.yaml", "--anyway")
    assert reading.load().runs["searched"].batch == 64


@pytest.mark.skipif(not (ROOT / "reports/search/best.yaml").exists(), reason="no search has been recorded here")
def test_the_projects_own_winner_can_be_promoted(project: Path) -> None:
    """What the search wrote is what promote reads."""
    shutil.copy(ROOT / "reports/search/best.yaml", project / "best.yaml")
    command("promote", "best.yaml", "--anyway")
    run = reading.load().runs["searched"]
    winner = promote.read(project / "best.yaml", promote.content_of(project / "best.yaml"))
    assert winner == {key: getattr(run, key) for key in winner}


def test_a_link_stays_one_and_permissions_stay(project: Path) -> None:
    (project / "params.yaml").rename(project / "shared.yaml")
    (project / "params.yaml").symlink_to("shared.yaml")
    (project / "shared.yaml").chmod(0o640)
    command("promote", "best.yaml")
    assert (project / "params.yaml").is_symlink() and "searched:" in (project / "shared.yaml").read_text()
    assert (project / "shared.yaml").stat().st_mode & 0o777 == 0o640


def test_a_winner_that_does_not_fit_is_not_written(project: Path) -> None:
    before = (project / "params.yaml").read_bytes()
    (project / "best.yaml").write_text("run: {decay_epochs: 9}\n")
    with pytest.raises(InputError, match="params.yaml with the winner: runs.searched.decay_epochs = 9"):
        command("promote", "best.yaml", "--anyway")
    assert (project / "params.yaml").read_bytes() == before
