"""How many images the search needs for what random search finds: python -m benchmarks.search reach

Three ways to spend the same number of training images on a small MNIST (12,000 images of 16x16 pixels, the slides'
network at that size with a quarter of its channels): TPE with successive halving, which is the default of section
search; plain TPE, every trial at full length; and random search at full length. Each five times, with another split,
classifier, seed of the trainings and draws; the repetitions of the three share all but the draws. It needs
data/arrays/mnist (`dvc repro fetch`) and about an hour on one core. What is in reach.csv is not measured again.
"""
import csv
import math
import os
import tempfile
from dataclasses import replace
from pathlib import Path
from unittest import mock

import numpy as np
import optuna
import pandas as pd
import torch
from matplotlib.figure import Figure
from optuna.trial import TrialState
from torch.nn import functional as F

from pipeline import folders
from pipeline.data import images
from pipeline.data.images import Dataset
from pipeline.figures import COLOURS, save
from pipeline.gan import devices, literature
from pipeline.gan.networks import Dense, Reshape
from pipeline.params.scoring import Evaluate
from pipeline.params.searching import Search
from pipeline.params.sections import Hardware, ReferenceFit, Train
from pipeline.tuning import rungs, samplers, space, storages, studies, trials
from pipeline.tuning.setup import Setup, prepare

FULL = 9_000  # images of a complete trial
BUDGET = 15 * FULL  # images of one search
REPETITIONS = 5
SEARCH = Search(rungs=[FULL // 9, FULL // 3, FULL], validation=2_000, probe_images=100)
WAYS = {
    "search": SEARCH,
    "plain TPE": replace(SEARCH, pruner="none", rungs=[FULL]),
    "random": replace(SEARCH, sampler="random", pruner="none", rungs=[FULL])}
TRAIN = Train(network="slides-16", width=0.25, fid_images=500, report_images=FULL, checkpoint_seconds=1e4, grid=4,
              statistics_images=500)
SLIDES = literature.NETWORKS["slides"]
SMALL = replace(SLIDES, image=(1, 16, 16), generator=(
    Dense(4 * 4 * 256, bias=False), *SLIDES.generator[1:3], Reshape(256, 4, 4), *SLIDES.generator[4:]))
IMAGES = 12_000


def reach(root: Path) -> None:
    """Writes reach.csv and reach.png into benchmarks/ of `root`, and prints when the search has what random search has.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    csv_file = root / "benchmarks/reach.csv"
    rows: list[list[object]] = pd.read_csv(csv_file, dtype=str, keep_default_na=False).to_numpy().tolist() if (
        csv_file.exists()) else []
    known = {(way, int(str(repetition))) for way, repetition, *_ in rows}
    with (tempfile.TemporaryDirectory() as folder, mock.patch.dict(literature.NETWORKS, {"slides-16": SMALL}),
          mock.patch.dict(os.environ, DVC_ROOT=folder, DCGAN_TRACKING="off"),
          mock.patch.object(trials, "probe_accuracy", lambda *_: 0.0)):
        dataset = shrunk(images.load(root / folders.data("mnist")), Path(folder) / "mnist")
        for repetition in range(REPETITIONS):
            for way, search in WAYS.items():
                if (way, repetition) in known:
                    continue
                setup = prepare(replace(search, seed=repetition), TRAIN, Evaluate(), dataset, ReferenceFit(epochs=2),
                                devices.choose(Hardware()), storages.open_storage(None, Path(folder)))
                for trial, spent, best in spending(setup, f"{way} {repetition}"):
                    rows.append([way, repetition, trial, spent, f"{best:.6g}" if math.isfinite(best) else ""])
                print(f"reach: {way}, repetition {repetition}: {rows[-1][4]} after {rows[-1][3]:,} images", flush=True)
                with open(csv_file, "w", newline="") as file:
                    head = ["way", "repetition", "trial", "images", "best"]
                    csv.writer(file, lineterminator="\n").writerows([head, *rows])
    table = pd.read_csv(csv_file)
    draw(table, root / "benchmarks/reach.png")
    print(report(table))


def spending(setup: Setup, name: str) -> list[tuple[int, int, float]]:
    """Spends BUDGET images; of each trial its number, the images spent until its end, and the best distance by then.

    Only complete trials count, those that collapsed with the search's penalty.
    """
    search = setup.search
    study = studies.open_study(setup.storage, name, {"of": name}, ["minimize"], rungs.pruner(search))
    spent, best, found = 0, math.inf, []
    while spent < BUDGET:
        trial = studies.claim(setup.storage, study, space.distributions(search.space), [], 10**6,
                              lambda begun: samplers.sampler(search, begun))
        assert trial is not None
        trials.attempt(setup, study, trial)
        ended = study.trials[trial.number]
        spent += ended.user_attrs.get("images_seen", FULL)  # one that diverged counts as whole
        if ended.state == TrialState.COMPLETE and ended.value is not None:
            best = min(best, math.exp(ended.value))
        found.append((trial.number, spent, best))
    return found


def shrunk(dataset: Dataset, folder: Path) -> Dataset:
    """The first IMAGES training images at 16x16: framed to 32x32, and averaged over squares of four pixels."""
    arrays = {}
    for part, count in (("train", IMAGES), ("test", 1_000)):
        stored = np.array(getattr(dataset, f"{part}_images")[:count])
        framed = F.pad(torch.from_numpy(stored).float(), (2, 2, 2, 2))
        arrays[f"{part}_images"] = F.avg_pool2d(framed, 2).round().to(torch.uint8).numpy()
        arrays[f"{part}_labels"] = np.array(getattr(dataset, f"{part}_labels")[:count])
    images.save(folder, arrays, dict(dataset.meta))
    return images.load(folder)


def curves(table: pd.DataFrame, way: str, at: np.ndarray) -> np.ndarray:
    """Of each repetition the best distance after so many images, (repetitions, len(at)); inf before the first."""
    found = []
    for _, rows in table[table["way"] == way].groupby("repetition"):
        places = np.searchsorted(rows["images"].to_numpy(), at, side="right") - 1
        best = rows["best"].fillna(math.inf).to_numpy()
        found.append(np.where(places >= 0, best[np.maximum(places, 0)], math.inf))
    return np.array(found)


def needed(table: pd.DataFrame, way: str, best: np.ndarray) -> np.ndarray:
    """Of each repetition the images after which `way` is at `best` (repetitions,) or below; inf if never."""
    groups = [rows for _, rows in table[table["way"] == way].groupby("repetition")]
    return np.array([rows["images"][rows["best"] <= goal].min() if (rows["best"] <= goal).any() else math.inf
                     for rows, goal in zip(groups, best)])


def report(table: pd.DataFrame) -> str:
    """A table: after N images of random search, how many times fewer each way needs for the same.

    Random search itself needs fewer than N, where its last trials found nothing better.
    """
    lines = ["| random search | its best distance | search: times fewer images | plain TPE | random search itself |",
             "|---:|---:|---:|---:|---:|"]
    for count in (5, 10, 15):
        best = curves(table, "random", np.array([count * FULL]))[:, 0]
        cells = []
        for way in WAYS:
            factors = count * FULL / needed(table, way, best)
            cells.append(f"{np.median(factors):.1f} ({factors.min():.1f} to {factors.max():.1f})")
        lines.append(f"| {count} trials, {count * FULL:,} images | {np.exp(np.log(best).mean()):.0f} | "
                     + " | ".join(cells) + " |")
    note = "Medians over the repetitions, and their range; 0: never within the budget. Distances are geometric means."
    return "\n".join([*lines, "", note])


def draw(table: pd.DataFrame, path: Path) -> None:
    """The best distance against the images spent, the geometric mean of the repetitions and their range."""
    figure = Figure(figsize=(7, 4), layout="constrained")
    axis, at = figure.subplots(), np.arange(FULL, BUDGET + 1, 100)
    for way, colour in zip(WAYS, COLOURS):
        found = curves(table, way, at)
        known = np.isfinite(found).all(axis=0)
        axis.plot(at[known], np.exp(np.log(found[:, known]).mean(axis=0)), color=colour, label=way)
        low, high = found[:, known].min(axis=0), found[:, known].max(axis=0)
        axis.fill_between(at[known], low, high, color=colour, alpha=0.12)
    axis.set(xlabel="training images spent", ylabel="best validation distance of a complete trial", yscale="log")
    axis.yaxis.set_major_formatter("{x:.0f}")
    axis.yaxis.set_minor_formatter("{x:.0f}")
    axis.legend(frameon=False)
    save(figure, path)
