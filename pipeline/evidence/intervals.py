"""Means over seeds with their t-intervals, what these decide, Holm's correction, and how many seeds would decide.

A number that was measured once has a normal interval, by its standard error.

Pure functions of lists of numbers. A region of the mean is decided for when a one-sided t-test excludes everything
else at 2.5 %, which is when the 95 % t-interval lies in that region.
"""
import math
import statistics
from typing import Literal, NamedTuple

from scipy import stats

Region = Literal["above", "between", "below"]
LEVEL = 0.95
MOST = 100  # seeds that are looked at when asking how many would decide


class Estimate(NamedTuple):
    """A number and its 95 % interval, which is infinite for the mean of one value."""
    mean: float
    low: float
    high: float

    @property
    def half(self) -> float:
        """Half the width of the interval."""
        return self.high - self.mean

    @property
    def excludes_0(self) -> bool:
        """Whether the interval lies wholly above or below 0."""
        return self.low > 0 or self.high < 0


class Decision(NamedTuple):
    """The region that the mean most likely lies in, and the p-value against all others, two-sided."""
    region: Region
    p: float


def effect(values: list[float]) -> Estimate:
    """The mean of at least one value, with its interval."""
    mean, half = statistics.fmean(values), half_width(values, len(values))
    return Estimate(mean, mean - half, mean + half)


def measured(value: float, error: float) -> Estimate:
    """A number that was measured once, with its 95 % interval by its standard error."""
    half = float(stats.norm.ppf((1 + LEVEL) / 2)) * error
    return Estimate(value, value - half, value + half)


def side(value: float, error: float) -> Decision:
    """On which side of 0 such a number is."""
    return Decision("above" if value > 0 else "below", float(2 * stats.norm.sf(abs(value) / error)))


def half_width(values: list[float], n: int) -> float:
    """Half the width of the t-interval of a mean over `n` values that spread as `values` do."""
    if len(values) < 2:
        return math.inf
    return float(stats.t.ppf((1 + LEVEL) / 2, n - 1) * statistics.stdev(values) / math.sqrt(n))


def decide(values: list[float], low: float, high: float) -> Decision:
    """Whether the mean is above `high`, below `low`, or between them; a region without width is never decided for."""
    p: dict[Region, float] = {"above": _beyond(values, high), "below": _beyond([-value for value in values], -low),
                              "between": max(_beyond(values, low), _beyond([-value for value in values], -high))}
    region = min(p, key=lambda one: p[one])
    return Decision(region, min(1.0, 2 * p[region]))


def _beyond(values: list[float], threshold: float) -> float:
    """The p-value of the one-sided t-test for a mean above `threshold`; 1 for fewer than two values."""
    if len(values) < 2:
        return 1.0
    gap, spread = statistics.fmean(values) - threshold, statistics.stdev(values)
    if spread == 0:
        return 0.0 if gap > 0 else 1.0
    return float(stats.t.sf(gap / (spread / math.sqrt(len(values))), len(values) - 1))


def holm(p: list[float]) -> list[float]:
    """Holm's adjusted p-values (Holm 1979, Scand. J. Statist. 6): each may be compared with the level of one test."""
    adjusted, largest = [0.0] * len(p), 0.0
    for rank, place in enumerate(sorted(range(len(p)), key=lambda i: p[i])):
        largest = max(largest, min(1.0, (len(p) - rank) * p[place]))
        adjusted[place] = largest
    return adjusted


def more(values: list[float], low: float, high: float) -> int | None:
    """How many more values of the same mean and spread would decide; None for over MOST in all, or without a spread."""
    if len(values) < 2:
        return None
    mean = statistics.fmean(values)
    for n in range(len(values), MOST + 1):
        half = half_width(values, n)
        if mean - half > high or mean + half < low or low < mean - half <= mean + half < high:
            return n - len(values)
    return None
