"""The runs' results, and what may be said of the difference between two of them."""
import json
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline import rounding
from pipeline.scores import frechet
from pipeline.sections import Run

KNOBS = ("batch", "lr", "beta1", "leak")


@dataclass(frozen=True)
class Result:
    """One run: its parameters, final scores, curves over images seen, and the folder of its sample pictures."""
    name: str
    run: Run
    scores: dict[str, Any]
    losses: pd.DataFrame
    fid: pd.DataFrame
    classes: pd.DataFrame
    folder: Path

    def stated(self, name: str, percent: bool = False) -> str:
        """A score over sets of samples, with the digits that its deviation leaves."""
        return rounding.stated(self.scores[name], self.scores.get(f"{name}_std", 0.0), percent)

    def settings(self) -> list[str]:
        """The values of KNOBS."""
        return [f"{getattr(self.run, key):g}" for key in KNOBS]

    @property
    def swing(self) -> float:
        """The largest factor between neighbours in the second half of the FID's curve; infinite for a single point."""
        points = self.fid.iloc[:, 1].to_list()
        if len(points) < 2:
            return math.inf
        half = points[min(len(points) // 2, len(points) - 2):]
        return max(max(a, b) / max(min(a, b), 1e-9) for a, b in zip(half, half[1:]))


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
    def of(cls, fid_images: int, scores: dict[str, Any]) -> "Names":
        """Those of scores of so many samples; among `scores` is the probe that sees few labels."""
        few = next(key for key in scores if re.fullmatch(r"probe_accuracy_\d+_labels", key))
        fid, precision, recall, missing = (frechet.name(fid_images, score=score) for score in (
            "fid", "precision", "recall", "missing_classes"))
        return cls(fid, precision, recall, missing, few)


def read(name: str, run: Run, training: Path, evaluation: Path) -> Result:
    """The result of the run `name` from its two folders."""
    return Result(name, run, json.loads((evaluation / "metrics.json").read_text()),
                  pd.read_csv(training / "losses.csv"), pd.read_csv(training / "fid.csv"),
                  pd.read_csv(evaluation / "classes.csv", dtype={"class": str}), evaluation)


def accuracy(value: float, images: int) -> str:
    """An accuracy on so many test images, with its standard error."""
    return rounding.stated(value, math.sqrt(value * (1 - value) / images), percent=True)


def probe_error(values: tuple[float, float], images: int) -> float:
    """What the difference of two accuracies on as many test images may be by chance, with a probability of 95 %."""
    mean = sum(values) / 2
    return 1.96 * math.sqrt(2 * mean * (1 - mean) / images)


def change(before: Result, after: Result, fid_name: str, test_images: int) -> dict[str, Any]:
    """What was changed from one run to the next, and what may be said of its effect.

    A FID ratio counts as seen when it exceeds the swing that either curve makes in its second half; a probe difference
    when it exceeds the sampling error (95 %) of two accuracies on as many test images.
    """
    changed = [f"{key} {getattr(before.run, key):g} → {getattr(after.run, key):g}"
               for key in KNOBS if getattr(before.run, key) != getattr(after.run, key)]
    fid = before.scores[fid_name], after.scores[fid_name]
    probe = before.scores["probe_accuracy_test"], after.scores["probe_accuracy_test"]
    swing = max(before.swing, after.swing)
    error = probe_error(probe, test_images)
    return {
        "before": before, "after": after, "changed": ", ".join(changed), "fid": fid, "probe": probe,
        "swing": swing, "swing_known": math.isfinite(swing), "fid_seen": max(fid) / max(min(fid), 1e-9) > swing,
        "probe_error": error, "probe_seen": abs(probe[1] - probe[0]) > error,
    }
