"""Sections of params.yaml about data and training: the type, range and default of every key."""
from dataclasses import dataclass, field, fields, replace
from typing import Annotated, ClassVar, Literal, Self

from pydantic import ConfigDict, Field

Count = Annotated[int, Field(ge=1, le=10**9)]
Samples = Annotated[int, Field(ge=2, le=10**7)]  # that are in memory together
Seed = Annotated[int, Field(ge=0, lt=2**32)]
Rate = Annotated[float, Field(gt=0, le=1)]
Label = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$", max_length=100)]
Place = Annotated[str, Field(pattern=r"^[^\p{Cc}\u202a-\u202e\u2066-\u2069]+$", max_length=1000)]  # a path


class Section:
    """A section knows its keys and their types, and takes no others."""
    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


@dataclass(frozen=True, kw_only=True)
class Pictures(Section):
    """How pictures of any size become arrays: cropped in the middle to a square, resized to `size` pixels, with 1 or 3
    `channels`.

    Pictures with a side shorter than `smallest` are refused. Where there is no test split, the share `test` is held
    out. `deduplicate` drops near-duplicates.
    """
    size: Annotated[int, Field(ge=8, le=1024)]
    channels: Literal[1, 3]
    smallest: Count
    test: Annotated[float, Field(gt=0, le=0.5)] = 0.1
    deduplicate: bool = False


@dataclass(frozen=True, kw_only=True)
class Data(Section):
    """Which images. `directory` holds the data set's own files, for machines that reach no source; for `images` it is
    the folder, .zip or .tar of pictures, and `pictures` says how they become arrays.
    """
    name: Literal["mnist", "fashion_mnist", "cifar10", "svhn", "digits", "images"]
    directory: Place | None = None
    pictures: Pictures | None = None


@dataclass(frozen=True, kw_only=True)
class Hardware(Section):
    """The device and precision that networks are trained with; `auto` takes the best there is.

    With `fast`, the quicker of two ways that are equal but for rounding and the order of random numbers.
    """
    device: Literal["auto", "cuda", "mps", "cpu"] = "auto"
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    fast: bool = True


@dataclass(frozen=True, kw_only=True)
class ReferenceFit(Section):
    """Section reference: how the classifiers are fitted whose features distances are measured in.

    `net` is `small`, three convolutions, enough for digits, or `residual`, for photographs. With `augment` images are
    shifted and mirrored at random. The `classifiers` differ in their seeds, from `seed` on: the first measures, the
    others tell how far rankings depend on it.
    """
    net: Literal["small", "residual"] = "small"
    epochs: Count = 2
    batch: Samples = 128
    lr: Rate = 0.003
    augment: bool = False
    seed: Seed = 0
    classifiers: Annotated[int, Field(ge=1, le=9)] = 2


@dataclass(frozen=True, kw_only=True)
class Run(Section):
    """One training. Every key of a run may be given in section train, for all runs, and in the run.

    `network` names a description in `gan/literature.py`; it gets `width` times its channels, and breaks the guidelines
    of `gan/guidelines.py` that `violate` names. `images` is how many training images are used, the first ones; empty
    means all. Over the last `decay_epochs` of all `epochs` the learning rate falls towards 0. `leak` is the slope of
    LeakyReLU.

    `lr_G` and `lr_D` replace `lr` for one of the networks (Heusel et al. 2017, arXiv 1706.08500). D is updated
    `d_steps` times for each update of G (Goodfellow et al. 2014, algorithm 1). D's target for real images is 1 -
    `label_smoothing`, for fakes 0 (Salimans et al. 2016, arXiv 1606.03498, sec. 3.4). With `flip` half of the real
    images are mirrored. `ema` is the share that an average of G's weights keeps of itself at every mini-batch; 0 is no
    average. `keep: best` saves also the generator with the smallest distance on the curve. When a training collapses,
    `on_collapse` says whether it only warns or ends there.
    """
    network: Label = "slides"
    width: Annotated[float, Field(gt=0, le=4)] = 1.0
    violate: list[str] = field(default_factory=list)
    images: Count | None = None
    epochs: Count = 2
    decay_epochs: Annotated[int, Field(ge=0, le=10**9)] = 0
    batch: Samples = 128
    lr: Rate = 0.0002
    beta1: Annotated[float, Field(ge=0, lt=1)] = 0.5
    leak: Annotated[float, Field(ge=0, lt=1)] = 0.2
    lr_G: Rate | None = None
    lr_D: Rate | None = None
    d_steps: Count = 1
    label_smoothing: Annotated[float, Field(ge=0, lt=0.5)] = 0.0
    flip: bool = False
    ema: Annotated[float, Field(ge=0, lt=1)] = 0.0
    keep: Literal["last", "best"] = "last"
    on_collapse: Literal["warn", "stop"] = "warn"

    @property
    def rates(self) -> tuple[float, float]:
        """The learning rates of G and of D."""
        return self.lr_G or self.lr, self.lr_D or self.lr


@dataclass(frozen=True, kw_only=True)
class Sampling(Section):
    """Which statistics batch norm samples with: `running` averages, or `recomputed` ones over so many fresh images."""
    batch_norm: Literal["running", "recomputed"] = "recomputed"
    statistics_images: Samples = 5000

    @property
    def of_average(self) -> Self:
        """The same for an average of weights, which has no running averages of its own."""
        return replace(self, batch_norm="recomputed")


@dataclass(frozen=True, kw_only=True)
class Train(Sampling, Run):
    """What runs share, and how a training is observed. Intervals are in images seen, comparable across batch sizes.

    The Fréchet distance of `fid_images` samples is measured every `fid_every` images, with a picture of `grid` rows and
    columns of samples. Losses are averaged over `report_images`. The state is saved with the first report after
    `checkpoint_seconds`.
    """
    fid_every: Count = 20000
    fid_images: Samples = 5000
    grid: Annotated[int, Field(ge=1, le=32)] = 8
    report_images: Count = 5000
    checkpoint_seconds: Annotated[float, Field(ge=0, le=10**6)] = 15.0

    @property
    def run(self) -> Run:
        """The run that adds nothing to this section."""
        return Run(**{one.name: getattr(self, one.name) for one in fields(Run)})
