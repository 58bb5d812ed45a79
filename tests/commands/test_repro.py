"""dcgan repro: what is missing, side by side where that is quicker; a page that grows; an end that waits."""
import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from pipeline import folders
from pipeline.commands import repro
from pipeline.errors import InputError
from pipeline.gan import devices
from pipeline.params import reading
from tests.conftest import ROOT, Params, command
from tests.test_stopping import ctrl_c


@pytest.fixture
def began(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is started, in order. Each group of trainings takes a minute; b-0 is there, and only scored anew."""
    words: list[str] = []
    clock = itertools.count(0, 60)

    def dvc(*given: str) -> None:
        words.append(" ".join(given))
        score(given[-1])

    def score(stage: str) -> None:
        if stage.startswith("evaluate@"):
            name, _, seed = stage.removeprefix("evaluate@").rpartition("-")
            path = folders.report("evaluate", name, int(seed)) / "scores.json"
            path.parent.mkdir(parents=True)
            path.touch()

    def started(*commands: list[str], environment: dict[str, str], logs: Sequence[Path] = ()) -> list[int]:
        words.append(", ".join(one[-1] for one in commands) + " " + " ".join(environment.values()))
        for one in commands:
            score(one[-1])
        return [0 for _ in commands]

    missing = {"train@a-0", "evaluate@b-0", "train@a-1", "controls", "report", "search"}
    monkeypatch.setattr(repro, "stale", lambda target="report": missing)
    monkeypatch.setattr(repro, "dvc", dvc)
    monkeypatch.setattr(repro, "started", started)
    monkeypatch.setattr(repro, "time", SimpleNamespace(monotonic=lambda: float(next(clock))))
    return words


STUDY = {"runs": {"a": {}, "b": {}}, "seeds": [0, 1], "internals.runs": ["a"], "search.first": []}


def test_each_training_that_is_missing_is_scored_and_shown_before_the_next(
        params: Params, began: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    params(STUDY)
    monkeypatch.setattr(repro, "torch_threads", lambda: 1)
    command("repro")
    assert began == ["repro reference", "repro evaluate@a-0", "pipeline.report a-0,b-1", "repro evaluate@b-0",
                     "pipeline.report a-0,b-0,b-1", "repro evaluate@a-1", "repro report"]
    printed = capsys.readouterr().out
    assert "=== training 1 of 3: a-0 ===" in printed
    assert "=== training 3 of 3: a-1, about 1 minute for all that are left ===" in printed


def test_trainings_and_their_scores_run_side_by_side_where_there_are_threads(
        params: Params, began: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    params(STUDY)
    monkeypatch.setattr(repro, "torch_threads", lambda: 2)
    command("repro")
    assert began == ["repro reference", "train@a-0, controls 1", "repro evaluate@a-0", "pipeline.report a-0,b-1",
                     "train@b-0, train@a-1 1", "evaluate@b-0, evaluate@a-1 1", "repro report"]
    printed = capsys.readouterr().out
    assert "=== side by side, 1 to 2 of 4: a-0, controls ===" in printed
    assert "=== side by side, 3 to 4 of 4: b-0, a-1, about 1 minute for all that are left ===" in printed


@pytest.mark.parametrize(("threads", "words"), [
    (1, ["repro fetch", "repro search"]), (3, ["repro fetch", "search, search, search 1", "repro search"])])
def test_a_search_has_a_worker_for_each_thread_and_is_recorded_by_dvc(
        params: Params, began: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
        threads: int, words: list[str]) -> None:
    params(STUDY)
    monkeypatch.setattr(repro, "torch_threads", lambda: threads)
    command("repro", "search")
    assert began == words
    monkeypatch.setattr(repro, "stale", lambda target: {"report"})
    command("repro", "search")
    assert began == [*words, "repro fetch"] and "up to date: reports/search/report.md" in capsys.readouterr().out


@pytest.mark.parametrize(("threads", "free", "device", "count"), [
    (1, 64, "cpu", 1), (8, 64, "cpu", 8), (8, 8, "cpu", 3), (8, 1, "cpu", 1), (8, 64, "cuda", 1)])
def test_as_many_run_side_by_side_as_threads_and_memory_allow(
        params: Params, monkeypatch: pytest.MonkeyPatch, threads: int, free: int, device: str, count: int) -> None:
    params({})
    monkeypatch.setattr(repro, "torch_threads", lambda: threads)
    monkeypatch.setattr(repro.psutil, "virtual_memory", lambda: SimpleNamespace(available=free << 30))
    monkeypatch.setattr(devices, "choose", lambda hardware: SimpleNamespace(device=torch.device(device)))
    assert repro.places(reading.load()) == count


STAGES = """
stages:
  train:
    matrix: {run: [a, b], seed: [0]}
    cmd: echo ${item.run} $OMP_NUM_THREADS > ${item.run} && test ! -f ${item.run}-fails
    outs: ["${item.run}"]
  controls:
    cmd: echo controls $OMP_NUM_THREADS > c
    outs: [c]
"""


def test_dvc_runs_trainings_and_controls_side_by_side_and_shows_the_lines_of_one_that_fails(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(repro, "torch_threads", lambda: 12)
    (tmp_path / "dvc.yaml").write_text(STAGES)
    subprocess.run([sys.executable, "-m", "dvc", "init", "-q", "--no-scm"], check=True)
    (tmp_path / "b-fails").touch()
    with pytest.raises(SystemExit) as end:
        repro.side_by_side(repro.alone(["train@a-0", "train@b-0", "controls"]))
    assert end.value.code
    printed = capfd.readouterr()
    assert "Running stage 'train@a-0'" in printed.out and "failed to run: echo b" in printed.err
    assert "b-0" not in printed.out and "controls" not in printed.out + printed.err
    (tmp_path / "b-fails").unlink()
    repro.side_by_side(repro.alone(["train@a-0", "train@b-0", "controls"]))
    assert [(tmp_path / name).read_text() for name in "abc"] == ["a 4\n", "b 4\n", "controls 4\n"]
    lock = (tmp_path / "dvc.lock").read_text()
    assert all(name in lock for name in ("train@a-0", "train@b-0", "controls"))


def test_minutes_and_hours_are_left() -> None:
    assert repro.left([], 5) == "" and repro.left([30.0], 2).startswith(", about 1 minute for")
    assert repro.left([1800.0, 5400.0], 4).startswith(", about 4.0 hours for")


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
from pathlib import Path
from pipeline import stopping
from pipeline.commands import repro
repro.LOOK_SECONDS = 0.1
try:
    repro.started(*[[sys.argv[1], "as DVC"]] * 2, logs=[Path(sys.argv[1]).with_suffix(".log")])
except stopping.Stopped as stop:
    print("gone", flush=True)
    sys.exit(stop.status)
"""


@pytest.mark.parametrize(("number", "to_all", "status"), [
    (signal.SIGTERM, False, 143), (signal.SIGTERM, True, 143), (signal.SIGINT, False, 130)])
def test_it_waits_for_the_stages_that_dvc_has_started(tmp_path: Path, number: int, to_all: bool, status: int) -> None:
    (tmp_path / "child.py").write_text(CHILD)
    process = subprocess.Popen([sys.executable, "-c", PARENT, str(tmp_path / "child.py")], cwd=ROOT, text=True,
                               stdout=subprocess.PIPE, start_new_session=True, preexec_fn=ctrl_c)
    assert process.stdout is not None and process.stdout.readline() == "ready\n"
    time.sleep(0.5)  # in which it looks what there is
    begin = time.monotonic()
    os.killpg(process.pid, number) if to_all else process.send_signal(number)
    assert process.communicate()[0] == "ended\ngone\n" and process.returncode == status
    assert time.monotonic() - begin < 8 and (tmp_path / "child.log").read_text() == "ready\nended\n"
