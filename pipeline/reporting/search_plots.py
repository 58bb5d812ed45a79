"""Pictures of a search. Scores are distances: lower is better, on logarithmic axes."""
import math
from contextlib import suppress
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from pipeline.figures import COLOURS, save
from pipeline.params.searching import Knob, Range
from pipeline.tuning import analysis, space
from pipeline.tuning.space import Space

GOOD, BAD, KNOWN, WEAK = *COLOURS[:3], "#999999"


def marks(axis: Axes, trials: pd.DataFrame, x: str, score: str) -> None:
    """Every scored trial as a dot: filled when complete, hollow when pruned, in colour if known before."""
    complete, known = trials["state"] == "COMPLETE", trials["first"] != ""
    for label, chosen, fill, rim, marker in (("pruned", trials["state"] == "PRUNED", "none", WEAK, "o"),
                                             ("complete", complete & ~known, GOOD, GOOD, "o"),
                                             ("known before", complete & known, KNOWN, KNOWN, "s")):
        axis.scatter(trials[x][chosen], trials[score][chosen], s=28, label=label, facecolors=fill, edgecolors=rim,
                     marker=marker)
    axis.set_yscale("log")
    axis.yaxis.set_major_formatter("{x:.0f}")
    axis.yaxis.set_minor_formatter("{x:.0f}")


def history(trials: pd.DataFrame, score: str, path: Path) -> None:
    """All trials in the order in which they were begun, and the best so far."""
    figure = Figure(figsize=(7, 3.8), layout="constrained")
    axis = figure.subplots()
    marks(axis, trials, "trial", score)
    axis.step(trials["trial"], trials[score].where(trials["state"] == "COMPLETE").cummin().ffill(), where="post",
              color=GOOD, linewidth=1, label="best so far")
    failed = trials[trials["state"] == "FAIL"]
    axis.plot(failed["trial"], [0.03] * len(failed), "x", color=BAD, transform=axis.get_xaxis_transform(),
              label="failed" if len(failed) else "_")
    for _, row in trials[(trials["first"] != "") & trials[score].notna()].iterrows():
        axis.annotate(row["first"], (row["trial"], row[score]), xytext=(3, 5), textcoords="offset points", size=8)
    axis.set(xlabel="trial", ylabel=f"{score}, validation images")
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    figure.legend(loc="outside right center", frameon=False)
    save(figure, path)


def slices(trials: pd.DataFrame, knobs: Space, score: str, path: Path) -> None:
    """The score against each parameter that was searched."""
    keys = list(space.distributions(knobs))
    figure = Figure(figsize=(2.9 * max(len(keys), 1) + 1.2, 3.2), layout="constrained")
    axes = figure.subplots(1, max(len(keys), 1), sharey=True, squeeze=False)[0]
    for axis, key in zip(axes, keys):
        marks(axis, trials, key, score)
        scale(axis, knobs[key])
        axis.set(xlabel=key)
    axes[0].set(ylabel=f"{score}, validation images")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside right center", frameon=False)
    save(figure, path)


def scale(axis: Axes, knob: Knob) -> None:
    """The parameter's axis as it was sampled; lists of sizes in powers of two."""
    if isinstance(knob, Range) and knob.log:
        axis.set_xscale("log")
    elif isinstance(knob, list) and min(knob) > 0:
        axis.set_xscale("log", base=2)
        axis.set_xticks(knob, [f"{value:g}" for value in knob], size=8)
        axis.minorticks_off()


def contour(trials: pd.DataFrame, knobs: Space, score: str, path: Path) -> None:
    """Learning rate against beta1; the darker, the better."""
    figure = Figure(figsize=(6.4, 4.2), layout="constrained")
    axis = figure.subplots()
    scored = trials[trials[score].notna()]
    lowest, highest = scored[score].min(), scored[score].max()
    levels = np.geomspace(lowest, highest, 9) if lowest < highest else [lowest]
    if len(levels) > 1 and len(scored) > 2:
        with suppress(RuntimeError):  # dots on one line have no area
            axis.tricontourf(scored["lr"], scored["beta1"], scored[score], levels=levels, cmap="Blues_r", alpha=0.6)
    complete = scored["state"] == "COMPLETE"
    dots = axis.scatter(scored["lr"], scored["beta1"], c=scored[score], norm="log", cmap="Blues_r", s=46, zorder=3,
                        edgecolors=["black" if done else WEAK for done in complete])
    for _, same in scored[scored["first"] != ""].groupby(["lr", "beta1"]):
        place = same["lr"].iloc[0], same["beta1"].iloc[0]
        axis.annotate(", ".join(same["first"]), place, xytext=(6, -3), textcoords="offset points", size=8)
    scale(axis, knobs["lr"])
    axis.use_sticky_edges = False
    axis.margins(0.06)
    axis.set(xlabel="lr", ylabel="beta1")
    bar = figure.colorbar(dots, ax=axis, label=f"{score}, validation images", ticks=levels, format="{x:.0f}")
    bar.minorticks_off()
    save(figure, path)


def parallel(trials: pd.DataFrame, knobs: Space, score: str, path: Path) -> None:
    """Each trial as a line through its parameters to its score; the best quarter in colour."""
    keys = [*space.distributions(knobs), score]
    scored = trials[trials[score].notna()].reset_index(drop=True)
    heights = np.empty((len(scored), len(keys)))
    figure = Figure(figsize=(8.4, 4), layout="constrained")
    axis = figure.subplots()
    for x, key in enumerate(keys):
        values = scored[key].astype(float)
        logarithmic = key == score or getattr(knobs[key], "log", isinstance(knobs[key], list)) and values.min() > 0
        places = values.map(math.log) if logarithmic else values
        heights[:, x] = (places - places.min()) / ((places.max() - places.min()) or 1)
        axis.axvline(x, color=WEAK, linewidth=0.8)
        ordered = np.sort(values)
        shown = values.unique() if isinstance(knobs.get(key), list) else ordered[[0, len(ordered) // 2, -1]]
        for value in set(shown):
            height = heights[values == value, x][0]
            axis.annotate(f"{value:.4g}", (x, height), xytext=(5, 0), textcoords="offset points", size=8, va="center")
    best = scored["trial"].isin(analysis.best_quarter(trials, score)["trial"])
    for row, is_best in sorted(zip(heights, best), key=lambda pair: pair[1]):
        axis.plot(row, color=GOOD if is_best else WEAK, alpha=1 if is_best else 0.4, linewidth=2 if is_best else 1)
    axis.set_xticks(range(len(keys)), keys)
    axis.set_yticks([])
    axis.spines["left"].set_visible(False)
    axis.set_xlim(-0.1, len(keys) - 0.6)
    save(figure, path)


def importances(weights: pd.DataFrame, path: Path) -> None:
    """How much each parameter decides about being among the best, with the interval of resampled trials."""
    figure = Figure(figsize=(6.4, 0.5 * max(len(weights), 1) + 1.2), layout="constrained")
    axis = figure.subplots()
    shown = weights[::-1]
    axis.barh(shown["parameter"], shown["importance"].astype(float), color=GOOD, height=0.55)
    axis.hlines(shown["parameter"], shown["low"].astype(float), shown["high"].astype(float), color="black")
    axis.set(xlabel="importance for reaching the best quarter; line: 90 % of resampled studies", xlim=(0, 1))
    save(figure, path)


def seeds(trials: pd.DataFrame, repeats: pd.DataFrame, means: pd.DataFrame, score: str, path: Path) -> None:
    """The candidates, best on average first: every seed, the mean, and the score that they were chosen by."""
    figure = Figure(figsize=(7, 3.6), layout="constrained")
    axis = figure.subplots()
    for x, (_, row) in enumerate(means.iterrows()):
        values = repeats[score][repeats["candidate"] == row["candidate"]]
        axis.scatter([x] * len(values), values, color=GOOD, s=28, label="_" * (x > 0) + "further seeds")
        axis.hlines(row["mean"], x - 0.2, x + 0.2, color=GOOD, label="_" * (x > 0) + "their mean")
        axis.scatter([x], trials[score][trials["trial"] == row["candidate"]], marker="x", color=BAD,
                     label="_" * (x > 0) + "the seed it was chosen by")
    names = [trials["first"].iloc[int(place)] or f"trial {int(place)}" for place in means["candidate"]]
    axis.set_xticks(range(len(names)), names)
    axis.set(ylabel=f"{score}, validation images", xlim=(-0.5, len(names) - 0.5), ylim=(0, None))
    figure.legend(loc="outside right center", frameon=False)
    save(figure, path)


def front(trials: pd.DataFrame, score: str, path: Path) -> None:
    """The score against the probe's accuracy, and the front that nothing beats in both."""
    figure = Figure(figsize=(6.4, 4), layout="constrained")
    axis = figure.subplots()
    complete = trials[trials["state"] == "COMPLETE"]
    marks(axis, complete, analysis.PROBE, score)
    best = complete[complete["trial"].isin(analysis.front(complete, score))].sort_values(score)
    axis.plot(best[analysis.PROBE], best[score], color=GOOD, linewidth=1)
    axis.set(xlabel="probe accuracy, validation images", ylabel=f"{score}, validation images")
    save(figure, path)
