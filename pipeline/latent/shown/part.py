"""What an investigation of stage internals gets, and what it returns."""
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from pipeline.data.images import Dataset
from pipeline.errors import InputError, ScoreError
from pipeline.gan.checkpoint import Model
from pipeline.gan.devices import Device
from pipeline.params.scoring import Internals
from pipeline.scores.reference_model import Reference


@dataclass(frozen=True)
class Subject:
    """A trained pair on the device, G in eval mode with the statistics that it samples with.

    With its data set and reference, section internals, and the folder `kept` for features of real images.
    """
    trained: Model
    dataset: Dataset
    reference: Reference
    params: Internals
    device: Device
    kept: Path

    def random(self) -> torch.Generator:
        """A generator that begins at the seed, so that all investigations begin with the same z."""
        return torch.Generator().manual_seed(self.params.seed)


@dataclass(frozen=True)
class Drawing:
    """A picture's file name, its text alternative, its caption, and the file's bytes."""
    file: str
    alt: str
    caption: str
    content: bytes


@dataclass(frozen=True)
class Findings:
    """What the reader should see, `to_see`; drawings; numbers, and how they are `measured`; or why there are none."""
    to_see: str
    pictures: list[Drawing]
    numbers: dict[str, float]
    measured: str | None = None
    unmeasured: str | None = None


@dataclass(frozen=True)
class Investigation:
    """One investigation of arXiv 1511.06434, in its section `section`; `look` carries it out."""
    name: str
    title: str
    section: str
    look: Callable[[Subject], Findings]


def entry(part: Investigation, subject: Subject) -> tuple[dict[str, Any], list[Drawing]]:
    """What parts.json says of an investigation, and its drawings; `absent` gives the reason where there are none."""
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
