"""The command dcgan: help that is quick, stages by DVC's names, and one line for what it cannot do."""
import subprocess
import time
from pathlib import Path

import pytest

from pipeline import __main__ as cli
from pipeline.errors import InputError
from tests.conftest import Params, python


def dcgan(*words: str) -> "subprocess.CompletedProcess[str]":
    """The command in a process of its own."""
    return python("-m", "pipeline", *words)


@pytest.mark.parametrize("words", [[], *([name] for name in cli.COMMANDS), ["search"], ["train"]])
def test_help_is_quick_and_starts_nothing(params: Params, tmp_path: Path, words: list[str]) -> None:
    before = sorted(tmp_path.iterdir())
    script = ("import sys; sys.argv = ['dcgan', *%r, '--help']\nfrom pipeline import __main__ as cli\n"
              "try:\n    cli.main()\nexcept SystemExit as end:\n"
              "    heavy = {'torch', 'mlflow', 'optuna', 'pandas'} & set(sys.modules)\n"
              "    sys.exit(str(heavy) if heavy else end.code)" % words)
    begin = time.monotonic()
    result = python("-c", script)
    assert result.returncode == 0 and "usage: dcgan" in result.stdout, result.stderr
    assert time.monotonic() - begin < 3  # 0.7 s on a quiet core
    assert sorted(tmp_path.iterdir()) == before


def test_the_help_lists_every_command_and_stage_and_the_version_is_known() -> None:
    text = cli.parser().format_help()
    assert all(f" {name} " in text.replace("\n", " ") for name in (*cli.COMMANDS, *cli.STAGES))
    assert dcgan("--version").stdout == "dcgan-laboratory 0.1.0\n"


@pytest.mark.parametrize(("word", "words"), [
    ("train@test4-0", ["train", "test4", "0"]), ("evaluate@a-b-3", ["evaluate", "a-b", "3"]),
    ("internals@a-b", ["internals", "a-b"]), ("transfer@x", ["transfer", "x"]), ("search", ["search"])])
def test_stages_have_dvcs_names(word: str, words: list[str]) -> None:
    assert cli.command_of(word) == words


@pytest.mark.parametrize(("word", "near"), [("serach", "search"), ("trian@test4-0", "train"), ("sampel", "sample")])
def test_unknown_words_are_refused_with_the_nearest_command(word: str, near: str) -> None:
    with pytest.raises(InputError, match=f"no command '{word.partition('@')[0]}' .did you mean '{near}'"):
        cli.command_of(word)


def test_a_stage_that_is_not_told_of_what_lists_what_there_is(params: Params) -> None:
    result = dcgan("evaluate")
    assert result.returncode == 1 and result.stderr.count("\n") == 1
    assert "evaluate@test1-0, evaluate@test2-0" in result.stderr
    assert "internals@test4" in dcgan("internals").stderr and "none" in dcgan("transfer").stderr


def test_a_stage_becomes_the_process(params: Params, tmp_path: Path) -> None:
    """No parent is left that could kill it or outlive it."""
    result = dcgan("fetch")
    assert result.returncode == 0 and (tmp_path / "data/arrays/digits/meta.json").exists(), result.stderr
    assert dcgan("train@test9-0").stderr.startswith("train: params.yaml: runs: no run 'test9'")


def test_there_is_no_dashboard_and_no_winner_before_a_search(params: Params, tmp_path: Path) -> None:
    result = dcgan("dashboard")
    assert result.returncode == 1 and result.stderr.count("\n") == 1
    assert f"{tmp_path}/optuna.log: not found" in result.stderr and not list(tmp_path.glob("optuna*"))
    result = dcgan("promote")
    assert result.returncode == 1 and result.stderr.count("\n") == 1
    assert "reports/search/best.yaml: not found" in result.stderr


def test_a_dashboard_of_a_storage_that_is_away_is_one_line(params: Params) -> None:
    params({"search.storage": "postgresql+psycopg://u:s3cret@127.0.0.1:9/db"})
    result = dcgan("dashboard")
    assert result.returncode == 1 and result.stderr.count("\n") == 1 and "does not answer" in result.stderr
    assert "s3cret" not in result.stderr
