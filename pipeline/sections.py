"""The sections of params.yaml as frozen dataclasses: the types and ranges that every number has to meet."""
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from pydantic import ConfigDict, Discriminator, Field, Tag

Count = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
Rate = Annotated[float, Field(gt=0, le=1)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")]


class Section:
    """A section knows its keys and their types, and takes no others."""
    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid", strict=True)


@dataclass(frozen=True, kw_only=True)
class Pictures(Section):
    """What becomes of any pictures: cropped in the middle to a square, resized to `size` pixels, 1 or 3 `channels`.

    Pictures with a side shorter than `smallest` are refused; where they come without a test split, the share `test` is
    held out; `deduplicate` drops near-duplicates.
    """
    size: Annotated[int, Field(ge=8, le=1024)]
    channels: Literal[1, 3]
    smallest: Count
    test: Annotated[float, Field(gt=0, le=0.5)]
    deduplicate: bool


@dataclass(frozen=True, kw_only=True)
class Data(Section):
    """Which images. `directory` holds the data set's own files, for machines that reach no source; for `images` it is
    the folder, .zip or .tar of the pictures, and `pictures` says what becomes of them.
    """
    name: Literal["mnist", "fashion_mnist", "cifar10", "svhn", "digits", "images"]
    directory: str | None
    pictures: Pictures | None


@dataclass(frozen=True, kw_only=True)
class Hardware(Section):
    """Where and how precisely networks are trained; `auto` takes the best there is.

    With `fast`, the quicker of two ways that are equal but for rounding and the order of random numbers.
    """
    device: Literal["auto", "cuda", "mps", "cpu"]
    precision: Literal["auto", "fp32", "bf16"]
    fast: bool


@dataclass(frozen=True, kw_only=True)
class Reference(Section):
    """The classifier whose features span the space that distances are measured in."""
    epochs: Count
    batch: Annotated[int, Field(ge=2)]
    lr: Rate
    seed: Seed


@dataclass(frozen=True, kw_only=True)
class Watch(Section):
    """How a training is watched. Lengths are in images seen, comparable across batch sizes."""
    fid_every: Count
    fid_images: Annotated[int, Field(ge=2)]
    grid: Annotated[int, Field(ge=1, le=32)]
    report_images: Count
    checkpoint_seconds: Annotated[float, Field(ge=0)]


@dataclass(frozen=True, kw_only=True)
class Design(Section):
    """What is trained, and for how long.

    `network` names a description in `gan/literature.py`; `width` times as many channels, and the guidelines of
    `gan/guidelines.py` that `violate` names are broken. Over the last `decay_epochs` of all `epochs` the learning rate
    falls towards 0. `images` is how many training images are used, the first ones; none means all.
    """
    network: Name
    width: Annotated[float, Field(gt=0, le=4)]
    violate: list[str]
    images: Count | None
    epochs: Count
    decay_epochs: Annotated[int, Field(ge=0)]
    seed: Seed


@dataclass(frozen=True, kw_only=True)
class Train(Watch, Design):
    """What all runs of a study share."""


@dataclass(frozen=True, kw_only=True)
class Run(Section):
    """What the slides vary: one training."""
    batch: Annotated[int, Field(ge=2)]
    lr: Rate
    beta1: Annotated[float, Field(ge=0, lt=1)]
    leak: Annotated[float, Field(ge=0, lt=1)]


@dataclass(frozen=True, kw_only=True)
class Sampling(Section):
    """Which statistics batch norm samples with: `running` averages, or `recomputed` ones over so many fresh images."""
    batch_norm: Literal["running", "recomputed"]
    statistics_images: Annotated[int, Field(ge=2)]


@dataclass(frozen=True, kw_only=True)
class Range(Section):
    """The numbers from `low` to `high`, both included, sampled evenly or, with `log`, evenly in their logarithm."""
    low: float
    high: float
    log: bool


Values = Annotated[list[float], Field(min_length=1)]
Knob = Annotated[
    Annotated[Range, Tag("range")] | Annotated[Values, Tag("values")] | Annotated[float, Tag("value")],
    Discriminator(lambda given: {dict: "range", list: "values"}.get(type(given), "value"))]


def values_of(knob: Range | list[float] | float) -> list[float]:
    """Every value of a list, both ends of a range, or the one that is kept."""
    if isinstance(knob, Range):
        return [knob.low, knob.high]
    return knob if isinstance(knob, list) else [knob]


@dataclass(frozen=True, kw_only=True)
class Search(Section):
    """Optuna's search. `space` says of every parameter of a `Run` which values are tried."""
    space: dict[str, Knob]
    first: list[Name]
    n_trials: Count
    n_startup_trials: Count
    objectives: list[Literal["fid", "probe"]]
    images: Count
    fid_every: Count
    validation: Annotated[int, Field(ge=2)]
    probe_images: Annotated[int, Field(ge=100)]
    probe_C: Annotated[list[Annotated[float, Field(gt=0)]], Field(min_length=1)]
    candidates: Count
    seeds: Count
    seed: Seed
    storage: str | None
