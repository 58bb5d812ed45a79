"""The runs that a search draws from: params.yaml's ranges, lists and kept values, and Optuna's distributions."""
from dataclasses import asdict
from typing import Any, get_type_hints

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from pipeline.sections import Knob, Range, Run

Space = dict[str, Knob]
TYPES = get_type_hints(Run)
DIGITS = 3  # that a number drawn from a range keeps: the run that one reads is the run that was trained


def distributions(space: Space) -> dict[str, BaseDistribution]:
    """What every parameter of a run that is not kept at one value is drawn from."""
    drawn: dict[str, BaseDistribution] = {}
    for key, knob in space.items():
        if isinstance(knob, Range) and TYPES[key] is int:
            drawn[key] = IntDistribution(int(knob.low), int(knob.high), knob.log)
        elif isinstance(knob, Range):
            drawn[key] = FloatDistribution(knob.low, knob.high, knob.log)
        elif isinstance(knob, list):
            drawn[key] = CategoricalDistribution([TYPES[key](value) for value in knob])
    return drawn


def run_of(drawn: dict[str, Any], space: Space, exact: bool) -> Run:
    """The run that the numbers `drawn` stand for, completed by what is kept; those of ranges rounded unless `exact`."""
    values = {}
    for key, knob in space.items():
        value = drawn.get(key, knob)
        if isinstance(knob, Range) and not exact:
            value = min(max(float(f"{value:.{DIGITS}g}"), knob.low), knob.high)
        values[key] = TYPES[key](value)
    return Run(**values)


def drawn_of(run: Run, space: Space) -> dict[str, Any] | None:
    """The numbers that stand for `run`; None when the space does not hold it."""
    drawn = {}
    for key, value in asdict(run).items():
        knob = space[key]
        if isinstance(knob, Range):
            inside = knob.low <= value <= knob.high
        else:
            inside = value in knob if isinstance(knob, list) else value == knob
        if not inside:
            return None
        if isinstance(knob, Range | list):
            drawn[key] = value
    return drawn
