"""What the search is worth: python -m benchmarks.search [reach] [overhead] [workers]

reach     the best distance against the images spent, of the search, plain TPE and random search, five times each;
          writes benchmarks/reach.csv and reach.png (about an hour on one core)
overhead  what Optuna, MLflow and the dashboard's notes take beside a trial's training and scoring
workers   how many trials an hour two workers finish with one thread each, against one worker with two

The last two need data/ in this folder (`dvc repro fetch`); everything else happens in a temporary one.
"""
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import optuna
from optuna.pruners import NopPruner
from optuna.study import Study
from optuna.trial import TrialState

from benchmarks.reach import reach
from pipeline import folders, search
from pipeline.data import images
from pipeline.gan import devices
from pipeline.params import reading
from pipeline.params.study import Study as Params
from pipeline.tracking import store, tracker
from pipeline.tracking.store import Description
from pipeline.tuning import samplers, space, storages, studies, trials
from pipeline.tuning.notes import Notes
from pipeline.tuning.setup import Setup, prepare
from pipeline.tuning.studies import Order

RUN = {"batch": 100, "lr": 2e-4, "beta1": 0.5, "leak": 0.2}  # where only time is measured
SHORT = 5_000  # images of each of SHARED trials that workers share
SHARED = 6
REPETITIONS = 3


def study_of_root() -> Params:
    """The params.yaml that the benchmark was started beside."""
    return reading.load(Path(os.environ["BENCHMARK_ROOT"]) / "params.yaml")


def prepared(budget: int | None = None) -> Setup:
    """The search of params.yaml, with its studies in the current folder."""
    root, params = Path(os.environ["BENCHMARK_ROOT"]), study_of_root()
    search_params = replace(params.search, rungs=[budget], pruner="none") if budget else params.search
    dataset = images.load(root / folders.data(params.data.name))
    return prepare(search_params, params.train, params.evaluate, dataset, params.reference,
                   devices.choose(params.hardware),
                   storages.open_storage(None, Path(".").resolve()))


def one(setup: Setup, study: Study, first: Sequence[Order]) -> float:
    """Runs one more trial of `study`, those of `first` before others; returns its seconds."""
    params, begin = setup.search, time.perf_counter()
    trial = studies.claim(setup.storage, study, space.distributions(params.space), first, 10**6,
                          lambda begun: samplers.sampler(params, begun))
    assert trial is not None
    trials.attempt(setup, study, trial)
    return time.perf_counter() - begin


def overhead() -> None:
    """Prints what a trial takes beside its training and scoring: Optuna's storage, MLflow, note and samples."""
    setup, extra = prepared(), []
    study = studies.open_study(setup.storage, "tracked", {}, ["minimize"], NopPruner())
    with tracker.run(Description("tracked", {}, setup.meta, {"study": "tracked"}, same="study",
                                 experiment=store.experiment("search"))):
        pass
    fit = trials.fit
    for repetition in range(REPETITIONS):
        inside = []

        def timed(*words: Any) -> TrialState:
            begin = time.perf_counter()
            ended = fit(*words)
            inside.append(time.perf_counter() - begin)
            return ended

        with mock.patch.object(trials, "fit", timed):
            took = one(setup, study, first=[(RUN, Notes(first=f"test4 {repetition}"))])
        extra.append((took - inside[0]) / inside[0])
        print(f"overhead: {took - inside[0]:.2f} s beside {inside[0]:.1f} s")
    print(f"overhead: {statistics.median(extra):.1%} of a trial's training and scoring")


def workers() -> None:
    """Prints the ratio of trials in a given time: two workers with one thread each, to one with two."""
    ratios = []
    for repetition in range(REPETITIONS):
        seconds = {}
        for count in (1, 2) if repetition % 2 else (2, 1):
            environment = os.environ | {"OMP_NUM_THREADS": str(2 // count), "DCGAN_TRACKING": "off"}
            with tempfile.TemporaryDirectory() as folder:
                environment["DVC_ROOT"] = folder
                script = "from benchmarks import search; search.share()"
                team = [subprocess.Popen([sys.executable, "-c", script], cwd=folder, env=environment,
                                         stderr=subprocess.DEVNULL) for _ in range(count)]
                if any(worker.wait() for worker in team):
                    raise RuntimeError("a worker failed")
                storage = storages.open_storage(None, Path(folder))
                done = optuna.load_study(study_name="shared", storage=storage.backend).trials
                begun = min(trial.datetime_start for trial in done if trial.datetime_start)
                ended = max(trial.datetime_complete for trial in done if trial.datetime_complete)
                seconds[count] = (ended - begun).total_seconds()
        ratios.append(seconds[1] / seconds[2])
        print(f"workers: {seconds[1]:.0f} s with one, {seconds[2]:.0f} s with two")
    print(f"workers: two finish {statistics.median(ratios):.2f} times as many trials as one")


def share() -> None:
    """Works on a study of a few short trials that other processes may share."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    setup = prepared(SHORT)
    study = studies.open_study(setup.storage, "shared", {}, ["minimize"], NopPruner())
    search.work(setup, study, [(RUN, Notes(first=str(place))) for place in range(SHARED)], SHARED)


def main() -> None:
    """Runs the benchmarks named on the command line, or all."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    root = Path(".").resolve()
    os.environ |= {"BENCHMARK_ROOT": str(root), "PYTHONPATH": str(root)}
    for name in sys.argv[1:] or ["overhead", "workers", "reach"]:
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
            os.environ["DVC_ROOT"] = folder
            {"reach": lambda: reach(root), "overhead": overhead, "workers": workers}[name]()
            os.chdir(root)


if __name__ == "__main__":
    main()
