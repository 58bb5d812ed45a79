"""What may be said of the difference between two runs, and of rankings by different classifiers.

Runs are compared by pairs of trainings with equal seeds. One pair decides nothing.
"""
import math
from dataclasses import dataclass, fields
from typing import NamedTuple

from scipy import stats

from pipeline.evidence import intervals
from pipeline.evidence.intervals import Estimate
from pipeline.params.sections import Run
from pipeline.reporting.results import Names, Result, shown


@dataclass(frozen=True)
class Change:
    """What differs between two runs, and its effect over `seeds` pairs of trainings of equal seed.

    `log_ratio` is ln of the distance after over that before. `probe` is the accuracy after minus that before, None
    where there is no probe. Without a pair they are of the means of all trainings.
    """
    before: Result
    after: Result
    changed: str
    seeds: int
    log_ratio: Estimate
    probe: Estimate | None

    @property
    def ratio(self) -> float:
        """The distance after over that before."""
        return math.exp(self.log_ratio.mean)

    @property
    def bounds(self) -> tuple[float, float]:
        """The 95 % interval of the ratio."""
        return math.exp(self.log_ratio.low), math.exp(self.log_ratio.high) if self.log_ratio.high < 700 else math.inf


class Ranking(NamedTuple):
    """How another classifier ranks the runs: Kendall's tau with the first, and neighbours that it swaps."""
    number: int
    tau: float
    swapped: list[tuple[str, str]]


def change(before: Result, after: Result, names: Names) -> Change:
    """What differs between two runs, and its effect."""
    def log(value: float) -> float:
        return math.log(max(value, 1e-9))

    distances = _gaps(before, after, names.fid)
    ratio = intervals.effect([log(b) - log(a) for a, b in distances])
    probe = intervals.effect([b - a for a, b in _gaps(before, after, names.probe)]) if names.probe else None
    pairs = len(_common(before, after))
    return Change(before, after, differing(before.run, after.run), pairs, ratio, probe)


def _common(before: Result, after: Result) -> list[int]:
    """The seeds that both runs have."""
    return sorted({one.seed for one in before.trainings} & {one.seed for one in after.trainings})


def _gaps(before: Result, after: Result, name: str) -> list[tuple[float, float]]:
    """A score before and after, by pairs of equal seed; without one, of the means over all trainings."""
    by_seed = [{one.seed: one.scores[name] for one in result.trainings} for result in (before, after)]
    return [(by_seed[0][seed], by_seed[1][seed]) for seed in _common(before, after)] or [
        (before.scores[name], after.scores[name])]


def differing(before: Run, after: Run) -> str:
    """The parameters in which two runs differ, with their values."""
    pairs = [(one.name, getattr(before, one.name), getattr(after, one.name)) for one in fields(Run)]
    return ", ".join(f"{name} {shown(old)} → {shown(new)}" for name, old, new in pairs if old != new)


def rankings(results: list[Result], names: Names) -> list[Ranking]:
    """How each further classifier ranks at least two runs by their mean distances; nothing without one."""
    ranked = sorted(results, key=lambda result: result.scores[names.fid])
    first = [result.scores[names.fid] for result in ranked]
    found = []
    for number in range(2, 10):
        name = f"{names.fid}_by_classifier{number}"
        if len(results) < 2 or any(name not in result.scores for result in results):
            break
        other = [result.scores[name] for result in ranked]
        swapped = [(a.name, b.name) for a, b, one, two in zip(ranked, ranked[1:], other, other[1:]) if one > two]
        tau = float(stats.kendalltau(first, other).statistic)
        if math.isfinite(tau):  # not of runs that are all equal
            found.append(Ranking(number, tau, swapped))
    return found


def sampling_error(values: tuple[float, float], images: int) -> float:
    """What the difference of two accuracies on as many test images may be by chance, with a probability of 95 %."""
    mean = sum(values) / 2
    return 1.96 * math.sqrt(2 * mean * (1 - mean) / images)
