"""Section search of params.yaml: which runs Optuna tries, and how each of them is scored."""
import json
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, get_type_hints

from pydantic import ConfigDict, Discriminator, Field, Tag, TypeAdapter

from pipeline.params.sections import Count, Label, Run, Section, Seed


@dataclass(frozen=True, kw_only=True)
class Range(Section):
    """The numbers from `low` to `high`, both included, sampled evenly or, with `log`, evenly in their logarithm.

    With `when`, only in runs where each key that it names has the value, or one of the values, that it gives.
    """
    low: float
    high: float
    log: bool = False
    when: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Choice(Section):
    """One of `values`; `when` as in Range."""
    values: Annotated[list[Any], Field(min_length=1)]
    when: dict[str, Any] = field(default_factory=dict)


def _kind(given: Any) -> str:
    """The tag of a knob; those that can be refused have names that reading leaves out of the key in its message."""
    if isinstance(given, dict | Choice):
        return "value" if isinstance(given, Choice) or "values" in given else "range"
    return "range" if isinstance(given, Range) else "values" if isinstance(given, list) else "any"


Knob = Annotated[
    Annotated[Range, Tag("range")] | Annotated[Choice, Tag("value")]
    | Annotated[Annotated[list[Any], Field(min_length=1)], Tag("values")] | Annotated[Any, Tag("any")],
    Discriminator(_kind)]
Space = dict[str, Any]  # of Knob
KNOBS = ("batch", "lr", "beta1", "leak")  # in which the runs of the slides differ, and which every table has
SEARCHABLE = (*KNOBS, "network", "width", "violate", "lr_G", "lr_D", "d_steps", "label_smoothing", "flip", "ema")
WHOLE = ("batch", "d_steps")
NUMBERS = ("batch", "lr", "beta1", "leak", "width", "lr_G", "lr_D", "d_steps", "label_smoothing", "ema")
_TYPES = {key: TypeAdapter(kind, config=ConfigDict(strict=True))
          for key, kind in get_type_hints(Run, include_extras=True).items() if key in SEARCHABLE}


def typed(key: str, value: Any) -> Any:
    """`value` in the type of a run's `key`; pydantic's ValidationError when it cannot be."""
    if key in WHOLE and isinstance(value, float) and value.is_integer():
        value = int(value)
    return _TYPES[key].validate_json(json.dumps(value))


def choices(knob: Any) -> list[Any] | None:
    """The values of a list; None of a range or a single value."""
    return knob.values if isinstance(knob, Choice) else knob if isinstance(knob, list) else None


def values_of(knob: Any) -> list[Any]:
    """Every value of a list, both ends of a range, or the one value."""
    if isinstance(knob, Range):
        return [knob.low, knob.high]
    return [knob] if choices(knob) is None else list(choices(knob) or [])


def when(knob: Any) -> dict[str, list[Any]]:
    """The values that other keys must have for this knob to be drawn."""
    asked = knob.when if isinstance(knob, Range | Choice) else {}
    return {key: value if isinstance(value, list) else [value] for key, value in asked.items()}


def _space() -> dict[str, Knob]:
    return {"batch": [32, 64, 100, 128, 256, 512], "lr": Range(low=1e-5, high=1e-2, log=True),
            "beta1": Range(low=0.0, high=0.95), "leak": Range(low=0.0, high=0.5)}


@dataclass(frozen=True, kw_only=True)
class Search(Section):
    """Optuna's search. `space` gives a range, a list or one value for some of SEARCHABLE; section train gives the rest.

    The run `against`, by default the last of `first`, is tried first, then the other runs `first`. The trials end when
    there are `n_trials`, or when the first of them began `hours` ago, whichever comes first; `n_startup_trials` are
    drawn at random before the `sampler` takes over. Each is scored at `rungs`, in images seen or, as `equal` says, in
    updates, against `validation` training images that no trial trains on. At each rung but the last the `pruner`
    decides whether it goes on: `halving` (asynchronous successive halving) and `hyperband` keep one in as many as one
    rung is longer than the one before; `median` keeps the better half. With the objectives [fid, probe] there is a
    Pareto front, and no trial is pruned. A probe sees `probe_images`. The best `candidates`, and the run `against`, are
    trained with `seeds` further seeds at the length of section train; the winner has the smallest mean there.
    `storage` is empty for optuna.log in the repository, or postgresql+psycopg://user@host/database for several
    machines; `artifacts` is empty for a folder there, or a path that they share, or s3://bucket.
    """
    space: dict[str, Knob] = field(default_factory=_space)
    first: list[Label] = field(default_factory=list)
    against: Label | None = None
    n_trials: Count = 14
    hours: Annotated[float, Field(gt=0, le=10_000)] | None = None
    sampler: Literal["tpe", "gp", "cmaes", "random"] = "tpe"
    n_startup_trials: Count = 6
    pruner: Literal["halving", "hyperband", "median", "none"] = "halving"
    rungs: Annotated[list[Count], Field(min_length=1)] = field(default_factory=lambda: [5_000, 15_000, 45_000])
    equal: Literal["images", "updates"] = "images"
    objectives: list[Literal["fid", "probe"]] = field(default_factory=lambda: ["fid"])
    validation: Annotated[int, Field(ge=2)] = 10000
    probe_images: Annotated[int, Field(ge=100)] = 2000
    probe_C: Annotated[list[Annotated[float, Field(gt=0)]], Field(min_length=1)] = field(default_factory=lambda: [0.1])
    candidates: Count = 2
    seeds: Count = 3
    seed: Seed = 0
    storage: str | None = None
    artifacts: str | None = None
