"""What must hold between the keys of params.yaml."""
import json
from pathlib import Path
from typing import get_type_hints

from pydantic import TypeAdapter, ValidationError

from pipeline import folders
from pipeline.errors import suggestion
from pipeline.params.searching import SEARCHABLE, Range, Search, values_of
from pipeline.params.sections import Run
from pipeline.params.study import Study


def problem(study: Study, home: Path) -> str:
    """The first thing that is wrong between the keys of the study in the folder `home`, or ''."""
    if "reference" in study.runs:
        return "runs.reference: models/reference holds the classifier; choose another name"
    if len(set(study.seeds)) < len(study.seeds):
        twice = next(seed for seed in study.seeds if study.seeds.count(seed) > 1)
        return f"seeds = {study.seeds}: {twice} is there twice"
    for name, run in study.runs.items():
        if found := _run_problem(run):
            return f"runs.{name}.{found}"
    for key, names in (("internals.runs", study.internals.runs), ("search.first", study.search.first)):
        for name in names:
            if name not in study.runs:
                return f"{key}: no run {name!r}{suggestion(name, study.runs)}; there are {', '.join(study.runs)}"
    if study.data.name == "images" and (study.data.directory is None or study.data.pictures is None):
        missing = ("directory: a folder, .zip or .tar of pictures" if study.data.directory is None else
                   "pictures: how they become arrays, like {size: 64, channels: 3, smallest: 64}")
        return f"data.name = 'images': expected also data.{missing}"
    return _directory_problem(study.data.directory, home) or _search_problem(study.search)


def _directory_problem(directory: str | None, home: Path) -> str:
    """What forbids to read `directory`, or ''. DVC deletes what stages write before they run, and so what lies there.
    """
    if directory is None:
        return ""
    try:
        place = folders.directory(directory, home).resolve()
    except (RuntimeError, OSError) as error:
        return f"data.directory = {directory!r}: no such folder ({error})"
    for output in (home / name for name in folders.WRITTEN):
        if place.is_relative_to(output.resolve()) or output.resolve().is_relative_to(place):
            return (f"data.directory = {directory!r}: overlaps {output}, which stages write and DVC deletes; expected "
                    "a place of its own")
    return ""


def _run_problem(run: Run) -> str:
    """What is impossible about a run, or ''."""
    if run.decay_epochs > run.epochs:
        return f"decay_epochs = {run.decay_epochs}: expected at most epochs = {run.epochs}"
    if run.decay_epochs == 1:
        return ("decay_epochs = 1: the first of these epochs still has the whole rate, so that 1 changes nothing; "
                "expected 0, or at least 2")
    return ""


def _search_problem(search: Search) -> str:
    types = get_type_hints(Run, include_extras=True)
    for key, knob in search.space.items():
        if key not in SEARCHABLE:
            return f"search.space.{key}: expected one of {', '.join(SEARCHABLE)}{suggestion(key, SEARCHABLE)}"
        if found := _knob_problem(knob, TypeAdapter(types[key])):
            return f"search.space.{key}{found}"
    if search.objectives not in (["fid"], ["fid", "probe"]):
        return f"search.objectives = {search.objectives}: expected [fid] or [fid, probe]"
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
