"""What the reports of a study's finished trainings hold that claims are decided by."""
import math
import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline import folders, records
from pipeline.errors import InputError

CURVE = ("distance", "best", "unsteadiness")  # what is taken from the curve of distances
NEARLY = 0.03  # whole epochs of other batch sizes do not have exactly as many mini-batches
COMPARED = ("data", "reference", "device", "dtype", "fast", "torch")  # equal in trainings that are compared


@dataclass(frozen=True)
class Finished:
    """A finished training: its distances along the curve with the images seen at each, what it may be compared by, the
    signs of a collapse that it ended with, and its scores, if it was scored; `inside` are the names of those of stage
    internals, which looks into one training of a run.
    """
    seed: int
    images_seen: list[float]
    distances: list[float]
    facts: dict[str, str]
    signs: list[str]
    scores: dict[str, Any]
    inside: frozenset[str] = frozenset()

    def value(self, of: str) -> float | None:
        """A number of the curve, or a score; None where there is none."""
        if of == "distance":
            return self.distances[-1]
        if of == "best":
            return min(self.distances)
        if of == "unsteadiness":
            return unsteadiness(self.images_seen, self.distances)
        found = self.scores.get(of)
        return float(found) if isinstance(found, int | float) else None


def unsteadiness(images_seen: list[float], distances: list[float]) -> float | None:
    """The standard deviation of the steps of ln distance in the second half of a curve; None for under three steps."""
    late = [math.log(value) for seen, value in zip(images_seen, distances) if seen >= images_seen[-1] / 2]
    steps = [after - before for before, after in zip(late, late[1:])]
    return statistics.stdev(steps) if len(steps) > 2 else None


def read(run: str, seeds: list[int]) -> dict[int, Finished]:
    """The finished trainings of a run, by seed; those that are not there are left out."""
    return {seed: _read(run, seed, inside=seed == seeds[0]) for seed in seeds
            if (folders.report("train", run, seed) / "training.csv").exists()}


def _read(run: str, seed: int, inside: bool) -> Finished:
    folder = folders.report("train", run, seed)
    try:
        facts = pd.read_csv(folder / "training.csv", dtype=str).to_dict("records")[0]
        fid = pd.read_csv(folder / "fid.csv")
        events = pd.read_csv(folder / "events.csv")
        state = {row["sign"]: row["begins"] for row in events.to_dict("records")}
        curve = [float(value) for value in fid.iloc[:, 1]]
        seen = [float(value) for value in fid["images_seen"]]
        if not curve or not all(value > 0 for value in curve):
            raise ValueError("no distances above 0")
    except (OSError, ValueError, KeyError, IndexError) as error:
        raise InputError(f"{folder}: not what a training writes ({error}); run `dvc repro -f train@{run}-{seed}`"
                         ) from None
    scored = scores(folders.report("evaluate", run, seed))
    looked = scores(folders.report("internals", run)) if inside else {}
    return Finished(seed, seen, curve, {str(key): str(value) for key, value in facts.items()},
                    [str(sign) for sign, begins in state.items() if begins], looked | scored,
                    frozenset(looked) - scored.keys())


def scores(folder: Path) -> dict[str, Any]:
    """What the folder's scores.json has; nothing where there is none."""
    path = folder / "scores.json"
    return records.read(path, dict[str, Any], "run `dvc repro`") if path.exists() else {}


def differing(one: Finished, other: Finished, equal: str) -> str:
    """What makes two trainings no fair pair, with both values, or ''."""
    budget = "images_seen" if equal == "images" else "batches"
    for key in (*COMPARED, budget):
        a, b = one.facts.get(key, "not recorded"), other.facts.get(key, "not recorded")
        if a != b and not (key == "batches" and abs(math.log(float(a) / float(b))) < NEARLY):
            return f"{key} {a} and {b}"
    return ""
