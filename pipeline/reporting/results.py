"""The runs' results over their trainings, and what may be said of the difference between two of them."""
import json
import math
import re
import statistics
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
from scipy import stats

from pipeline.params.searching import KNOBS
from pipeline.params.sections import Run
from pipeline.reporting import rounding


@dataclass(frozen=True)
class Training:
    """One training of a run: its final scores, curves over images seen, shares of classes, and folder of pictures."""
    seed: int
    scores: dict[str, Any]
    losses: pd.DataFrame
    fid: pd.DataFrame
    classes: pd.DataFrame
    folder: Path

    @property
    def swing(self) -> float:
        """The largest factor between neighbours in the second half of the FID's curve; infinite for a single point."""
        points = self.fid.iloc[:, 1].to_list()
        if len(points) < 2:
            return math.inf
        half = points[min(len(points) // 2, len(points) - 2):]
        return max(max(a, b) / max(min(a, b), 1e-9) for a, b in zip(half, half[1:]))


@dataclass(frozen=True)
class Result:
    """One run with all its trainings, one for each seed."""
    name: str
    run: Run
    trainings: list[Training]

    @property
    def first(self) -> Training:
        """The training whose pictures are shown."""
        return self.trainings[0]

    @cached_property
    def scores(self) -> dict[str, Any]:
        """The scores of the one training, or the means over several; what is no number is the first training's."""
        if len(self.trainings) == 1:
            return self.first.scores
        return {name: value if isinstance(value, str | bool | list) else statistics.mean(self.values(name))
                for name, value in self.first.scores.items()}

    def values(self, name: str) -> list[float]:
        """A score of each training."""
        return [training.scores[name] for training in self.trainings]

    def interval(self, name: str) -> float:
        """Half the width of the 95 % t-interval of the mean over several trainings."""
        return half_width(self.values(name))

    def stated(self, name: str, percent: bool = False) -> str:
        """A score ± its interval over several trainings, or ± the deviation over sets of samples of one training."""
        if len(self.trainings) > 1:
            return rounding.stated(self.scores[name], self.interval(name), percent)
        return rounding.stated(self.scores[name], self.scores.get(f"{name}_std", 0.0), percent)

    def accuracy(self, name: str, images: int) -> str:
        """An accuracy ± its interval over several trainings, or ± its standard error on so many test images."""
        if len(self.trainings) > 1:
            return rounding.stated(self.scores[name], self.interval(name), percent=True)
        return accuracy(self.scores[name], images)

    def settings(self) -> list[str]:
        """The values of KNOBS."""
        return [f"{getattr(self.run, key):g}" for key in KNOBS]


@dataclass(frozen=True)
class Names:
    """What the scores are called: the distance, precision, recall, how many classes are missing, and the probes."""
    fid: str
    precision: str
    recall: str
    missing: str
    few: str
    probe: str = "probe_accuracy_test"

    @classmethod
    def of(cls, scores: dict[str, Any]) -> "Names":
        """The names among `scores`; those of probes are '' for images without classes."""
        fid = next(key for key in scores if re.fullmatch(r"fid_(classifier|rotation)_\d+k?", key))
        rest = fid.removeprefix("fid_")
        few = next((key for key in scores if re.fullmatch(r"probe_accuracy_\d+_labels", key)), "")
        return cls(fid, f"precision_{rest}", f"recall_{rest}", f"missing_classes_{rest}", few,
                   "probe_accuracy_test" if few else "")


@dataclass(frozen=True)
class Change:
    """What differs between two runs, and what may be said of its effect.

    `ratio` is the distance after over that before. With several seeds it is the mean over pairs of equal seed, in the
    logarithm, from `low` to `high` with 95 % (paired t-interval), and `seen` when that excludes 1. With one seed it is
    `seen` when it exceeds `swing`, the largest factor between neighbours in the second half of either curve.
    """
    before: Result
    after: Result
    changed: str
    ratio: float
    seeds: int
    low: float
    high: float
    swing: float
    seen: bool
    probe_error: float | None
    probe_seen: bool


def read(name: str, run: Run, seeds: list[int], reports: Path) -> Result:
    """The result of the run `name` from the folder of reports."""
    return Result(name, run, [_training(seed, reports, Path(name) / f"seed{seed}") for seed in seeds])


def _training(seed: int, reports: Path, place: Path) -> Training:
    trained, scored = reports / "train" / place, reports / "evaluate" / place
    return Training(seed, json.loads((scored / "scores.json").read_text()), pd.read_csv(trained / "losses.csv"),
                    pd.read_csv(trained / "fid.csv"), pd.read_csv(scored / "classes.csv", dtype={"class": str}), scored)


def half_width(values: list[float]) -> float:
    """Half the width of the 95 % t-interval of the mean of at least two values."""
    return float(stats.t.ppf(0.975, len(values) - 1) * statistics.stdev(values) / math.sqrt(len(values)))


def accuracy(value: float, images: int) -> str:
    """An accuracy on so many test images, with its standard error."""
    return rounding.stated(value, math.sqrt(value * (1 - value) / images), percent=True)


def probe_error(values: tuple[float, float], images: int) -> float:
    """What the difference of two accuracies on as many test images may be by chance, with a probability of 95 %."""
    mean = sum(values) / 2
    return 1.96 * math.sqrt(2 * mean * (1 - mean) / images)


def differing(before: Run, after: Run) -> str:
    """The parameters in which two runs differ, with their values."""
    def shown(value: Any) -> str:
        return f"{value:g}" if isinstance(value, float) else ", ".join(value) or "nothing" if (
            isinstance(value, list)) else "all" if value is None else str(value)

    pairs = [(one.name, getattr(before, one.name), getattr(after, one.name)) for one in fields(Run)]
    return ", ".join(f"{name} {shown(old)} → {shown(new)}" for name, old, new in pairs if old != new)


def change(before: Result, after: Result, names: Names, test_images: int) -> Change:
    """What differs between two runs, and what may be said of its effect."""
    by_seed = [{one.seed: math.log(max(one.scores[names.fid], 1e-9)) for one in result.trainings}
               for result in (before, after)]
    gaps = [by_seed[1][seed] - by_seed[0][seed] for seed in by_seed[0] if seed in by_seed[1]]
    swing = max(before.first.swing, after.first.swing)
    if len(gaps) > 1:
        mean, half = statistics.mean(gaps), half_width(gaps)
        seen = abs(mean) > half
    else:
        mean, half = math.log(after.scores[names.fid] / max(before.scores[names.fid], 1e-9)), math.inf
        seen = math.exp(abs(mean)) > swing
    error = None
    if names.probe:
        probes = before.scores[names.probe], after.scores[names.probe]
        error = probe_error(probes, test_images)
    return Change(before, after, differing(before.run, after.run), math.exp(mean), len(gaps), math.exp(mean - half),
                  math.exp(min(mean + half, 700)), swing, seen, error,
                  error is not None and abs(probes[1] - probes[0]) > error)
