"""The runs' results over their trainings."""
import math
import re
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline import records
from pipeline.evidence import intervals
from pipeline.params.searching import KNOBS
from pipeline.params.sections import Run
from pipeline.reporting import rounding

EVENTS = ["images_seen", "sign", "begins", "says"]  # columns of events.csv


@dataclass(frozen=True)
class Training:
    """One training of a run: its final scores, curves over images seen, shares of classes, and folder of pictures.

    `variance` and `events`, the signs of a collapse, are empty where the training recorded none.
    """
    seed: int
    scores: dict[str, Any]
    losses: pd.DataFrame
    fid: pd.DataFrame
    classes: pd.DataFrame
    folder: Path
    variance: pd.DataFrame = field(default_factory=pd.DataFrame)
    events: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=EVENTS))


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
        """The scores of the one training, or the means over several of the scores that all have.

        What is no number is that of the first training that has it.
        """
        if len(self.trainings) == 1:
            return self.first.scores
        words = {name: value for training in reversed(self.trainings) for name, value in training.scores.items()
                 if isinstance(value, str | bool | list)}
        return words | {name: statistics.mean(self.values(name)) for name in self.first.scores
                        if name not in words and all(name in training.scores for training in self.trainings)}

    def values(self, name: str) -> list[float]:
        """A score of each training."""
        return [training.scores[name] for training in self.trainings]

    def interval(self, name: str) -> float:
        """Half the width of the 95 % t-interval of the mean over several trainings."""
        return intervals.half_width(self.values(name), len(self.trainings))

    def stated(self, name: str, percent: bool = False) -> str:
        """A score ± its interval over several trainings, or ± the deviation over sets of samples of one training."""
        if len(self.trainings) > 1:
            return rounding.stated(self.scores[name], self.interval(name), percent)
        return rounding.stated(self.scores[name], self.scores.get(f"{name}_std", 0.0), percent)

    @property
    def over(self) -> str:
        """What the ± of its scores of samples is over."""
        if (count := len(self.trainings)) > 1:
            return f"over {count} trainings"
        sets = self.scores["seeds"]
        return f"over {sets} set{'s' if sets > 1 else ''} of samples of one generator"

    def labelled(self, name: str, percent: bool = False) -> str:
        """A score with its ±, and what that is over."""
        stated = self.stated(name, percent)
        return f"{stated} (± {self.over})" if "±" in stated else stated

    def rounded(self, name: str, percent: bool = False) -> str:
        """A score without its ±, by which it is rounded."""
        return re.sub(r" ± [\d.,]+", "", self.stated(name, percent))

    def accuracy(self, name: str, images: int) -> str:
        """An accuracy ± its interval over several trainings, or ± its standard error on so many test images."""
        if len(self.trainings) > 1:
            return rounding.stated(self.scores[name], self.interval(name), percent=True)
        return accuracy(self.scores[name], images)

    def settings(self, keys: Sequence[str]) -> list[str]:
        """The values of some keys of the run."""
        return [shown(getattr(self.run, key)) for key in keys]


def shown(value: Any) -> str:
    """The value of a run's key, as tables have it; one that is not set is a dash."""
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "–"
    return "–" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def telling(results: list[Result]) -> list[str]:
    """The keys that tables of runs have: KNOBS, and in what else the runs differ."""
    return [*KNOBS, *(one.name for one in fields(Run) if one.name not in KNOBS and any(
        getattr(result.run, one.name) != getattr(results[0].run, one.name) for result in results))]


@dataclass(frozen=True)
class Names:
    """What the scores are called.

    `fid` is the distance. `floored` is that of as many samples as there are test images, which is the same where there
    are enough of them. `probe` is the probe of most labels and `few` that of fewest, '' where there is none.
    """
    fid: str
    floored: str
    precision: str
    recall: str
    missing: str
    probe: str
    few: str

    @property
    def relative(self) -> str:
        """The distance as a share of that of a generator of the mean image."""
        return f"{self.fid}_relative"

    @property
    def floors(self) -> str:
        """The distance as a multiple of that of real test images."""
        return f"{self.floored}_floors"

    @property
    def extractor(self) -> str:
        """Whose features they are measured in: the classifier's, or those of the network that predicts rotations."""
        return self.fid.split("_")[1]

    @classmethod
    def of(cls, scores: dict[str, Any]) -> "Names":
        """The names among `scores`."""
        fid = _by_count(scores, r"fid_(?:classifier|rotation)_(\d+k?)")
        floored = [key for key in fid if f"{key}_floors" in scores]
        probes = ["", *probes_of(scores)]
        rest = fid[-1].removeprefix("fid_")
        return cls(fid[-1], [fid[-1], *floored][-1], f"precision_{rest}", f"recall_{rest}", f"missing_classes_{rest}",
                   probes[-1], probes[1] if len(probes) > 2 else "")


def probes_of(scores: dict[str, Any]) -> list[str]:
    """The names of the accuracies of D's probes, those of fewest labels first."""
    return _by_count(scores, r"probe(?:_of_\d+_layers)?_accuracy_(\d+)_labels")


def _by_count(scores: dict[str, Any], pattern: str) -> list[str]:
    """The names that match, by the count in the pattern's group, like 500 or 10k, the smallest first."""
    found = [match for match in (re.fullmatch(pattern, key) for key in scores) if match]
    return [match[0] for match in sorted(found, key=lambda match: int(match[1].replace("k", "000")))]


def read(name: str, run: Run, seeds: list[int], reports: Path) -> Result:
    """The result of the run `name` from the folder of reports."""
    return Result(name, run, [_training(seed, reports, Path(name) / f"seed{seed}") for seed in seeds])


def _training(seed: int, reports: Path, place: Path) -> Training:
    trained, scored = reports / "train" / place, reports / "evaluate" / place
    more = {name: pd.read_csv(trained / f"{name}.csv") for name in ("variance", "events")
            if (trained / f"{name}.csv").exists()}  # older studies have neither
    scores = records.read(scored / "scores.json", dict[str, Any], "run `dvc repro`")
    return Training(seed, scores, pd.read_csv(trained / "losses.csv"), pd.read_csv(trained / "fid.csv"),
                    pd.read_csv(scored / "classes.csv", dtype={"class": str}), scored, **more)


def accuracy(value: float, images: int) -> str:
    """An accuracy on so many test images, with its standard error."""
    return rounding.stated(value, math.sqrt(value * (1 - value) / images), percent=True)
