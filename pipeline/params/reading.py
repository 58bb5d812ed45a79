"""params.yaml, read once into frozen dataclasses.

An unknown, duplicate, ill-typed or out-of-range key is refused with one line; a key that is not there has its default.
The file is read as YAML 1.2, where 1e-05 is a number (YAML 1.1 takes it for a string: treeverse/dvc#5971).
"""
import json
import reprlib
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from pipeline import files
from pipeline.errors import InputError, suggestion
from pipeline.params import checks
from pipeline.params.sections import Run
from pipeline.params.study import Study

PARAMS = Path("params.yaml")
LARGEST = 1 << 20  # characters of a file of parameters, and values that it holds
LONGEST = 200  # characters of a value in a message


def load(path: Path = PARAMS) -> Study:
    """The study in `path`, which is by default that of the current folder; InputError names the first bad key."""
    try:
        content = yaml(path)
    except FileNotFoundError:
        raise InputError(f"{path}: not found in {path.absolute().parent}; expected a study's folder, which is the "
                         "repository's or one of studies/") from None
    try:
        study: Study = TypeAdapter(Study).validate_json(json.dumps(inherited(content)))
    except ValidationError as error:
        # A misspelt key is missing as well: its own line says more.
        first = min(error.errors(), key=lambda problem: problem["type"] != "unexpected_keyword_argument")
        raise InputError(f"{path}: {_problem(first)}") from None
    if problem := checks.problem(study, path.absolute().parent):
        raise InputError(f"{path}: {problem}")
    return study


def yaml(path: Path) -> Any:
    """What a YAML 1.2 file holds, in the types of JSON; FileNotFoundError, or InputError when it is not YAML.

    Also when it is larger than a file of parameters can be, holds itself, or holds a key that JSON cannot have.
    """
    try:
        text = files.read(path).decode()
        if len(text) > LARGEST:
            raise InputError(f"{path}: {len(text):,} characters; expected at most {LARGEST:,}")
        content = YAML(typ="safe", pure=True).load(text)
        if _larger(content, LARGEST):  # by aliases, which JSON writes out
            raise InputError(f"{path}: holds itself, or more than {LARGEST:,} values by aliases")
        return json.loads(json.dumps(content, default=str))
    except RecursionError:
        raise InputError(f"{path}: not YAML of parameters: nested too deeply") from None
    except (YAMLError, ValueError, TypeError) as error:
        raise InputError(f"{path}: {_yaml_problem(error)}") from None


def _larger(content: Any, limit: int) -> bool:
    """Whether lists and mappings hold more than `limit` values."""
    pending, count = [content], 0
    while pending and count <= limit:
        one = pending.pop()
        inside = list(one.values() if isinstance(one, dict) else one) if isinstance(one, dict | list) else []
        count += len(inside)
        pending += inside
    return count > limit


def inherited(content: Any) -> Any:
    """`content` without empty sections, and every run completed by what section train says for all of them."""
    if not isinstance(content, dict):
        return content
    content = {key: value for key, value in content.items() if value is not None}
    train, runs = content.get("train", {}), content.get("runs")
    if isinstance(train, dict) and isinstance(runs, dict):
        shared = {field.name: train[field.name] for field in fields(Run) if field.name in train}
        content["runs"] = {name: shared | (run or {}) if run is None or isinstance(run, dict) else run
                           for name, run in runs.items()}
    return content


def run(study: Study, name: str, seed: int | None = None) -> Run:
    """The run `name` of the study; InputError when there is no such run, or no such seed, with the nearest name."""
    if name not in study.runs:
        known = list(study.runs)
        more = f" and {len(known) - 12} more" if len(known) > 12 else ""
        raise InputError(f"{PARAMS}: runs: no run {name!r}{suggestion(name, known)}; there are "
                         f"{', '.join(known[:12])}{more}")
    if seed is not None and seed not in study.seeds:
        raise InputError(f"{PARAMS}: seeds: no seed {seed}; there are {', '.join(map(str, study.seeds))}")
    return study.runs[name]


def _yaml_problem(error: Exception) -> str:
    if isinstance(error, MarkedYAMLError) and error.problem and error.problem_mark:
        return f"line {error.problem_mark.line + 1}: {error.problem.splitlines()[0]}"
    return f"not YAML: {str(error).splitlines()[0]}"


def _problem(error: ErrorDetails) -> str:
    """One line for one failed check: key, what was found, what was expected."""
    key = ".".join(str(part) for part in error["loc"] if part not in ("[key]", "range", "values", "value"))
    if error["type"] == "unexpected_keyword_argument":
        return f"unknown key {key}" + suggestion(str(error["loc"][-1]), _known_keys(error["loc"]))
    if error["type"] in ("missing_argument", "missing"):
        return f"missing key {key}"
    expected = error["msg"].removeprefix("Input should be ")
    near = suggestion(error["input"], error["ctx"]["expected"].replace("'", "").replace(" or ", ", ").split(", ")) if (
        error["type"] == "literal_error" and isinstance(error["input"], str)) else ""
    found = reprlib.repr(error["input"]) if len(str(error["input"])) > LONGEST else repr(error["input"])
    return f"{key or 'the file'} = {found}: expected {expected}{near}"


def _known_keys(location: tuple[int | str, ...]) -> list[str]:
    """The keys of the section that holds `location`."""
    kind: Any = Study
    for part in location[:-1]:
        if get_origin(kind) is dict:
            kind = get_args(kind)[1]
        elif is_dataclass(kind):
            kind = get_type_hints(kind).get(str(part), kind)
        while not is_dataclass(kind) and get_origin(kind) not in (dict, None):  # the section among several types
            kind = get_args(kind)[0]
    return list(get_type_hints(kind))
