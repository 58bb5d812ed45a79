"""What a page is made of: blocks of finished English, which templates only lay out.

Texts are Markdown of one line, with `code`, **bold**, *emphasis* and [links](#anchors) only.
"""
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple


class Block:
    """A block; `form` is the name that templates know it by."""

    @property
    def form(self) -> str:
        return type(self).__name__.lower()


@dataclass(frozen=True)
class Heading(Block):
    """A heading of a level from 1; those with an anchor are in the table of contents.

    What stands under one of level 2 that is `apart` has a Markdown page of its own.
    """
    level: int
    text: str
    anchor: str = ""
    apart: bool = False


@dataclass(frozen=True)
class Paragraph(Block):
    """A paragraph; `kind` is lead, note, absent (for what is not there) or plain."""
    text: str
    kind: str = "plain"


@dataclass(frozen=True)
class Items(Block):
    """A list of sentences."""
    texts: Sequence[str]


@dataclass(frozen=True)
class Terms(Block):
    """Pairs of a term and what it means."""
    pairs: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Table(Block):
    """Heads, rows, and rows of controls, which stay last when rows are sorted; the first `left` columns hold words."""
    heads: list[str]
    rows: list[list[str]]
    controls: list[list[str]] = field(default_factory=list)
    left: int = 1
    label: str = ""


class Picture(NamedTuple):
    """A file, its text alternative, its caption, and the run that it is of."""
    path: Path
    alt: str
    caption: str
    of: str = ""


@dataclass(frozen=True)
class Figures(Block):
    """Pictures side by side; `kind` is plot, plot drawn, grid or inner."""
    pictures: Sequence[Picture]
    kind: str


class Card(NamedTuple):
    """A run at a glance: its name, whether it is the best of several, and whether it ended with a sign of a collapse.

    Then its distance, the same with its ±, how many times that of real test images it is, samples, settings and scores.
    """
    name: str
    best: bool
    collapsed: bool
    distance: str
    stated: str
    times: str
    samples: Path
    settings: Sequence[str]
    scores: Sequence[str]


@dataclass(frozen=True)
class Cards(Block):
    """All runs at a glance."""
    cards: Sequence[Card]


@dataclass(frozen=True)
class Details(Block):
    """Blocks that are folded away under a title."""
    title: str
    blocks: Sequence[Block]


@dataclass(frozen=True)
class Commands(Block):
    """Lines to type."""
    lines: Sequence[str]


@dataclass(frozen=True)
class Report:
    """A page: its title, its blocks, the colour of every run, and the (height, width) of an image in sample grids."""
    title: str
    blocks: Sequence[Block]
    colours: dict[str, str] = field(default_factory=dict)
    cell: tuple[int, int] = (1, 1)

    @property
    def contents(self) -> list[Heading]:
        """The headings of the table of contents."""
        return [block for block in self.blocks if isinstance(block, Heading) and block.anchor]
