"""The forest plot of claims that compare two runs: ratios with their intervals on one logarithmic axis."""
import textwrap

from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from pipeline.evidence import wording
from pipeline.evidence.verdicts import Ruling

COLOURS = {"holds": "#009E73", "reversed": "#D55E00", "no effect": "#0072B2", "undecided": "#8a8a8a"}
WIDTH, ROW = 8.6, 0.46  # inches
LABEL = 46  # characters of a line
TICKS = (0.1, 0.2, 0.5, 0.8, 1, 1.25, 2, 5, 10)
WIDEST = 20.0  # the axis ends at this ratio, whatever an interval says


def drawn(rulings: list[Ruling]) -> Figure | None:
    """One row for each claim with at least two pairs of trainings; None without any."""
    rows = [(one, one.stated) for one in rulings if one.claim.better and one.stated is not None and len(one.values) > 1]
    if not rows:
        return None
    figure = Figure(figsize=(WIDTH, 1.1 + ROW * len(rows)), layout="constrained")
    axis = figure.subplots()
    axis.axvline(1, color="#8a8a8a", linewidth=1)
    for place, (one, ratio) in enumerate(rows):
        colour = COLOURS[one.verdict]
        low, high = max(ratio.low, 1 / WIDEST), min(ratio.high, WIDEST)
        axis.plot([low, high], [place, place], color=colour, linewidth=2, solid_capstyle="butt")
        axis.plot([min(max(ratio.mean, low), high)], [place], "o", color=colour, markersize=6)
        axis.plot([1 / one.claim.by, one.claim.by], [place, place], "|", color="#8a8a8a", markersize=9)
    axis.set_yticks(range(len(rows)), [textwrap.fill(f"{wording.says(one.name, one.claim)}: {one.verdict}", LABEL)
                                       for one, _ in rows], fontsize=8.5)
    axis.set(xscale="log", xlabel="← against the claim          for the claim →", ylim=(len(rows) - 0.5, -0.5))
    ends = [value for _, ratio in rows for value in (ratio.low, ratio.high)]
    axis.set_xlim(max(min([*ends, 0.7]) / 1.1, 1 / WIDEST), min(max([*ends, 1.5]) * 1.1, WIDEST))
    axis.xaxis.set_major_locator(FixedLocator(list(TICKS)))
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.xaxis.set_minor_locator(NullLocator())
    return figure
