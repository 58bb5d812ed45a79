"""What all stages share: one line for errors, a watch over the code, and imports that do nothing."""
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline import stage
from pipeline.errors import DivergedError, InputError, ScoreError
from tests.conftest import Params
from tests.conftest import stage as run_stage


def test_bad_parameters_stop_a_stage_with_one_line(params: Params, tmp_path: Path) -> None:
    params({"train.epochs": 0})
    result = run_stage("fetch", "digits", "data/digits")
    assert result.returncode == 1 and result.stdout == ""
    assert result.stderr == "fetch: params.yaml: train.epochs = 0: expected greater than or equal to 1\n"
    assert not (tmp_path / "data").exists()


def test_a_missing_dependency_and_a_missing_word_are_named(params: Params) -> None:
    result = run_stage("reference", "digits", "data/digits", "models/reference", "reports/reference")
    assert result.returncode == 1
    assert result.stderr == "reference: data/digits/meta.json: not found; run `dvc repro fetch`\n"
    result = run_stage("reference", "digits", "data/digits")
    assert result.returncode == 2 and "usage: python -m pipeline.reference [-h] name data model report" in result.stderr


def test_a_place_that_cannot_be_written_is_one_line(params: Params) -> None:
    result = run_stage("fetch", "digits", "/dev/full/digits")
    assert result.returncode == 1 and result.stderr.count("\n") == 1 and "/dev/full" in result.stderr


@pytest.mark.parametrize(("error", "status"), [
    (InputError("no such thing"), "test_stage: no such thing"), (DivergedError("nan"), "test_stage: nan"),
    (ScoreError("too few"), "test_stage: too few"),
    (OSError(28, "No space left on device", "x"), "test_stage: [Errno 28] No space left on device: 'x'"),
    (KeyboardInterrupt(), 130)])
def test_foreseen_errors_become_a_line_and_a_status(
        monkeypatch: pytest.MonkeyPatch, error: BaseException, status: str | int) -> None:
    monkeypatch.setattr(sys, "argv", ["stage"])

    def failing() -> None:
        """Fails."""
        raise error

    with pytest.raises(SystemExit) as end:
        stage.main(failing)
    assert end.value.code == status


def test_a_mistake_in_the_code_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["stage"])

    def mistaken() -> None:
        """Divides."""
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        stage.main(mistaken)


def test_code_that_changes_under_a_running_stage_is_not_recorded(
        monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    states = iter([{Path("pipeline/a.py"): "1"}, {Path("pipeline/a.py"): "2", Path("pipeline/late.py"): "3"}])
    monkeypatch.setattr(stage, "sources", lambda: next(states))
    monkeypatch.setattr(sys, "argv", ["stage"])

    def quiet() -> None:
        """Does nothing."""

    with pytest.raises(SystemExit) as error:
        stage.main(quiet)
    assert error.value.code == "test_stage: pipeline/a.py changed while this stage ran; run it again"


def test_scores_that_are_not_finite_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(ScoreError, match="fid is nan"):
        stage.write_scores(tmp_path / "metrics.json", {"fid": float("nan")})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "module", ["fetch", "reference", "train", "evaluate", "report", "search", "promote", "__main__"])
def test_importing_a_stage_does_nothing(module: str, tmp_path: Path) -> None:
    code = (f"import sys, torch, numpy; before = torch.get_rng_state(), str(numpy.random.get_state()); "
            f"import pipeline.{module}; "
            "assert torch.equal(before[0], torch.get_rng_state()) and before[1] == str(numpy.random.get_state()); "
            "assert 'mlflow' not in sys.modules")
    result = subprocess.run([sys.executable, "-W", "error::UserWarning", "-c", code], cwd=tmp_path, capture_output=True,
                            text=True)
    assert result.returncode == 0 and result.stdout == result.stderr == "", result.stderr
    assert not list(tmp_path.iterdir())
