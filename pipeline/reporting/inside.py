"""What was seen inside networks, from the folders that stage internals fills: parts.json and its pictures."""
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.reporting import rounding
from pipeline.reporting.blocks import Block, Details, Figures, Heading, Paragraph, Picture, Table


@dataclass(frozen=True)
class View:
    """One investigation of one run: what to see, its pictures, numbers and how they are measured; or why it is absent.
    """
    run: str
    to_see: str
    pictures: list[Picture]
    numbers: dict[str, float]
    measured: str = ""
    absent: str = ""
    unmeasured: str = ""

    def blocks(self) -> list[Block]:
        """Its pictures, or why there are none."""
        if self.absent:
            return [Paragraph(f"{self.run} has none of this: {self.absent}.", "absent")]
        notes: list[Block] = [Paragraph(self.unmeasured, "note")] if self.unmeasured else []
        return [Figures(self.pictures, "inner"), *notes]


@dataclass(frozen=True)
class Topic:
    """One investigation of the paper's section, of all runs that were looked into."""
    name: str
    title: str
    section: str
    views: list[View] = field(default_factory=list)

    def lead(self, best: str) -> View:
        """The view of the best run, or else the first that is not absent, or the first."""
        return next((view for view in self.views if view.run == best and not view.absent),
                    next((view for view in self.views if not view.absent), self.views[0]))

    def numbers(self) -> list[Block]:
        """Every number, a row each, over the runs that have numbers, and how they are measured."""
        views = [view for view in self.views if view.numbers]
        names = list(dict.fromkeys(name for view in views for name in view.numbers))
        rows = [[f"`{name}`", *(rounding.stated(view.numbers[name]) if name in view.numbers else "" for view in views)]
                for name in names]
        if not rows:
            return []
        measured = [view.measured for view in views if view.measured][:1]
        notes: list[Block] = [Paragraph(text, "note") for text in measured]
        return [Table(["number", *(view.run for view in views)], rows, label=f"Numbers of: {self.title}"), *notes]

    def blocks(self, best: str) -> list[Block]:
        """The best run's view, all numbers, and the other runs' views folded away."""
        chosen = self.lead(best)
        found: list[Block] = [Heading(3, f"{self.title} (sec. {self.section})")]
        found += [Paragraph(chosen.to_see)] if chosen.to_see else []
        found += [*chosen.blocks(), *self.numbers()]
        others = [view for view in self.views if view.run != chosen.run]
        folded: list[Block] = []
        for view in others:
            folded.append(Heading(4, view.run))
            folded += [Paragraph(view.to_see)] if view.to_see and view.to_see != chosen.to_see else []
            folded += view.blocks()
        return found + ([Details("The same of " + ", ".join(view.run for view in others), folded)] if folded else [])


def read(folder: Path, runs: list[str]) -> tuple[list[Topic], list[str]]:
    """The topics of all `runs` in the order of the paper, and the runs that nobody has looked into."""
    topics: dict[str, Topic] = {}
    missing = []
    for run in runs:
        file = folder / run / "parts.json"
        if not file.exists():
            missing.append(run)
            continue
        for given in json.loads(file.read_text()):
            topic = topics.setdefault(given["name"], Topic(given["name"], given["title"], given["section"]))
            topic.views.append(_view(run, file.parent / "pictures", given, named=len(runs) > 1))
    return list(topics.values()), missing


def _view(run: str, folder: Path, given: dict[str, Any], named: bool) -> View:
    pictures = [Picture(folder / one["file"], one["alt"], one["caption"], run if named else "")
                for one in given.get("pictures", [])]
    return View(run, given.get("to_see", ""), pictures, given.get("numbers", {}),
                given.get("measured", ""), given.get("absent", ""), given.get("unmeasured", ""))
