"""What was seen inside networks, read from the folders that stage internals fills: parts.json and its pictures."""
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline import rounding
from pipeline.reporting.tables import Picture, Table


@dataclass(frozen=True)
class View:
    """One part of one run: what to see, its pictures, its numbers and what they measure; or why it is absent."""
    run: str
    to_see: str
    pictures: list[Picture]
    numbers: dict[str, float]
    measured: str = ""
    absent: str = ""
    unmeasured: str = ""


@dataclass(frozen=True)
class Part:
    """One investigation of the paper's section, of all runs that have it."""
    name: str
    title: str
    section: str
    views: list[View] = field(default_factory=list)

    def lead(self, best: str) -> View:
        """The view of the best run, or else the first that is not absent, or the first."""
        return next((view for view in self.views if view.run == best and not view.absent),
                    next((view for view in self.views if not view.absent), self.views[0]))

    def numbers(self) -> Table | None:
        """Every number, a row each, over the runs that have numbers."""
        views = [view for view in self.views if view.numbers]
        names = list(dict.fromkeys(name for view in views for name in view.numbers))
        rows = [[f"`{name}`", *(rounding.stated(view.numbers[name]) if name in view.numbers else "" for view in views)]
                for name in names]
        return Table(["number", *(view.run for view in views)], rows) if rows else None


def read(folder: Path, runs: list[str]) -> tuple[list[Part], list[str]]:
    """The parts of all `runs` in the order of the paper, and the runs that nobody has looked into."""
    parts: dict[str, Part] = {}
    missing = []
    for run in runs:
        file = folder / run / "parts.json"
        if not file.exists():
            missing.append(run)
            continue
        for given in json.loads(file.read_text()):
            part = parts.setdefault(given["name"], Part(given["name"], given["title"], given["section"]))
            part.views.append(_view(run, file.parent / "pictures", given, named=len(runs) > 1))
    return list(parts.values()), missing


def _view(run: str, folder: Path, given: dict[str, Any], named: bool) -> View:
    pictures = [Picture(folder / one["file"], one["alt"], one["caption"], run if named else "")
                for one in given.get("pictures", [])]
    return View(run, given.get("to_see", ""), pictures, given.get("numbers", {}),
                given.get("measured", ""), given.get("absent", ""), given.get("unmeasured", ""))
