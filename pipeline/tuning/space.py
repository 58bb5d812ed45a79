"""The runs that a search draws from: params.yaml's ranges, lists and single values, and Optuna's distributions."""
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import Trial

from pipeline.params.searching import KNOBS, SEARCHABLE, WHOLE, Range, Space, choices, typed, when
from pipeline.params.sections import Run

DIGITS = 3  # that a number drawn from a range keeps, so that the printed run is the run that was trained


def shown(space: Space) -> list[str]:
    """The parameters that tables of the search show: KNOBS, and what else the space names."""
    return [key for key in SEARCHABLE if key in KNOBS or key in space]


def label(value: Any) -> Any:
    """`value` as Optuna and tables have it: a list, of guidelines that are violated, is its names joined by +."""
    return ("+".join(value) or "none") if isinstance(value, list) else value


def value_of(key: str, cell: Any) -> Any:
    """What `label` made a cell of; an empty cell, NaN in pandas, is None."""
    if cell is None or cell != cell:
        return None
    if key == "violate":
        return [] if cell == "none" else cell.split("+")
    return typed(key, cell.item() if hasattr(cell, "item") else cell)


def distributions(space: Space) -> dict[str, BaseDistribution]:
    """What every parameter with more than one value, and without a condition, is drawn from."""
    return {key: drawn for key, knob in space.items()
            if not when(knob) and (drawn := _distribution(key, knob)) is not None}


def _distribution(key: str, knob: Any) -> BaseDistribution | None:
    if isinstance(knob, Range):
        return (IntDistribution(int(knob.low), int(knob.high), knob.log) if key in WHOLE else
                FloatDistribution(knob.low, knob.high, knob.log))
    values = choices(knob)
    return None if values is None else CategoricalDistribution([label(typed(key, value)) for value in values])


def draw(trial: Trial, space: Space, base: Run) -> None:
    """Draws the parameters whose conditions hold, given those that `trial` has already."""
    for key, knob in space.items():
        if when(knob) and holds(knob, run_of(trial.params, space, base, exact=True)):
            drawn = _distribution(key, knob)
            if isinstance(drawn, FloatDistribution):
                trial.suggest_float(key, drawn.low, drawn.high, log=drawn.log)
            elif isinstance(drawn, IntDistribution):
                trial.suggest_int(key, drawn.low, drawn.high, log=drawn.log)
            elif isinstance(drawn, CategoricalDistribution):
                trial.suggest_categorical(key, drawn.choices)


def whole(drawn: Mapping[str, Any], space: Space, base: Run) -> bool:
    """Whether `drawn` has everything that a trial draws."""
    run = run_of(drawn, space, base, exact=True)
    return all(key in drawn for key, knob in space.items() if holds(knob, run) and _distribution(key, knob) is not None)


def holds(knob: Any, run: Run) -> bool:
    """Whether the condition of `knob` holds in `run`."""
    return all(getattr(run, key) in [typed(key, value) for value in values] for key, values in when(knob).items())


def run_of(drawn: Mapping[str, Any], space: Space, base: Run, exact: bool) -> Run:
    """`base` with the values `drawn`, and the single values of `space`; those of ranges are rounded unless `exact`.

    A key whose condition does not hold, or that is not drawn yet, is as in `base`.
    """
    run = base
    for key, knob in space.items():
        if not holds(knob, run):
            continue
        if isinstance(knob, Range) and key in drawn:
            value = drawn[key]
            if not exact:
                value = min(max(float(f"{value:.{DIGITS}g}"), knob.low), knob.high)
            run = replace(run, **{key: typed(key, value)})
        elif (values := choices(knob)) is None and not isinstance(knob, Range):
            run = replace(run, **{key: typed(key, knob)})
        elif values is not None and key in drawn:
            run = replace(run, **{key: value_of(key, drawn[key])})
    return run


def drawn_of(run: Run, space: Space, base: Run) -> dict[str, Any] | None:
    """The values that stand for `run`; None when the space does not hold it, or it differs from `base` elsewhere.

    A learning rate of one network that the run does not set is the run's lr, unless the space lists null.
    """
    drawn: dict[str, Any] = {}
    for key, value in asdict(run).items():
        if key not in space or not holds(space[key], run):
            if value != getattr(base, key):
                return None
            continue
        knob, listed = space[key], choices(space[key])
        values = [] if isinstance(knob, Range) else [typed(key, one) for one in listed or [knob]]
        value = run.lr if value is None and None not in values else value
        if not (knob.low <= value <= knob.high if isinstance(knob, Range) else value in values):
            return None
        if isinstance(knob, Range) or listed is not None:
            drawn[key] = label(value)
    return drawn
