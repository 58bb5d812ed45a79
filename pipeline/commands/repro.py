"""dcgan repro: `dvc repro report`, the trainings first, with the time that is left and a report that grows.

DVC alone would train one run after the other, and all of them before it scores the first. On CPUs trainings run side by
side, and so do their scores: both keep one thread busy, and several only in part. The results are the same but for
rounding, which depends on the number of threads. `dcgan repro search` searches with as many workers, which take trials
as they come; `dvc repro search` has one, which always finds the same.
"""
import argparse
import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from pipeline import folders, stopping
from pipeline.errors import InputError

if TYPE_CHECKING:
    from pipeline.params.study import Study

EXAMPLE = "example: dcgan check --time && dcgan repro"
CONTROLS = "controls"  # which take about as long as a training
LOOK_SECONDS = 1.0  # between two looks at what DVC has started
BYTES = 5 << 29  # of memory for a training or an evaluation among others: 1.5 and 2.3 GB with the slides' network


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `dcgan repro` takes."""
    parser.add_argument("what", nargs="?", choices=("report", "search"), default="report", help="default: report")


def run(given: argparse.Namespace) -> None:
    """Does what is missing."""
    from pipeline.params import reading
    {"report": report, "search": search}[given.what](reading.load())


def search(study: "Study") -> None:
    """Searches with all workers that there is room for; at the end DVC records what was found."""
    dvc("repro", "fetch")
    if "search" not in stale("search"):
        print(f"Everything is up to date: {folders.report('search') / 'report.md'}")
        return
    if (workers := places(study)) > 1:
        print(f"\n=== {workers} workers ===", flush=True)
        side_by_side({f"worker{number}": ["-m", "pipeline", "search"] for number in range(1, workers + 1)})
    dvc("repro", "search")


def report(study: "Study") -> None:
    """Trains and scores what is missing, with a report of what is there after each, and at the end as DVC records it.
    """
    page = folders.report("report").with_name("report.html")
    if not stale():
        print(f"Everything is up to date: {page}")
        return
    dvc("repro", "reference")
    changed, slots = stale(), places(study)
    trainings = [f"{name}-{seed}" for seed in study.seeds for name in study.runs]
    jobs = [one for one in trainings if changed & {f"train@{one}", f"evaluate@{one}"}]
    if slots > 1 and CONTROLS in changed and jobs:
        jobs.insert(1, CONTROLS)  # behind a training, which shows its progress
    taken: list[float] = []
    for first in range(0, len(jobs), slots):
        together, later = jobs[first:first + slots], jobs[first + slots:]
        rest = left(taken, math.ceil((len(jobs) - first) / slots))
        print(f"\n=== {title(together, first, len(jobs))}{rest} ===", flush=True)
        new = [one for one in together if one != CONTROLS]
        before, begin = [scored(one) for one in new], time.monotonic()
        if len(together) > 1:
            side_by_side(alone(one if one == CONTROLS else f"train@{one}" for one in together))
        if len(new) > 1:
            side_by_side(alone(f"evaluate@{one}" for one in new))
        else:
            dvc("repro", f"evaluate@{new[0]}")
        if [scored(one) for one in new] != before:
            taken.append(time.monotonic() - begin)
            there = ",".join(one for one in trainings if one not in later)
            if later and not any(started(["-m", "pipeline.report"], environment={"DCGAN_SO_FAR": there})):
                print(f"{page} shows what is there so far.", flush=True)
    print("\n=== the networks are looked into, claims decided, and the report written ===", flush=True)
    dvc("repro", "report")


def places(study: "Study") -> int:
    """How many trainings or workers run side by side: as many as there are threads on CPUs with memory for each; one on
    a GPU.
    """
    from pipeline.gan import devices
    if devices.choose(study.hardware).device.type != "cpu":
        return 1
    return max(1, min(torch_threads(), psutil.virtual_memory().available // BYTES))


def torch_threads() -> int:
    """How many threads PyTorch uses here."""
    import torch
    return torch.get_num_threads()


def alone(stages: Iterable[str]) -> dict[str, list[str]]:
    """The commands that run stages without what they need, by stage."""
    return {stage: ["-m", "dvc", "--wait-for-lock", "repro", "-s", stage] for stage in stages}


def side_by_side(commands: Mapping[str, Sequence[str]]) -> None:
    """Runs commands of Python that have names. Only the first shows its progress; what the others say is kept."""
    kept = folders.work("repro", folders.study())
    kept.mkdir(parents=True, exist_ok=True)
    logs = [kept / f"{name}.log" for name in list(commands)[1:]]
    threads = str(torch_threads() // len(commands))
    statuses = started(*commands.values(), environment={"OMP_NUM_THREADS": threads}, logs=logs)
    for status, log in zip(statuses[1:], logs):
        if status:
            print(log.read_text(errors="replace"), file=sys.stderr)
    if failed := [status for status in statuses if status]:
        sys.exit(failed[0])


def title(jobs: list[str], before: int, count: int) -> str:
    """Which of `count` jobs run, after `before` others."""
    if len(jobs) == 1:
        return f"training {before + 1} of {count}: {jobs[0]}"
    return f"side by side, {before + 1} to {before + len(jobs)} of {count}: {', '.join(jobs)}"


def left(taken: list[float], count: int) -> str:
    """How long `count` groups take if all are as long as those before; '' while there is none."""
    if not taken:
        return ""
    minutes = math.ceil(sum(taken) / len(taken) * count / 60)
    length = f"{minutes} minute{'s' * (minutes > 1)}" if minutes < 90 else f"{minutes / 60:.1f} hours"
    return f", about {length} for all that are left"


def scored(training: str) -> int:
    """When the training was scored; 0 for never."""
    name, _, seed = training.rpartition("-")
    path = folders.report("evaluate", name, int(seed)) / "scores.json"
    return path.stat().st_mtime_ns if path.exists() else 0


def stale(target: str = "report") -> set[str]:
    """The stages up to `target` that have changed, or lack something; InputError when DVC cannot say."""
    words = ["status", "--with-deps", "--json", target]
    asked = subprocess.run([sys.executable, "-m", "dvc", *words], stdout=subprocess.PIPE, text=True)
    if asked.returncode:
        raise InputError(f"`dvc {' '.join(words)}` failed; its own lines above say why")
    return set(json.loads(asked.stdout))


def dvc(*words: str) -> None:
    """Runs DVC, which says itself what fails; this process then ends with DVC's status."""
    if status := started(["-m", "dvc", *words])[0]:
        sys.exit(status)


def started(*commands: Sequence[str], environment: Mapping[str, str] | None = None, logs: Sequence[Path] = ()
            ) -> list[int]:
    """The statuses with which `python COMMAND` end that run side by side; `logs` take what all but the first print.

    Told to stop, this process tells all that it has started, and waits.
    """
    processes: list[subprocess.Popen[bytes]] = []
    below: set[psutil.Process] = set()
    with stopping.listening():
        try:
            with ExitStack() as files:
                for words, log in zip(commands, (None, *logs)):
                    output = files.enter_context(open(log, "wb")) if log else None
                    processes.append(subprocess.Popen([sys.executable, *words], stdout=output, stderr=output,
                                                      env=os.environ | dict(environment or {})))
            while running := [one for one in processes if one.poll() is None]:
                below |= children(running)
                with suppress(subprocess.TimeoutExpired):
                    running[0].wait(timeout=LOOK_SECONDS)
            return [one.returncode for one in processes]
        except stopping.Stopped:
            below |= children(processes)
            for one in below:  # not DVC, which would end at once and not wait for its stage
                with suppress(psutil.NoSuchProcess):
                    one.terminate()
            psutil.wait_procs(below)
            for process in processes:
                process.terminate()  # if it has started nothing
            for process in processes:
                process.wait()
            raise


def children(processes: Sequence["subprocess.Popen[bytes]"]) -> set[psutil.Process]:
    """All processes that these have started, and they in turn; nothing of one that has ended."""
    found: set[psutil.Process] = set()
    for one in processes:
        with suppress(psutil.NoSuchProcess):
            found |= set(psutil.Process(one.pid).children(recursive=True))
    return found
