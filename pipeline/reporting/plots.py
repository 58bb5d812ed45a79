"""The report's plots: the runs on shared axes, each in its colour, on white paper and for dark screens."""
import io
import itertools
import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import LogLocator, NullLocator

from pipeline.figures import COLOURS
from pipeline.reporting.results import Result

LIGHT = "#e3e3e6"  # of text on dark screens
SIGN = "sign of a collapse"  # the id of its marks
WIDTH = 6.4  # inches, all alike: letters stay readable on a telephone


def drawn(results: list[Result]) -> dict[str, Figure]:
    """All plots by the name of their file."""
    return {"losses": losses(results), "fid": fid(results), "classes": classes(results)}


def coloured(names: list[str]) -> dict[str, str]:
    """The colour of each run, the same everywhere."""
    return dict(zip(names, itertools.cycle(COLOURS)))


def night(figure: Figure) -> bytes:
    """The figure as a PNG without a ground, in light letters; the same figure gives the same bytes."""
    for text in figure.findobj(Text):
        text.set_color(LIGHT)
    for axis in figure.axes:
        axis.tick_params(which="both", colors=LIGHT)
        axis.spines[:].set_color(LIGHT)
        for line in axis.lines:
            if line.get_color() == "#000000":
                line.set_color(LIGHT)
        for bar in axis.patches:
            if bar.get_facecolor()[:3] == (0, 0, 0):
                bar.set_facecolor(LIGHT)
    content = io.BytesIO()
    figure.savefig(content, dpi=120, transparent=True, metadata={"Software": None})
    return content.getvalue()


def losses(results: list[Result]) -> Figure:
    """Both losses of all trainings, on shared axes, with the values at which D cannot tell real from fake."""
    figure = Figure(figsize=(WIDTH, 5.4), layout="constrained")
    axes = figure.subplots(2, 1, sharex=True)
    _draw_losses(list(axes), results)
    axes[1].set(xlabel="images seen, thousands")
    _legend(figure)
    return figure


def fid(results: list[Result]) -> Figure:
    """The Fréchet distance of all trainings over images seen, on a logarithmic axis, and where collapses begin."""
    figure = Figure(figsize=(WIDTH, 3.8), layout="constrained")
    axis = figure.subplots()
    _draw_distances(axis, results)
    axis.set(xlabel="images seen, thousands")
    _legend(figure)
    return figure


def curves(results: list[Result]) -> Figure:
    """The distances and both losses of all trainings, one below the other."""
    figure = Figure(figsize=(WIDTH, 8.4), layout="constrained")
    axes = figure.subplots(3, 1, sharex=True)
    _draw_distances(axes[0], results)
    _draw_losses(list(axes[1:]), results)
    axes[2].set(xlabel="images seen, thousands")
    _legend(figure)
    return figure


def _draw_losses(axes: list[Axes], results: list[Result]) -> None:
    colours = coloured([result.name for result in results])
    for axis, key, title, blind in ((axes[0], "loss_D", "discriminator", 2 * math.log(2)),
                                    (axes[1], "loss_G", "generator", math.log(2))):
        for result in results:
            for training in result.trainings:
                axis.plot(training.losses["images_seen"] / 1000, training.losses[key], color=colours[result.name],
                          linewidth=_width(result), label=result.name if training is result.first else None)
        axis.axhline(blind, color="grey", linestyle=":", label="D cannot tell")
        axis.set(ylabel=f"loss of the {title}, nats")
        _logarithmic(axis)


def _draw_distances(axis: Axes, results: list[Result]) -> None:
    """The curves of G, those of the average of its weights dashed, and a cross where a sign of a collapse begins."""
    colours = coloured([result.name for result in results])
    for result in results:
        for training in result.trainings:
            seen, colour = training.fid["images_seen"] / 1000, colours[result.name]
            axis.plot(seen, training.fid.iloc[:, 1], "o-", markersize=4, color=colour, linewidth=_width(result),
                      label=result.name if training is result.first else None)
            for name in training.fid.columns[2:]:
                axis.plot(seen, training.fid[name], "--", color=colour, linewidth=_width(result))
            begins = training.events["images_seen"][training.events["begins"] == 1].astype(float) / 1000
            logs = np.log(np.maximum(training.fid.iloc[:, 1], 1e-9))  # straight lines between points on this axis
            axis.plot(begins, np.exp(np.interp(begins, seen, logs)), "X", color=colour, markersize=9,
                      markeredgecolor="black", zorder=3, gid=SIGN)
    names = dict.fromkeys(result.first.fid.columns[1] for result in results)
    axis.set(ylabel=f"Fréchet distance ({', '.join(names)})")
    _logarithmic(axis)


def classes(results: list[Result]) -> Figure:
    """How often each run generates every class, beside its share of the training images."""
    figure = Figure(figsize=(WIDTH, 3.4), layout="constrained")
    axis = figure.subplots()
    names = results[0].first.classes["class"]
    width = 0.8 / (len(results) + 1)
    real = 100 * results[0].first.classes["real"]
    axis.bar(range(len(names)), real, width, color="lightgrey", label="training images")
    for place, (result, colour) in enumerate(zip(results, itertools.cycle(COLOURS)), 1):
        axis.bar([i + place * width for i in range(len(names))], 100 * result.first.classes["generated"], width,
                 color=colour, label=result.name)
    axis.set(xlabel="class, as the classifier sees it", ylabel="share, %",
             xticks=[i + width * len(results) / 2 for i in range(len(names))], xticklabels=names)
    _legend(figure)
    return figure


def _width(result: Result) -> float:
    """Thin lines where a run has several."""
    return 1.5 if len(result.trainings) == 1 else 0.8


def _logarithmic(axis: Axes) -> None:
    """A logarithmic axis, of what is drawn already, with the fewer labels in a decade the more decades there are."""
    axis.set_yscale("log")
    low, high = axis.get_ylim()
    decades = math.log10(high / low)
    subs = (1, 1.5, 2, 3, 5, 7) if decades < 1.5 else (1, 2, 5) if decades < 3 else (1,)
    axis.yaxis.set_major_locator(LogLocator(subs=subs, numticks=20))
    axis.yaxis.set_major_formatter("{x:g}")
    axis.yaxis.set_minor_locator(NullLocator())


def _legend(figure: Figure) -> None:
    """One legend above all axes."""
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", frameon=False, ncols=min(len(labels), 4))
