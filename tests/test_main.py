"""The command dcgan: DVC's own commands for stages, and one line for what it cannot do."""
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline import __main__ as command
from pipeline.errors import InputError
from tests.conftest import ROOT, Params


def dcgan(*words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, "-m", "pipeline", *words], capture_output=True, text=True)


def test_a_stage_runs_with_dvcs_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    name = (ROOT / "params.yaml").read_text().split("name: ")[1].split()[0]
    assert command.command_of("search") == [
        "python", "-m", "pipeline.search", f"data/{name}", "models/reference", "reports/search"]
    assert command.command_of("train@test4")[2:4] == ["pipeline.train", "test4"]
    with pytest.raises(InputError, match="serach: neither a command of `dcgan --help` nor a stage of dvc.yaml"):
        command.command_of("serach")


def test_there_is_no_dashboard_and_no_winner_before_a_search(params: Params, tmp_path: Path) -> None:
    result = dcgan("dashboard")
    assert result.returncode == 1
    assert result.stderr == (f"dcgan: {tmp_path}/optuna.log: not found: there is no search yet; `dvc repro search` "
                             "begins one\n")
    assert not list(tmp_path.glob("optuna*"))
    result = dcgan("promote")
    assert result.returncode == 1 and result.stderr.startswith("promote: reports/search/best.yaml: not found")
    assert result.stderr.count("\n") == 1


def test_a_dashboard_of_a_storage_that_is_away_is_one_line(params: Params) -> None:
    params({"search.storage": "postgresql+psycopg://u:s3cret@127.0.0.1:9/db"})
    result = dcgan("dashboard")
    assert result.returncode == 1 and result.stderr.count("\n") == 1 and "does not answer" in result.stderr
    assert "s3cret" not in result.stderr
