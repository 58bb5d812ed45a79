"""The literature's systems that have been trained, read from the folder of the recipes' reports."""
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline import rounding
from pipeline.reporting.headlines import percent
from pipeline.reporting.tables import Picture, Table

PROBE = "probe_accuracy_test"
GENERATED_LABELS = re.compile(r"nearest_neighbour_error_validation_\d+k?")


@dataclass(frozen=True)
class Recipe:
    """A recipe's name, data set, scores, and controls, empty where they are not known; and its folder of pictures."""
    name: str
    data: str
    scores: dict[str, Any]
    controls: dict[str, Any]
    folder: Path

    @property
    def fid(self) -> str:
        """The name of its distance."""
        return next(key for key in self.scores if key.startswith("fid_"))

    def share(self, name: str, of: dict[str, Any] | None = None) -> str:
        """The first share or accuracy, of its scores or of others, of this name, samples or not counted; or ''."""
        values = self.scores if of is None else of
        found = next((key for key in values if re.fullmatch(rf"{name}(_[a-z]+_\d+k?)?", key)), None)
        return percent(values[found]) if found else ""

    @property
    def picture(self) -> Picture:
        """Its samples."""
        return Picture(self.folder / "samples.png", f"{self.name}: samples", self.caption(), self.name)

    def caption(self) -> str:
        """What its samples are said to be by their scores."""
        precision, recall = (next((self.scores[key] for key in self.scores if key.startswith(kind)), None)
                             for kind in ("precision_", "recall_"))
        text = f"{self.data or 'Data not known'}, {self.scores['images_seen']:,} images seen."
        if precision is None or recall is None:
            return text
        return text + (f" {percent(1 - precision)} of the samples lie near no real image, and {percent(1 - recall)} of "
                       "the real images near none of them.")


def read(folder: Path, data_of: Callable[[str], str]) -> list[Recipe]:
    """All recipes that were scored, by name; `data_of` says on which data set one was trained, or ''."""
    found = []
    for scores in sorted((folder / "evaluate").glob("*/metrics.json")):
        data = data_of(scores.parent.name)
        controls = folder / "reference" / data / "metrics.json"
        found.append(Recipe(scores.parent.name, data, json.loads(scores.read_text()),
                            json.loads(controls.read_text()) if data and controls.exists() else {}, scores.parent))
    return found


def table(recipes: list[Recipe]) -> Table:
    """Distance, precision and recall, and the probe with its controls, of every recipe."""
    rows = []
    for one in recipes:
        floor = next((key for key in one.controls if key.startswith("fid_") and "_infinity" not in key), None)
        real = "" if floor is None else rounding.stated(one.controls[floor])
        if floor is not None and not floor.startswith(f"{one.fid}_of"):
            real += f" ({floor.split('_')[2]})"
        distance = rounding.stated(one.scores[one.fid], one.scores.get(f"{one.fid}_std", 0.0))
        rows.append([one.name, one.data, distance, real, one.share("precision"),
                     one.share("recall"), one.share(PROBE),
                     one.share(f"{PROBE}_of_untrained_D"), one.share("accuracy_test_of_supervised_CNN"),
                     one.share(f"{PROBE}_of_pixels", one.controls)])
    return Table(["recipe", "data", "distance ↓", "of real test images", "precision ↑", "recall ↑",
                  "probe ↑", "untrained D", "CNN taught labels", "raw pixels"], rows, left=2)


def generated_labels(recipes: list[Recipe]) -> list[str]:
    """A sentence on every conditional generator: what its labelled samples teach a nearest-neighbour classifier."""
    said = []
    for one in recipes:
        names = [key for key in one.scores if GENERATED_LABELS.fullmatch(key)]
        if names:
            last = names[-1]
            said.append(f"**{one.name}** is told labels: a nearest-neighbour classifier fitted on "
                        f"{last.split('_')[-1]} of its samples misreads {percent(one.scores[last])} of real images, "
                        f"fitted on as many real ones {percent(one.scores[f'{last}_of_real_images'])}.")
    return said


def transfers(folder: Path) -> Table | None:
    """What discriminators tell of a data set that they were not trained on, with the controls."""
    rows = []
    for file in sorted((folder / "transfer").glob("*/metrics.json")):
        scores = json.loads(file.read_text())
        rows.append([file.parent.name, f"{scores['images_seen']:,}", *(
            percent(scores[name]) if name in scores else "" for name in (
                PROBE, f"{PROBE}_of_untrained_D", "accuracy_test_of_supervised_CNN", f"{PROBE}_of_pixels"))])
    return Table(["transfer", "images seen", "probe ↑", "untrained D", "CNN taught labels", "raw pixels"],
                 rows) if rows else None
