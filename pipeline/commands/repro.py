"""dcgan repro: `dvc repro report`, one training after the other, with the time that is left and a report that grows.

DVC alone would train all runs before it scores the first. The results are the same.
"""
import argparse
import math
import subprocess
import sys
import time

from pipeline import folders, stopping

EXAMPLE = "example: dcgan check --time && dcgan repro"
QUICK = 10.0  # seconds that DVC takes at most to see that a training has its scores


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """`dcgan repro` takes nothing."""


def run(given: argparse.Namespace) -> None:
    """Trains and scores what is missing, writes the report after each training, and at the end as DVC records it."""
    from pipeline.params import reading
    study = reading.load()
    trainings = [f"{name}-{seed}" for seed in study.seeds for name in study.runs]
    page = folders.report("report").with_name("report.html")
    if "Running stage" not in dvc("repro", "--dry", "report", quiet=True):
        print(f"Everything is up to date: {page}")
        return
    taken: list[float] = []
    for number, one in enumerate(trainings, 1):
        print(f"\n=== training {number} of {len(trainings)}: {one}{left(taken, len(trainings) - number + 1)} ===",
              flush=True)
        begin = time.monotonic()
        dvc("repro", f"evaluate@{one}")
        if time.monotonic() - begin > QUICK:
            taken.append(time.monotonic() - begin)
            if number < len(trainings) and not started("-m", "pipeline.report"):
                print(f"{page} shows what is there so far.", flush=True)
    print("\n=== the networks are looked into, claims decided, and the report written ===", flush=True)
    dvc("repro", "report")


def left(taken: list[float], count: int) -> str:
    """How long `count` trainings will take if all are as long as those before; '' while there is none."""
    if not taken:
        return ""
    minutes = math.ceil(sum(taken) / len(taken) * count / 60)
    return f", about {minutes} minute{'s' * (minutes > 1)} left for all" if minutes < 90 else (
        f", about {minutes / 60:.1f} hours left for all")


def dvc(*words: str, quiet: bool = False) -> str:
    """Runs DVC, which says itself what fails, and ends this process with DVC's status then; returns what it printed if
    that is not shown.
    """
    if quiet:
        return subprocess.run([sys.executable, "-m", "dvc", *words], stdout=subprocess.PIPE, text=True).stdout
    if status := started("-m", "dvc", *words):
        sys.exit(status)
    return ""


def started(*words: str) -> int:
    """The status with which `python WORDS` ends. Who interrupts this process interrupts that one too, and waits for it.
    """
    process = subprocess.Popen([sys.executable, *words])
    with stopping.listening():
        try:
            return process.wait()
        except stopping.Stopped as stop:
            if stop.status == 143:  # Ctrl-C reaches both, SIGTERM this one alone
                process.terminate()
            process.wait()
            raise
