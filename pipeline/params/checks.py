"""What must hold between the keys of params.yaml."""
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pipeline import folders
from pipeline.errors import suggestion
from pipeline.params.claiming import ACCURACY, Claim
from pipeline.params.searching import NUMBERS, SEARCHABLE, Range, Search, Space, choices, typed, values_of, when
from pipeline.params.sections import Run
from pipeline.params.study import Study


def problem(study: Study, home: Path) -> str:
    """The first thing that is wrong between the keys of the study in the folder `home`, or ''."""
    if len(set(study.seeds)) < len(study.seeds):
        twice = next(seed for seed in study.seeds if study.seeds.count(seed) > 1)
        return f"seeds = {study.seeds}: {twice} is there twice"
    if found := _names_problem(study):
        return found
    for place, problems in (("runs", {name: _run_problem(run) for name, run in study.runs.items()}),
                            ("claims", {name: _claim_problem(claim) for name, claim in study.claims.items()})):
        for name, found in problems.items():
            if found:
                return f"{place}.{name}{found}"
    if study.data.name == "images" and (study.data.directory is None or study.data.pictures is None):
        missing = ("directory: a folder, .zip or .tar of pictures" if study.data.directory is None else
                   "pictures: how they become arrays, like {size: 64, channels: 3, smallest: 64}")
        return f"data.name = 'images': expected also data.{missing}"
    return _directory_problem(study.data.directory, home) or _search_problem(study.search)


def _names_problem(study: Study) -> str:
    """The first run or transfer that does not exist, or may not, or ''."""
    if "reference" in study.runs:
        return "runs.reference: models/reference holds the classifier; choose another name"
    against = [study.search.against] if study.search.against else []
    for name, claim in study.claims.items():
        if claim.transfer is not None and claim.transfer not in study.transfers:
            near, known = suggestion(claim.transfer, study.transfers), ", ".join(study.transfers) or "none"
            return f"claims.{name}.transfer: no {claim.transfer!r}{near}; there are {known}"
    of_claims = [(f"claims.{name}.{key}", runs) for name, claim in study.claims.items()
                 for key, runs in (("better", claim.better), ("runs", claim.runs))]
    for key, names in (("internals.runs", study.internals.runs), ("search.first", study.search.first),
                       ("search.against", against), *of_claims):
        for name in names:
            if name not in study.runs:
                return f"{key}: no run {name!r}{suggestion(name, study.runs)}; there are {', '.join(study.runs)}"
    return ""


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
        return f".decay_epochs = {run.decay_epochs}: expected at most epochs = {run.epochs}"
    if run.decay_epochs == 1:
        return (".decay_epochs = 1: the first of these epochs still has the whole rate, so that 1 changes nothing; "
                "expected 0, or at least 2")
    return ""


def _claim_problem(claim: Claim) -> str:
    """What makes a claim one that nothing could decide, or ''."""
    bounds = [claim.at_least, claim.at_most].count(None)
    if claim.better and (len(claim.better) != 2 or claim.better[0] == claim.better[1]):
        return f".better = {claim.better}: expected two different runs, the better one first"
    if claim.better and (claim.runs or claim.transfer or bounds < 2):
        return ": compares two runs, so that it takes neither runs nor transfer nor at_least nor at_most"
    if claim.runs and claim.transfer or not claim.better and bool(claim.runs or claim.transfer) != (bounds == 1):
        return ": expected better: [one run, another]; or runs or transfer, of, and one of at_least and at_most"
    if claim.minus and (claim.over or claim.better):
        return f".minus = {claim.minus!r}: expected only one of better, minus and over"
    for name in (claim.of, claim.minus) if claim.transfer else ():
        if name is not None and not ACCURACY.fullmatch(name):
            return f": {name} is no accuracy of a transfer; expected one like probe_accuracy_10000_labels"
    if claim.over and (claim.better or claim.transfer):
        return f".over = {claim.over!r}: expected only one of better, transfer, minus and over"
    return ""


def _search_problem(search: Search) -> str:
    for key, knob in search.space.items():
        if key not in SEARCHABLE:
            return f"search.space.{key}: expected one of {', '.join(SEARCHABLE)}{suggestion(key, SEARCHABLE)}"
        if found := _knob_problem(key, knob) or _when_problem(key, search.space):
            return f"search.space.{key}{found}"
    if search.objectives not in (["fid"], ["fid", "probe"]):
        return f"search.objectives = {search.objectives}: expected [fid] or [fid, probe]"
    if len(search.objectives) == 2 and search.sampler == "cmaes":
        return "search.sampler = 'cmaes': has one objective; expected tpe, gp or random with search.objectives of two"
    return _rungs_problem(search)


def _rungs_problem(search: Search) -> str:
    rungs = search.rungs
    if rungs != sorted(set(rungs)):
        return f"search.rungs = {rungs}: expected each to be longer than the one before"
    factors = {divmod(longer, shorter) for shorter, longer in zip(rungs, rungs[1:])}
    if search.pruner in ("halving", "hyperband") and (len(factors) != 1 or factors.pop()[1]):
        return (f"search.rungs = {rungs}: search.pruner = {search.pruner!r} expects two rungs or more, each as many "
                "times the one before, like [5000, 15000, 45000]")
    return ""


def _knob_problem(key: str, knob: Any) -> str:
    """What makes the values of a knob unfit for its key, with where it is, or ''."""
    if isinstance(knob, Range):
        if key not in NUMBERS:
            return f": is no number; expected a list of values, not a range from {knob.low:g} to {knob.high:g}"
        if not knob.low < knob.high:
            return f" = {knob.low:g} to {knob.high:g}: expected low < high; for one value write just that"
        if knob.log and knob.low <= 0:
            return f".low = {knob.low:g}: a logarithmic range starts above 0"
    values = values_of(knob)
    for place, value in enumerate(values):
        if value in values[:place]:
            return f" = {values}: a value is there twice"
        try:
            typed(key, value)
        except ValidationError as error:
            found = f"{value:g}" if isinstance(value, float) else repr(value)
            return f" = {found}: expected {error.errors()[0]['msg'].removeprefix('Input should be ')}"
    return ""


def _when_problem(key: str, space: Space) -> str:
    """What makes the condition of a knob one that never holds or cannot be known, or ''."""
    before = list(space)[:list(space).index(key)]
    for other, values in when(space[key]).items():
        if other not in before or (possible := choices(space[other])) is None:
            listed = [name for name in before if choices(space[name]) is not None]
            return (f".when.{other}: expected a key that search.space has before {key}, with a list of values"
                    f"{suggestion(other, listed)}; there are {', '.join(listed) or 'none'}")
        if strange := [value for value in values if value not in possible]:
            return f".when.{other} = {strange[0]!r}: expected one of {possible}"
    return ""
