"""Section search of params.yaml: which runs Optuna tries, and how each of them is scored."""
from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag

from pipeline.params.sections import Count, Label, Section, Seed


@dataclass(frozen=True, kw_only=True)
class Range(Section):
    """The numbers from `low` to `high`, both included, sampled evenly or, with `log`, evenly in their logarithm."""
    low: float
    high: float
    log: bool = False


Values = Annotated[list[float], Field(min_length=1)]
Knob = Annotated[
    Annotated[Range, Tag("range")] | Annotated[Values, Tag("values")] | Annotated[float, Tag("value")],
    Discriminator(lambda given: {dict: "range", list: "values"}.get(type(given), "value"))]
KNOBS = ("batch", "lr", "beta1", "leak")  # in which the runs of the slides differ, and which every table has
SEARCHABLE = (*KNOBS, "lr_G", "lr_D", "d_steps", "label_smoothing", "ema")


def values_of(knob: Range | list[float] | float) -> list[float]:
    """Every value of a list, both ends of a range, or the one value."""
    if isinstance(knob, Range):
        return [knob.low, knob.high]
    return knob if isinstance(knob, list) else [knob]


def _space() -> dict[str, Knob]:
    return {"batch": [32.0, 64.0, 100.0, 128.0, 256.0, 512.0], "lr": Range(low=1e-5, high=1e-2, log=True),
            "beta1": Range(low=0.0, high=0.95), "leak": Range(low=0.0, high=0.5)}


@dataclass(frozen=True, kw_only=True)
class Search(Section):
    """Optuna's search. `space` gives a range, a list or one value for some of SEARCHABLE; section train gives the rest.

    The runs `first` are tried first; `n_trials` counts all trials, of which `n_startup_trials` are drawn at random
    before the sampler takes over. Every trial sees `images` training images and is scored every `fid_every` of them
    against `validation` training images that no trial trains on; from half of `images` on, a trial that is worse than
    the median is pruned. With the objectives [fid, probe] there is a Pareto front, and no trial is pruned. A probe sees
    `probe_images`. The best `candidates`, and the best of the first runs, are trained again with `seeds` further seeds;
    the winner has the smallest mean. `storage` is empty for optuna.log in the repository, or
    postgresql+psycopg://user@host/database for several machines; `artifacts` is empty for a folder there, or a path
    that they share, or s3://bucket.
    """
    space: dict[str, Knob] = field(default_factory=_space)
    first: list[Label] = field(default_factory=list)
    n_trials: Count = 14
    n_startup_trials: Count = 6
    objectives: list[Literal["fid", "probe"]] = field(default_factory=lambda: ["fid"])
    images: Count = 15000
    fid_every: Count = 7500
    validation: Annotated[int, Field(ge=2)] = 10000
    probe_images: Annotated[int, Field(ge=100)] = 2000
    probe_C: Annotated[list[Annotated[float, Field(gt=0)]], Field(min_length=1)] = field(default_factory=lambda: [0.1])
    candidates: Count = 2
    seeds: Count = 3
    seed: Seed = 0
    storage: str | None = None
    artifacts: str | None = None
