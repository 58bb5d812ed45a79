"""SIGTERM and Ctrl-C: a checkpoint, a status, ten seconds, and nothing that is trained twice or differently."""
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
import psutil
import pytest

from pipeline import folders, observing, stopping
from tests.conftest import Params, stage, started

LOSSES = Path("reports/train/test4/seed0/losses.csv")
# Epochs of seconds, and no checkpoint but the one that is asked for.
LONG = {"train.network": "guidelines-28", "train.width": 0.25, "train.epochs": 4, "train.report_images": 100,
        "train.checkpoint_seconds": 1000, "hardware.precision": "fp32"}
DCGAN = [sys.executable, "-m", "pipeline", "train@test4-0"]


def until(holds: Callable[[], Any], seconds: float = 60) -> None:
    """Waits until something holds."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


def model() -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folders.model("test4", 0).iterdir()}


def checkpoints() -> list[Path]:
    return [*Path(".work/train").glob(f"*/{observing.STATE}")]


def ctrl_c() -> None:
    """As a terminal has it; shells let their background commands ignore it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.mark.slow
def test_a_training_that_is_stopped_goes_on_to_the_same_bytes(study: Params) -> None:
    """Twice: the command, as a terminal's Ctrl-C meets it, and a batch system's SIGTERM, to all its processes."""
    study(LONG | {"train.epochs": 12})  # neither signal comes after its end, also where it is fast
    assert stage("train", "test4", "0").returncode == 0
    undisturbed, losses = model(), LOSSES.read_bytes()
    for path in (*folders.model("test4", 0).iterdir(), LOSSES):
        path.unlink()
    before = 0
    for number, status in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
        process = subprocess.Popen(DCGAN, stderr=subprocess.PIPE, text=True, start_new_session=True,
                                   preexec_fn=ctrl_c)
        until(lambda: LOSSES.exists() and len(pd.read_csv(LOSSES)) > before)
        begin = time.monotonic()
        os.killpg(process.pid, number)
        errors = process.communicate()[1]
        assert process.returncode == status and time.monotonic() - begin < 10, errors
        assert errors.endswith(f"train: interrupted by {number.name}\n") and "Traceback" not in errors
        assert len(checkpoints()) == 1, errors
        before = len(pd.read_csv(LOSSES)) + 5
    result = stage("train", "test4", "0")
    assert "resuming after" in result.stderr and not checkpoints()
    assert model() == undisturbed and LOSSES.read_bytes() == losses


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process of its parent's end")
def test_a_training_ends_with_dvc_that_started_it(study: Params) -> None:
    """Killed, DVC cannot tell it; another `dvc repro` would train the same beside it."""
    study(LONG)
    script = f"import subprocess; process = subprocess.Popen({DCGAN!r}); print(process.pid, flush=True); process.wait()"
    dvc = subprocess.Popen([sys.executable, "-c", script], env=os.environ | {"DVC_STAGE": "train@test4-0"}, text=True,
                           stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert dvc.stdout is not None
    training = psutil.Process(int(dvc.stdout.readline()))
    until(LOSSES.exists)
    dvc.kill()
    dvc.communicate()
    until(lambda: not training.is_running() or training.status() == psutil.STATUS_ZOMBIE, 10)
    assert len(checkpoints()) == 1


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # MLflow's own dependencies
def test_mlflows_run_is_closed_and_continued(study: Params, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study(LONG | {"train.epochs": 40})  # MLflow has the run long before the training's end, also where that is fast
    mlflow.MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}").search_experiments()  # its first tables take seconds
    monkeypatch.delenv("DCGAN_TRACKING")
    process, read = started("train", "test4", "0")

    def statuses() -> list[str]:
        with suppress(sqlite3.OperationalError), closing(
                sqlite3.connect(f"file:{tmp_path / 'mlflow.db'}?mode=ro", uri=True)) as database:
            return [status for status, in database.execute("SELECT status FROM runs")]
        return []

    until(lambda: statuses() == ["RUNNING"] and LOSSES.exists())
    begin = time.monotonic()
    os.kill(process.pid, signal.SIGTERM)
    process.join()
    assert process.exitcode == 143 and time.monotonic() - begin < 10, read()[1]
    kept = [path.read_text() for path in tmp_path.glob(".work/tracking/*/reports.jsonl")]  # for a slow MLflow, later
    assert statuses() == ["KILLED"] or any('"status": "KILLED"' in text for text in kept), read()[1]
    assert stage("train", "test4", "0").returncode == 0 and statuses() == ["FINISHED"]


STUCK = """
import time
from pipeline import stopping
stopping.EXIT_SECONDS = 1.0
with stopping.listening():
    try:
        print("ready", flush=True)
        time.sleep(60)
    finally:
        time.sleep(60)
"""
HELD = """
import hashlib, threading
from pipeline import stopping
stopping.EXIT_SECONDS = 1.0
with stopping.listening():
    threading.Timer(0.5, print, ["ready"], {"flush": True}).start()
    hashlib.pbkdf2_hmac("sha256", b"", b"", 10**9)  # one call into C, which no handler interrupts
"""
PATIENT = """
import time
from pipeline import stopping
stopping.GRACE_SECONDS = 0.5
with stopping.listening(), stopping.patiently():
    try:
        print("ready", flush=True)
        time.sleep(60)
    except stopping.Stopped:
        print("stopped")
"""


@pytest.mark.parametrize(("script", "signals", "status"), [
    (HELD, [signal.SIGTERM], 143), (STUCK, [signal.SIGTERM], 143), (STUCK, [signal.SIGINT, signal.SIGTERM], 130),
    (PATIENT, [signal.SIGTERM] * 3, 0), (PATIENT, [signal.SIGINT] * 2, 0)])
def test_nothing_keeps_a_process_longer(script: str, signals: list[signal.Signals], status: int) -> None:
    """What cannot end is ended; a training far from its next checkpoint goes without."""
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, preexec_fn=ctrl_c)
    assert process.stdout is not None and process.stdout.readline() == "ready\n"
    begin = time.monotonic()
    for number in signals:
        process.send_signal(number)
        time.sleep(0.02)
    assert process.communicate()[0] == ("stopped\n" if script == PATIENT else "") and process.returncode == status
    assert time.monotonic() - begin < 5


def test_a_process_that_nobody_asks_is_as_before() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM)]
    with stopping.listening():
        assert not stopping.asked()
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM)] == before
