"""dcgan repro: `dvc repro report`, one training after the other, with the time that is left and a report that grows.

DVC alone would train all runs before it scores the first. The results are the same.
"""
import argparse
import json
import math
import os
import subprocess
import sys
import time
from contextlib import suppress

import psutil

from pipeline import folders, stopping
from pipeline.errors import InputError

EXAMPLE = "example: dcgan check --time && dcgan repro"
LOOK_SECONDS = 1.0  # between two looks at what DVC has started


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """`dcgan repro` takes nothing."""


def run(given: argparse.Namespace) -> None:
    """Trains and scores what is missing, with a report of what is there after each, and at the end as DVC records it.
    """
    from pipeline.params import reading
    study = reading.load()
    trainings = [(name, seed) for seed in study.seeds for name in study.runs]
    page = folders.report("report").with_name("report.html")
    if not stale():
        print(f"Everything is up to date: {page}")
        return
    taken: list[float] = []
    for number, (name, seed) in enumerate(trainings, 1):
        rest = left(taken, len(trainings) - number + 1)
        print(f"\n=== training {number} of {len(trainings)}: {name}-{seed}{rest} ===", flush=True)
        before, begin = scored(name, seed), time.monotonic()
        dvc("repro", f"evaluate@{name}-{seed}")
        if scored(name, seed) != before:
            taken.append(time.monotonic() - begin)
            there = ",".join(f"{one}-{its}" for one, its in trainings[:number])
            if number < len(trainings) and not started("-m", "pipeline.report", environment={"DCGAN_SO_FAR": there}):
                print(f"{page} shows what is there so far.", flush=True)
    print("\n=== the networks are looked into, claims decided, and the report written ===", flush=True)
    dvc("repro", "report")


def left(taken: list[float], count: int) -> str:
    """How long `count` trainings take if none is there and all are as long as those before; '' while there is none."""
    if not taken:
        return ""
    minutes = math.ceil(sum(taken) / len(taken) * count / 60)
    length = f"{minutes} minute{'s' * (minutes > 1)}" if minutes < 90 else f"{minutes / 60:.1f} hours"
    return f", at most about {length} for all that are left"


def scored(name: str, seed: int) -> int:
    """When the training was scored; 0 for never."""
    path = folders.report("evaluate", name, seed) / "scores.json"
    return path.stat().st_mtime_ns if path.exists() else 0


def stale() -> bool:
    """Whether anything behind the report has changed, or lacks; InputError when DVC cannot say."""
    words = ["status", "--with-deps", "--json", "report"]
    asked = subprocess.run([sys.executable, "-m", "dvc", *words], stdout=subprocess.PIPE, text=True)
    if asked.returncode:
        raise InputError(f"`dvc {' '.join(words)}` failed; its own lines above say why")
    return bool(json.loads(asked.stdout))


def dvc(*words: str) -> None:
    """Runs DVC, which says itself what fails; this process then ends with DVC's status."""
    if status := started("-m", "dvc", *words):
        sys.exit(status)


def started(*words: str, environment: dict[str, str] | None = None) -> int:
    """The status with which `python WORDS` ends. Told to stop, this process tells all that it has started, and waits.
    """
    with stopping.listening():
        process = subprocess.Popen([sys.executable, *words], env=os.environ | (environment or {}))
        below: set[psutil.Process] = set()
        try:
            while True:
                below |= children(process.pid)
                with suppress(subprocess.TimeoutExpired):
                    return process.wait(timeout=LOOK_SECONDS)
        except stopping.Stopped:
            below |= children(process.pid)
            for one in below:  # not DVC, which would end at once and not wait for its stage
                with suppress(psutil.NoSuchProcess):
                    one.terminate()
            psutil.wait_procs(below)
            process.terminate()  # if it has started nothing
            process.wait()
            raise


def children(pid: int) -> set[psutil.Process]:
    """All processes that the process has started, and they in turn; nothing once it has ended."""
    try:
        return set(psutil.Process(pid).children(recursive=True))
    except psutil.NoSuchProcess:
        return set()
