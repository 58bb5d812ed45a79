"""What a part of the stage internals is given, and what it gives back."""
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from pipeline.data.images import Dataset
from pipeline.errors import InputError, ScoreError
from pipeline.finished import Internals
from pipeline.gan.checkpoint import Model
from pipeline.gan.devices import Device
from pipeline.scores.reference import Reference


@dataclass(frozen=True)
class Subject:
    """A finished run: its networks on the device, G in eval mode with the statistics it samples with; its data, their
    judge, and the folder `history` that its training reported to; and what is asked about it.
    """
    trained: Model
    dataset: Dataset
    judge: Reference
    history: Path
    asked: Internals
    device: Device

    def random(self) -> torch.Generator:
        """A generator that begins at the seed, for each part anew: all parts' first z are the same."""
        return torch.Generator().manual_seed(self.asked.seed)


@dataclass(frozen=True)
class Picture:
    """A picture's file name, a few words for those who do not see it, a caption, and the file's bytes."""
    file: str
    alt: str
    caption: str
    content: bytes


@dataclass(frozen=True)
class Found:
    """What there is `to_see`; pictures; numbers, and what is `measured` by them; why numbers are lacking, if they are.
    """
    to_see: str
    pictures: list[Picture]
    numbers: dict[str, float]
    measured: str | None = None
    unmeasured: str | None = None


@dataclass(frozen=True)
class Part:
    """One of the paper's investigations: `section` is that of arXiv 1511.06434, `look` makes it."""
    name: str
    title: str
    section: str
    look: Callable[[Subject], Found]


def entry(part: Part, subject: Subject) -> tuple[dict[str, Any], list[Picture]]:
    """What parts.json says about a part, and its pictures: none where it cannot be made, for a reason in `absent`."""
    described: dict[str, Any] = {"name": part.name, "title": part.title, "section": part.section}
    try:
        found = part.look(subject)
    except (InputError, ScoreError) as error:
        return described | {"absent": " ".join(str(error).split())}, []
    pictures = [{key: value for key, value in asdict(picture).items() if key != "content"}
                for picture in found.pictures]
    described |= {"to_see": found.to_see, "pictures": pictures, "numbers": found.numbers}
    notes = {"measured": found.measured, "unmeasured": found.unmeasured}
    return described | {key: note for key, note in notes.items() if note}, found.pictures
