"""params.yaml as frozen dataclasses: the types and ranges that every number has to meet.

An unknown, missing, duplicate, ill-typed or out-of-range key is refused with one line. The file is read as YAML 1.2,
where 1e-05 is a number (YAML 1.1 readers take it for a string: treeverse/dvc#5971).
"""
import difflib
import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, ClassVar, Literal, get_type_hints

from pydantic import ConfigDict, Discriminator, Field, Tag, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from pipeline.errors import InputError

PARAMS = Path("params.yaml")

Count = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
Rate = Annotated[float, Field(gt=0, le=1)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")]


class Section:
    """A section knows its keys and their types, and takes no others."""
    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid", strict=True)


@dataclass(frozen=True, kw_only=True)
class Data(Section):
    """Which images: `directory` holds MNIST's four IDX files, for machines that reach no source."""
    name: Literal["mnist", "digits"]
    directory: str | None


@dataclass(frozen=True, kw_only=True)
class Hardware(Section):
    """Where and how precisely networks are trained; `auto` takes the best there is."""
    device: Literal["auto", "cuda", "mps", "cpu"]
    precision: Literal["auto", "fp32", "bf16"]


@dataclass(frozen=True, kw_only=True)
class Reference(Section):
    """The classifier whose features span the space that distances are measured in."""
    epochs: Count
    batch: Annotated[int, Field(ge=2)]
    lr: Rate
    seed: Seed


@dataclass(frozen=True, kw_only=True)
class Train(Section):
    """What all runs share. Lengths are in images seen, comparable across batch sizes."""
    network: Literal["slides"]
    epochs: Count
    seed: Seed
    fid_every: Count
    fid_images: Annotated[int, Field(ge=2)]
    grid: Annotated[int, Field(ge=1, le=32)]
    report_images: Count
    checkpoint_seconds: Annotated[float, Field(ge=0)]


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
class Evaluate(Section):
    """Scores of a finished run. The probe sees `probe_images`, whose last share `probe_validation` chooses its C."""
    seed: Seed
    fid_images: Annotated[int, Field(ge=2)]
    probe_images: Annotated[int, Field(ge=100)]
    probe_validation: Annotated[float, Field(ge=0.05, le=0.5)]
    probe_C: Annotated[list[Annotated[float, Field(gt=0)]], Field(min_length=1)]


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


@dataclass(frozen=True, kw_only=True)
class Params(Section):
    """The whole file."""
    data: Data
    hardware: Hardware
    reference: Reference
    train: Train
    runs: Annotated[dict[Name, Run], Field(min_length=1)]
    sampling: Sampling
    evaluate: Evaluate
    search: Search


def load(path: Path = PARAMS) -> Params:
    """The parameters in `path`; InputError names the first key that cannot be used."""
    try:
        content = YAML(typ="safe", pure=True).load(path.read_text())
    except FileNotFoundError:
        raise InputError(f"{path}: not found; run this from the project's root folder") from None
    except (YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: {_yaml_problem(error)}") from None
    try:
        params = TypeAdapter(Params).validate_json(json.dumps(content, default=str))
    except ValidationError as error:
        # A misspelt key is missing as well: its own line says more.
        first = min(error.errors(), key=lambda problem: problem["type"] != "unexpected_keyword_argument")
        raise InputError(f"{path}: {_problem(first)}") from None
    if "reference" in params.runs:
        raise InputError(f"{path}: runs.reference: models/reference is the classifier's folder; take another name")
    if problem := _search_problem(params.search, params.runs):
        raise InputError(f"{path}: search.{problem}")
    return params


def run_of(params: Params, name: str) -> Run:
    """The run called `name`; InputError lists the known ones."""
    if name not in params.runs:
        raise InputError(f"{PARAMS}: runs: no run {name!r}; there are {', '.join(params.runs)}")
    return params.runs[name]


def _search_problem(search: Search, runs: dict[str, Run]) -> str:
    """What is wrong between the keys of the section search, or ''."""
    types = get_type_hints(Run, include_extras=True)
    known = [field.name for field in fields(Run)]
    for key, knob in search.space.items():
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            return f"space.{key}: a run has no such parameter" + (f" (did you mean {near[0]!r}?)" if near else "")
        if problem := _knob_problem(knob, TypeAdapter(types[key])):
            return f"space.{key}{problem}"
    for key in known:
        if key not in search.space:
            return f"space: {key} is missing: give a range, a list to choose from, or a value to keep"
    if search.objectives not in (["fid"], ["fid", "probe"]):
        return f"objectives = {search.objectives}: expected [fid] or [fid, probe]"
    for name in search.first:
        if name not in runs:
            return f"first: no run {name!r}; there are {', '.join(runs)}"
    return ""


def _knob_problem(knob: Range | list[float] | float, adapter: TypeAdapter[float]) -> str:
    """What makes the values of a knob unfit for its parameter, with where it is, or ''."""
    if isinstance(knob, Range):
        if not knob.low < knob.high:
            return f" = {knob.low:g} to {knob.high:g}: expected low < high; for one value write just that"
        if knob.log and knob.low <= 0:
            return f".low = {knob.low:g}: a logarithmic range starts above 0"
    if isinstance(knob, list) and len(set(knob)) < len(knob):
        return f" = {knob}: a value is there twice"
    for value in values_of(knob):
        try:
            adapter.validate_json(json.dumps(int(value) if value.is_integer() else value))
        except ValidationError as error:
            return f" = {value:g}: expected {error.errors()[0]['msg'].removeprefix('Input should be ')}"
    return ""


def values_of(knob: Range | list[float] | float) -> list[float]:
    """Every value of a list, both ends of a range, or the one that is kept."""
    if isinstance(knob, Range):
        return [knob.low, knob.high]
    return knob if isinstance(knob, list) else [knob]


def _yaml_problem(error: YAMLError | UnicodeDecodeError) -> str:
    if isinstance(error, MarkedYAMLError) and error.problem and error.problem_mark:
        return f"line {error.problem_mark.line + 1}: {error.problem.splitlines()[0]}"
    return f"not YAML: {str(error).splitlines()[0]}"


def _problem(error: ErrorDetails) -> str:
    """One line for one failed check: key, what was found, what was expected."""
    key = ".".join(str(part) for part in error["loc"] if part not in ("[key]", "range", "values", "value"))
    if error["type"] == "unexpected_keyword_argument":
        near = difflib.get_close_matches(str(error["loc"][-1]), _known_keys(error["loc"]), n=1)
        return f"unknown key {key}" + (f" (did you mean {near[0]!r}?)" if near else "")
    if error["type"] in ("missing_argument", "missing"):
        return f"missing key {key}"
    expected = error["msg"].removeprefix("Input should be ")
    return f"{key or 'the file'} = {error['input']!r}: expected {expected}"


def _known_keys(location: tuple[int | str, ...]) -> list[str]:
    """The keys that the section holding `location` knows."""
    sections = {"": Params} | get_type_hints(Params)
    first = str(location[0])
    if len(location) == 1:
        return list(get_type_hints(Params))
    return list(get_type_hints(Run if first == "runs" else sections[first]))
