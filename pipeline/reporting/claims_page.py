"""The ledger: verdicts on the claims of this study and, in the repository's report, of all others."""
import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline import folders, records
from pipeline.errors import InputError
from pipeline.reporting.blocks import Block, Details, Figures, Heading, Items, Paragraph, Picture, Table

AGAIN = "run `dcgan claims` in its study"
HEADS = ["claim", "verdict", "effect (95 % interval)", "trainings", "study", "source"]


@dataclass(frozen=True)
class Claimed:
    """A claim of a study, '' for the repository's own, as stage claims has ruled on it."""
    study: str
    ruling: dict[str, Any]

    @property
    def decided(self) -> bool:
        """Whether there is a verdict."""
        return bool(self.ruling["verdict"] != "undecided")

    @property
    def cells(self) -> list[str]:
        """The row of the table."""
        one = self.ruling
        count = f"{one['trainings']} of {one['planned']}" if one["planned"] else "–"
        return [one["says"], one["verdict"], one["stated"] or "–", count, self.study or "this", one["source"]]


def read(home: Path, name: str) -> list[Claimed]:
    """The rulings of the study in the folder `home`; none where stage claims has not run."""
    path = home / folders.report("claims") / "claims.json"
    return [Claimed(name, one) for one in records.read(path, list[dict[str, Any]], AGAIN)] if path.exists() else []


def blocks() -> list[Block]:
    """The section, nothing where nothing is claimed."""
    homes = [("", Path())]
    if not folders.study():
        homes += [(home.name, home) for home in sorted((folders.repository() / folders.STUDIES).glob("*"))]
    rows: list[Claimed] = []
    problems: list[Block] = []
    for name, home in homes:
        try:
            rows += read(home, name)
        except (InputError, OSError) as error:
            problems.append(Paragraph(f"Not readable: {error}", "absent"))
    if not rows:
        return problems
    decided, open_ = [one for one in rows if one.decided], [one for one in rows if not one.decided]
    found: list[Block] = [Heading(2, "Do the claims hold?", "claims"), *problems, Paragraph(summary(rows))]
    if decided:
        found += [Table(HEADS, [one.cells for one in decided], left=len(HEADS), label="Claims that are decided"),
                  Details("What was measured of each", [
                      Items([f"**{one.ruling['says']}**: {one.ruling['sentence']}" for one in decided])])]
    pictures = [Picture(path, f"Ratios of the claims of {name or 'this study'} with their intervals",
                        f"{name or 'This study'}: ratios and 95 % intervals. Ticks: the least ratio that counts.")
                for name, home in homes if (path := home / folders.report("claims") / "forest.png").exists()]
    if pictures:
        found.append(Figures(pictures, "plot drawn"))
    if open_:
        lines = [f"`{study}`: {line}" if study else line
                 for study, ones in itertools.groupby(open_, key=lambda one: one.study) for line in lacking(list(ones))]
        found.append(Details(f"{len(open_)} undecided claim{'s' * (len(open_) > 1)}, and what each lacks",
                             [Items(lines)]))
    return found


def lacking(ones: list[Claimed]) -> list[str]:
    """What undecided claims of one study say and lack; those that wait for their first training in one line."""
    waiting = [one for one in ones if one.ruling["reason"].startswith("0 of ")]
    return [f"{one.ruling['says']} ({one.ruling['source'] or 'no source'}). {one.ruling['sentence']}"
            for one in ones if one not in waiting] + (
        [f"not trained yet: {'; '.join(one.ruling['says'] for one in waiting)}."] if waiting else [])


def summary(rows: list[Claimed]) -> str:
    """How many claims are decided, and how."""
    counts = {verdict: sum(one.ruling["verdict"] == verdict for one in rows)
              for verdict in ("holds", "reversed", "no effect", "undecided")}
    said = ", ".join(f"{count} {one if count == 1 else more}" for count, (one, more) in zip(counts.values(), (
        ("holds", "hold"), ("is reversed", "are reversed"), ("makes no difference", "make no difference"),
        ("is undecided", "are undecided"))))
    return (f"Of {len(rows)} claims {said}. Each is decided by a rule that was set before: by trainings of several "
            "seeds, or by what one network reaches on test images (docs/claims.md). ×1.5 means that the run which is "
            "claimed to be worse has 1.5 times the number of the other.")
