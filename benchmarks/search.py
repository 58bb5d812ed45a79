"""What the search is worth: python -m benchmarks.search [reach] [overhead] [workers]

reach     when the search reaches the best distance of 40 random trials that nothing ends early, at the same budget for
          each trial; trials of both take turns; one draw of each (half an hour on two cores)
overhead  what Optuna, MLflow and the dashboard's notes take beside a trial's training and scoring
workers   how many trials an hour two workers finish with one thread each, against one worker with two

It needs data/ and models/reference in this folder (`dvc repro reference`); everything else happens in a temporary one.
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
import pandas as pd
from optuna.pruners import NopPruner
from optuna.samplers import BaseSampler, RandomSampler
from optuna.study import Study
from optuna.trial import TrialState

from pipeline import params, search, tracking, trials
from pipeline.data import images
from pipeline.gan import devices
from pipeline.laboratory import Laboratory, prepare
from pipeline.scores import reference as references
from pipeline.store import Description
from pipeline.tuning import space, storages, studies
from pipeline.tuning.studies import Wanted

RANDOM_TRIALS, GUIDED_TRIALS = 40, 12
RUN = {"batch": 100, "lr": 2e-4, "beta1": 0.5, "leak": 0.2}  # where only time is measured
SHORT = 5_000  # images of each of SHARED trials that workers share
SHARED = 6
REPETITIONS = 3


def laboratory(budget: int | None = None) -> Laboratory:
    """The search of params.yaml, with its studies in the current folder."""
    root = Path(os.environ["BENCHMARK_ROOT"])
    section = params.load(root / "params.yaml")
    if budget:
        section = replace(section, search=replace(section.search, images=budget, fid_every=budget))
    dataset = images.load(root / "data" / section.data.name)
    real = references.load(root / "models" / "reference", dataset.digest)
    return prepare(section, dataset, real, devices.choose(section.hardware),
                   storages.open_storage(None, Path(".").resolve()))


def one(lab: Laboratory, study: Study, sampler: BaseSampler | None = None, first: Sequence[Wanted] = ()) -> float:
    """Runs one more trial of `study`, those of `first` before others; returns its seconds."""
    wanted, begin = lab.section.search, time.perf_counter()
    trial = studies.claim(lab.storage, study, space.distributions(wanted.space), first, 10**6,
                          lambda begun: sampler or search.sampler(wanted, begun))
    assert trial is not None
    trials.attempt(lab, study, trial)
    return time.perf_counter() - begin


def reach() -> None:
    """Prints when the search reached what 40 random trials reach, in seconds and in images."""
    lab = laboratory()
    wanted = lab.section.search
    blind = studies.open_study(lab.storage, "random", {"of": "random"}, ["minimize"], NopPruner())
    guided = studies.open_study(lab.storage, "guided", {"of": "guided"}, ["minimize"], search.pruner(lab.section))
    first = search.first_runs(lab.section)
    sampler = RandomSampler(seed=wanted.seed)
    seconds: dict[str, list[float]] = {"random": [], "guided": []}
    for i in range(RANDOM_TRIALS):
        seconds["random"].append(one(lab, blind, sampler))
        if i < GUIDED_TRIALS:
            seconds["guided"].append(one(lab, guided, first=first))
    target = blind.best_value
    spent = images_seen = 0.0
    for trial, took in zip(guided.trials, seconds["guided"]):
        spent, images_seen = spent + took, images_seen + trial.user_attrs.get("images_seen", 0)
        if trial.state == TrialState.COMPLETE and trial.values[0] <= target:
            whole = sum(seconds["random"])
            share = images_seen / RANDOM_TRIALS / wanted.images
            print(f"reach: {lab.score} {target:.1f} is the best of {RANDOM_TRIALS} random trials after {whole:.0f} s; "
                  f"trial {trial.number} of the search reaches it after {spent:.0f} s: {spent / whole:.2f} of the "
                  f"time, {share:.2f} of the images")
            break
    else:
        print(f"reach: not within {GUIDED_TRIALS} trials: {guided.best_value:.1f} against {target:.1f}")
    curves = pd.DataFrame([trial.intermediate_values for trial in blind.trials if trial.state == TrialState.COMPLETE])
    ranks = curves.rank().corr()[wanted.images]  # Spearman's
    print("early: rank correlation with the end, over the random trials: "
          + ", ".join(f"{ranks[place]:.2f} after {place:,} images" for place in curves.columns[:-1]))
    ended = [trial for trial in guided.trials if trial.state == TrialState.PRUNED]
    saved = sum(wanted.images - trial.user_attrs["images_seen"] for trial in ended)
    print(f"pruning: {len(ended)} of {len(guided.trials)} trials ended early; "
          f"{saved / wanted.images / len(guided.trials):.0%} of the images saved")


def overhead() -> None:
    """Prints what a trial takes beside its training and scoring: Optuna's storage, MLflow, note and samples."""
    lab, extra = laboratory(), []
    study = studies.open_study(lab.storage, "told", {}, ["minimize"], NopPruner())
    with tracking.run(Description("told", {}, lab.meta, {"study": "told"}, same="study", experiment=trials.EXPERIMENT)):
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
            took = one(lab, study, first=[(RUN, {"first": f"test4 {repetition}"})])
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
    lab = laboratory(SHORT)
    study = studies.open_study(lab.storage, "shared", {}, ["minimize"], NopPruner())
    first = [(RUN, {"first": str(place)}) for place in range(SHARED)]
    search.work(lab, study, first, SHARED)


def main() -> None:
    """Runs the benchmarks named on the command line, or all."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    root = Path(".").resolve()
    os.environ |= {"BENCHMARK_ROOT": str(root), "PYTHONPATH": str(root)}
    for name in sys.argv[1:] or ["overhead", "workers", "reach"]:
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
            os.environ["DVC_ROOT"] = folder
            if name == "reach":
                os.environ["DCGAN_TRACKING"] = "off"
            {"reach": reach, "overhead": overhead, "workers": workers}[name]()
            os.chdir(root)


if __name__ == "__main__":
    main()
