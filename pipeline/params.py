"""params.yaml, read once into frozen dataclasses.

An unknown, missing, duplicate, ill-typed or out-of-range key is refused with one line. The file is read as YAML 1.2,
where 1e-05 is a number (YAML 1.1 readers take it for a string: treeverse/dvc#5971).
"""
import json
from dataclasses import asdict, fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from pipeline.documents import Common, Params, Recipe, Recipes, Study, Transfer
from pipeline.errors import InputError, suggestion
from pipeline.sections import Design, Range, Run, Search, Train, values_of

PARAMS = Path("params.yaml")
Kind = TypeVar("Kind")


def load(path: Path = PARAMS) -> Params:
    """The parameters in `path`; InputError names the first key that cannot be used."""
    params = _read(path, Params)
    if "reference" in params.runs:
        raise InputError(f"{path}: runs.reference: models/reference is the classifier's folder; take another name")
    _check_decay(params.train, f"{path}: train")
    if problem := _search_problem(params.search, params.runs):
        raise InputError(f"{path}: search.{problem}")
    return params


def whole(folder: str) -> Params | Recipes:
    """The file params.yaml in `folder`, or the study's for ''."""
    return _read(Path(folder) / PARAMS, Recipes) if folder else load()


def study(name: str) -> tuple[Study, str]:
    """The parameters of the run that a stage is given as `name`, and what it is called.

    `test4` is a run of params.yaml, `recipes/paper-64` a recipe of recipes/params.yaml: a study of that run alone.
    InputError when there is none of that name, with the nearest one.
    """
    folder, _, name = name.rpartition("/")
    if not folder:
        params = load()
        _known(name, params.runs, f"{PARAMS}: runs", "run")
        return params, name
    path = Path(folder) / PARAMS
    book, recipe = _read(path, Recipes), recipe_of(f"{folder}/{name}")
    if name == "reference":
        raise InputError(f"{path}: recipes.reference: models/recipes/reference holds the classifiers; take another "
                         "name")
    _check_decay(recipe, f"{path}: recipes.{name}")
    given = asdict(recipe)
    train = Train(**asdict(book.train), **{field.name: given[field.name] for field in fields(Design)})
    run = Run(**{field.name: given[field.name] for field in fields(Run)})
    data = _known(recipe.data, book.data, f"{path}: recipes.{name}.data", "data set")
    return Study(hardware=book.hardware, data=data, reference=book.reference, sampling=book.sampling,
                 evaluate=book.evaluate, internals=book.internals, train=train, runs={name: run}), name


def place(name: str, section: str = "") -> str:
    """Where what a stage is given as `name` stands, for messages: a run, a recipe, or in another `section`."""
    folder, _, label = name.rpartition("/")
    return f"{Path(folder) / PARAMS}: {section or ('recipes' if folder else 'runs')}.{label}"


def recipe_of(name: str) -> Recipe:
    """The recipe that `name`, like recipes/paper-64, stands for; InputError with the nearest one."""
    path = Path(name).parent / PARAMS
    found: Recipe = _known(Path(name).name, _read(path, Recipes).recipes, f"{path}: recipes", "recipe")
    return found


def transfer(name: str) -> tuple[Recipes, Transfer]:
    """The file that `name`, like recipes/imagenet32-to-cifar10, is from, and its transfer of that name.

    InputError with the nearest one.
    """
    folder, _, label = name.rpartition("/")
    path = Path(folder) / PARAMS
    book = _read(path, Recipes)
    return book, _known(label, book.transfers, f"{path}: transfers", "transfer")


def shared(name: str) -> Common:
    """What the stages before a training are told; `name` is that of the data set.

    `mnist` is the one that params.yaml names, `recipes/cifar10` one of recipes/params.yaml.
    """
    folder, _, name = name.rpartition("/")
    path = Path(folder) / PARAMS
    if not folder:
        params = load()
        _known(name, {params.data.name: params.data}, f"{path}: data.name", "data set")
        return params
    book = _read(path, Recipes)
    return Common(hardware=book.hardware, data=_known(name, book.data, f"{path}: data", "data set"),
                  reference=book.reference, sampling=book.sampling, evaluate=book.evaluate)


def _read(path: Path, kind: type[Kind]) -> Kind:
    """The file at `path` as a section of `kind`."""
    try:
        content = YAML(typ="safe", pure=True).load(path.read_text())
    except FileNotFoundError:
        raise InputError(f"{path}: not found; run this from the project's root folder") from None
    except (YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: {_yaml_problem(error)}") from None
    try:
        return TypeAdapter(kind).validate_json(json.dumps(content, default=str))
    except ValidationError as error:
        # A misspelt key is missing as well: its own line says more.
        first = min(error.errors(), key=lambda problem: problem["type"] != "unexpected_keyword_argument")
        raise InputError(f"{path}: {_problem(first, kind)}") from None


def _check_decay(design: Design, where: str) -> None:
    if design.decay_epochs > design.epochs:
        raise InputError(f"{where}.decay_epochs = {design.decay_epochs}: expected at most epochs = {design.epochs}")


def _known(name: str, there: dict[str, Any], where: str, what: str) -> Any:
    """What `there` has under `name`; InputError with the nearest name, and the first dozen."""
    if name not in there:
        more = f" and {len(there) - 12} more" if len(there) > 12 else ""
        raise InputError(f"{where}: no {what} {name!r}{suggestion(name, there)}; there are "
                         f"{', '.join(list(there)[:12])}{more}")
    return there[name]


def _search_problem(search: Search, runs: dict[str, Run]) -> str:
    """What is wrong between the keys of the section search, or ''."""
    types = get_type_hints(Run, include_extras=True)
    known = [field.name for field in fields(Run)]
    for key, knob in search.space.items():
        if key not in known:
            return f"space.{key}: a run has no such parameter{suggestion(key, known)}"
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


def _yaml_problem(error: YAMLError | UnicodeDecodeError) -> str:
    if isinstance(error, MarkedYAMLError) and error.problem and error.problem_mark:
        return f"line {error.problem_mark.line + 1}: {error.problem.splitlines()[0]}"
    return f"not YAML: {str(error).splitlines()[0]}"


def _problem(error: ErrorDetails, kind: type) -> str:
    """One line for one failed check: key, what was found, what was expected."""
    key = ".".join(str(part) for part in error["loc"] if part not in ("[key]", "range", "values", "value"))
    if error["type"] == "unexpected_keyword_argument":
        return f"unknown key {key}" + suggestion(str(error["loc"][-1]), _known_keys(error["loc"], kind))
    if error["type"] in ("missing_argument", "missing"):
        return f"missing key {key}"
    expected = error["msg"].removeprefix("Input should be ")
    return f"{key or 'the file'} = {error['input']!r}: expected {expected}"


def _known_keys(location: tuple[int | str, ...], kind: Any) -> list[str]:
    """The keys that the section holding `location`, in a file of `kind`, knows."""
    for part in location[:-1]:
        if get_origin(kind) is dict:
            kind = get_args(kind)[1]
        elif is_dataclass(kind):
            kind = get_type_hints(kind).get(str(part), kind)
        while not is_dataclass(kind) and get_origin(kind) not in (dict, None):  # the section among several types
            kind = get_args(kind)[0]
    return list(get_type_hints(kind))
