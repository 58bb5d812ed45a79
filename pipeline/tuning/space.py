"""The runs that a search draws from: params.yaml's ranges, lists and single values, and Optuna's distributions."""
from dataclasses import asdict, replace
from typing import Any, get_type_hints

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from pipeline.params.searching import KNOBS, SEARCHABLE, Knob, Range
from pipeline.params.sections import Run

Space = dict[str, Knob]
HINTS = get_type_hints(Run)
TYPES: dict[str, Any] = {key: int if HINTS[key] is int else float for key in SEARCHABLE}
DIGITS = 3  # that a number drawn from a range keeps, so that the printed run is the run that was trained


def shown(space: Space) -> list[str]:
    """The parameters that tables of the search show: KNOBS, and what else the space names."""
    return [key for key in SEARCHABLE if key in KNOBS or key in space]


def distributions(space: Space) -> dict[str, BaseDistribution]:
    """What every parameter with more than one value is drawn from."""
    drawn: dict[str, BaseDistribution] = {}
    for key, knob in space.items():
        if isinstance(knob, Range) and TYPES[key] is int:
            drawn[key] = IntDistribution(int(knob.low), int(knob.high), knob.log)
        elif isinstance(knob, Range):
            drawn[key] = FloatDistribution(knob.low, knob.high, knob.log)
        elif isinstance(knob, list):
            drawn[key] = CategoricalDistribution([TYPES[key](value) for value in knob])
    return drawn


def run_of(drawn: dict[str, Any], space: Space, base: Run, exact: bool) -> Run:
    """`base` with the numbers `drawn`, and the single values of `space`; those of ranges are rounded unless `exact`."""
    values: dict[str, Any] = {}
    for key, knob in space.items():
        value = drawn.get(key, knob)
        if isinstance(knob, Range) and not exact:
            value = min(max(float(f"{value:.{DIGITS}g}"), knob.low), knob.high)
        values[key] = TYPES[key](value)
    return replace(base, **values)


def drawn_of(run: Run, space: Space, base: Run) -> dict[str, Any] | None:
    """The numbers that stand for `run`; None when the space does not hold it, or it differs from `base` elsewhere.

    A learning rate of one network that the run does not set is the run's lr.
    """
    drawn, elsewhere = {}, asdict(base)
    for key, value in asdict(run).items():
        knob = space.get(key, elsewhere[key])
        value = run.lr if key in space and value is None else value
        if isinstance(knob, Range):
            inside = knob.low <= value <= knob.high
        elif key in space and isinstance(knob, list):
            inside = value in knob
        else:
            inside = value == knob
        if not inside:
            return None
        if key in space and isinstance(knob, Range | list):
            drawn[key] = value
    return drawn
