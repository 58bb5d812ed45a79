"""What all stages share: one line for errors, an exit status, and imports that do nothing."""
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline import code, stage
from pipeline.errors import DivergedError, InputError, ScoreError
from tests.conftest import Params, python
from tests.conftest import stage as run_stage


def test_bad_parameters_stop_a_stage_with_one_line(params: Params, tmp_path: Path) -> None:
    params({"train.epochs": 0})
    result = run_stage("fetch")
    assert result.returncode == 1 and result.stdout == ""
    assert result.stderr == "fetch: params.yaml: train.epochs = 0: expected greater than or equal to 1\n"
    assert not (tmp_path / "data").exists()


def test_a_missing_dependency_and_a_missing_word_are_named(params: Params) -> None:
    result = run_stage("reference")
    assert result.returncode == 1
    assert result.stderr == "reference: data/arrays/digits/meta.json: not found; run `dvc repro fetch`\n"
    result = run_stage("train", "test4")
    assert result.returncode == 2 and "usage: python -m pipeline.train [-h] run seed" in result.stderr
    result = run_stage("train", "test9", "0")
    assert result.returncode == 1 and "no run 'test9'" in result.stderr and result.stderr.count("\n") == 1
    result = run_stage("train", "test4", "1")
    assert result.returncode == 1 and "seeds: no seed 1; there are 0" in result.stderr


def test_a_place_that_cannot_be_written_is_one_line(params: Params, tmp_path: Path) -> None:
    (tmp_path / "data").write_text("in the way")
    result = run_stage("fetch")
    assert result.returncode == 1 and result.stderr.count("\n") == 1 and "data" in result.stderr
    assert (tmp_path / "data").read_text() == "in the way"


def test_a_stage_runs_as_a_module_of_its_own(params: Params, tmp_path: Path) -> None:
    """As DVC starts it: one real process; other tests fork theirs from a preloaded one."""
    result = python("-m", "pipeline.fetch")
    assert result.returncode == 0 and "1,437 training and 360 test images" in result.stdout, result.stderr
    assert (tmp_path / "data/arrays/digits/meta.json").exists()


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stage called fetch, without arguments and with current code."""
    monkeypatch.setattr(sys, "argv", ["fetch"])
    monkeypatch.setattr(inspect, "getfile", lambda function: "fetch.py")
    monkeypatch.setattr(code, "check", lambda name: None)


@pytest.mark.parametrize(("error", "status"), [
    (InputError("no such thing"), "fetch: no such thing"), (DivergedError("nan"), "fetch: nan"),
    (ScoreError("too few"), "fetch: too few"),
    (OSError(28, "No space left on device", "x"), "fetch: [Errno 28] No space left on device: 'x'"),
    (MemoryError(), "fetch: out of memory"),
    (RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory: you tried to "
                  "allocate 9 bytes."), "fetch: out of memory"), (KeyboardInterrupt(), 130)])
def test_foreseen_errors_become_a_line_and_a_status(quiet: None, error: BaseException, status: str | int) -> None:
    def failing() -> None:
        """Fails."""
        raise error

    with pytest.raises(SystemExit) as end:
        stage.main(failing)
    assert end.value.code == status


def test_a_mistake_in_the_code_keeps_its_traceback(quiet: None) -> None:
    def mistaken() -> None:
        """Divides."""
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        stage.main(mistaken)


def test_scores_that_are_not_finite_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(ScoreError, match="fid is nan"):
        stage.write_scores(tmp_path / "scores.json", {"fid": float("nan")})
    assert not list(tmp_path.iterdir())


def test_importing_stages_and_commands_does_nothing(tmp_path: Path) -> None:
    modules = ["fetch", "reference", "controls", "train", "evaluate", "internals", "transfer", "report", "search",
               "__main__"]
    script = ("import sys, torch, numpy; before = torch.get_rng_state(), str(numpy.random.get_state()); "
              + "".join(f"import pipeline.{module}; " for module in modules) +
              "assert torch.equal(before[0], torch.get_rng_state()) and before[1] == str(numpy.random.get_state()); "
              "assert 'mlflow' not in sys.modules")
    root = str(Path(stage.__file__).parent.parent)
    script = f"import sys; sys.path.insert(0, {root!r}); {script}"
    result = subprocess.run([sys.executable, "-W", "error::UserWarning", "-c", script], cwd=tmp_path,
                            capture_output=True, text=True)
    assert result.returncode == 0 and result.stdout == result.stderr == "", result.stderr
    assert not list(tmp_path.iterdir())
