"""dcgan repro: one training after the other, a page after each that was scored, and an end that waits."""
import itertools
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from pipeline import folders
from pipeline.commands import repro
from pipeline.errors import InputError
from tests.conftest import ROOT, Params, command
from tests.test_stopping import ctrl_c


@pytest.fixture
def began(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is started, in order. Each training takes a minute, and b-0 has been scored before."""
    words: list[str] = []
    clock = itertools.count(0, 60)

    def dvc(*given: str) -> None:
        words.append(" ".join(given))
        if given[-1].startswith("evaluate@") and given[-1] != "evaluate@b-0":
            name, _, seed = given[-1].removeprefix("evaluate@").rpartition("-")
            path = folders.report("evaluate", name, int(seed)) / "scores.json"
            path.parent.mkdir(parents=True)
            path.touch()

    def started(*given: str, environment: dict[str, str]) -> int:
        words.append(f"{given[-1]} {environment['DCGAN_SO_FAR']}")
        return 0

    monkeypatch.setattr(repro, "stale", lambda: True)
    monkeypatch.setattr(repro, "dvc", dvc)
    monkeypatch.setattr(repro, "started", started)
    monkeypatch.setattr(repro, "time", SimpleNamespace(monotonic=lambda: float(next(clock))))
    return words


def test_each_training_is_scored_and_shown_before_the_next(
        params: Params, began: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    params({"runs": {"a": {}, "b": {}}, "seeds": [0, 1], "internals.runs": ["a"], "search.first": []})
    command("repro")
    assert began == ["repro evaluate@a-0", "pipeline.report a-0", "repro evaluate@b-0", "repro evaluate@a-1",
                     "pipeline.report a-0,b-0,a-1", "repro evaluate@b-1", "repro report"]
    printed = capsys.readouterr().out
    assert "=== training 1 of 4: a-0 ===" in printed
    assert "=== training 4 of 4: b-1, at most about 1 minute for all that are left ===" in printed


def test_minutes_and_hours_are_left() -> None:
    assert repro.left([], 5) == "" and repro.left([30.0], 2).startswith(", at most about 1 minute for")
    assert repro.left([1800.0, 5400.0], 4).startswith(", at most about 4.0 hours for")


def test_a_failure_of_dvc_is_none_of_success(params: Params) -> None:
    """There is no dvc.yaml."""
    with pytest.raises(InputError, match="`dvc status --with-deps --json report` failed"):
        command("repro")
    with pytest.raises(SystemExit) as end:
        repro.dvc("repro", "report")
    assert end.value.code


CHILD = """
import signal, subprocess, sys, time
if len(sys.argv) > 1:  # as DVC, which ends at once
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    sys.exit(subprocess.run([sys.executable, sys.argv[0]]).returncode)
def stop(number, frame):  # as a stage, which heeds it once
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise KeyboardInterrupt
signal.signal(signal.SIGTERM, stop)
try:
    print("ready", flush=True)
    time.sleep(60)
except BaseException:
    time.sleep(0.5)
    print("ended", flush=True)
"""
PARENT = """
import sys
from pipeline import stopping
from pipeline.commands import repro
repro.LOOK_SECONDS = 0.1
try:
    repro.started(sys.argv[1], "as DVC")
except stopping.Stopped as stop:
    print("gone", flush=True)
    sys.exit(stop.status)
"""


@pytest.mark.parametrize(("number", "to_all", "status"), [
    (signal.SIGTERM, False, 143), (signal.SIGTERM, True, 143), (signal.SIGINT, False, 130)])
def test_it_waits_for_the_stage_that_dvc_has_started(tmp_path: Path, number: int, to_all: bool, status: int) -> None:
    (tmp_path / "child.py").write_text(CHILD)
    process = subprocess.Popen([sys.executable, "-c", PARENT, str(tmp_path / "child.py")], cwd=ROOT, text=True,
                               stdout=subprocess.PIPE, start_new_session=True, preexec_fn=ctrl_c)
    assert process.stdout is not None and process.stdout.readline() == "ready\n"
    time.sleep(0.5)  # in which it looks what there is
    begin = time.monotonic()
    os.killpg(process.pid, number) if to_all else process.send_signal(number)
    assert process.communicate()[0] == "ended\ngone\n" and process.returncode == status
    assert time.monotonic() - begin < 8
