"""Pictures of a search. Scores are distances: lower is better, on logarithmic axes."""
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from pipeline.figures import COLOURS, save
from pipeline.params.searching import Range, Space, choices
from pipeline.reporting.search_results import SearchOutcome
from pipeline.tuning import analysis

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
    sound = (trials["state"] == "COMPLETE") & (trials["reason"] == "")
    axis.step(trials["trial"], trials[score].where(sound).cummin().ffill(), where="post",
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
    """The score against each parameter that was searched; trials that do not set it are left out."""
    keys = [key for key, knob in knobs.items() if isinstance(knob, Range) or choices(knob) is not None]
    figure = Figure(figsize=(2.9 * max(len(keys), 1) + 1.2, 3.2), layout="constrained")
    axes = figure.subplots(1, max(len(keys), 1), sharey=True, squeeze=False)[0]
    for axis, key in zip(axes, keys):
        marks(axis, trials[trials[key].notna()], key, score)
        scale(axis, knobs[key])
        axis.set(xlabel=key)
    axes[0].set(ylabel=f"{score}, validation images")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside right center", frameon=False)
    save(figure, path)


def scale(axis: Axes, knob: Any) -> None:
    """The parameter's axis as it was sampled; lists of sizes in powers of two."""
    values = choices(knob) or []
    numbers = [value for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    if isinstance(knob, Range) and knob.log:
        axis.set_xscale("log")
    elif values and numbers == values and min(numbers) > 0:
        axis.set_xscale("log", base=2)
        axis.set_xticks(numbers, [f"{value:g}" for value in numbers], size=8)
        axis.minorticks_off()


def importances(weights: pd.DataFrame, path: Path) -> None:
    """How much each parameter decides about being among the best, with the interval of resampled trials."""
    figure = Figure(figsize=(6.4, 0.5 * max(len(weights), 1) + 1.2), layout="constrained")
    axis = figure.subplots()
    shown = weights[::-1]
    axis.barh(shown["parameter"], shown["importance"].astype(float), color=GOOD, height=0.55)
    axis.hlines(shown["parameter"], shown["low"].astype(float), shown["high"].astype(float), color="black")
    axis.set(xlabel="importance for reaching the best quarter; line: 90 % of resampled studies", xlim=(0, 1))
    save(figure, path)


def seeds(search: SearchOutcome, path: Path) -> None:
    """The candidates at the study's length, best on average first: every seed, and the mean."""
    figure = Figure(figsize=(7, 3.6), layout="constrained")
    axis, means = figure.subplots(), search.means
    for x, (_, row) in enumerate(means.iterrows()):
        values = search.repeats[search.score][search.repeats["candidate"] == row["candidate"]]
        colour = KNOWN if row["candidate"] == search.known else GOOD
        axis.scatter([x] * len(values), values, color=colour, s=28, label="_" * (x > 0) + "one training")
        axis.hlines(row["mean"], x - 0.2, x + 0.2, color=colour, label="_" * (x > 0) + "their mean")
    axis.set_xticks(range(len(means)), [search.called(place) for place in means["candidate"]])
    axis.set(ylabel=f"{search.score}, validation images,\nafter {search.length:,} images",
             xlim=(-0.5, len(means) - 0.5), ylim=(0, None))
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
