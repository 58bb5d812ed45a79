"""The space of runs: what is drawn, what is kept, and that the run one reads is the run that is trained."""
from dataclasses import replace

import optuna
import pytest

from pipeline.params.searching import KNOBS as USUAL
from pipeline.params.searching import SEARCHABLE, Knob, Range
from pipeline.params.sections import Run
from pipeline.tuning import space

KNOBS: dict[str, Knob] = {"batch": [32.0, 100.0, 256.0], "lr": Range(low=1e-5, high=1e-2, log=True),
                          "beta1": Range(low=0.0, high=0.95, log=False), "leak": 0.2}


BASE = Run(network="paper-mnist", epochs=7)


def test_ranges_and_lists_are_drawn_and_values_kept() -> None:
    drawn = space.distributions(KNOBS)
    assert drawn == {
        "batch": optuna.distributions.CategoricalDistribution([32, 100, 256]),
        "lr": optuna.distributions.FloatDistribution(1e-5, 1e-2, log=True),
        "beta1": optuna.distributions.FloatDistribution(0.0, 0.95)}
    assert all(type(choice) is int for choice in drawn["batch"].choices)  # type: ignore[attr-defined]
    whole = space.distributions(KNOBS | {"batch": Range(low=32, high=512, log=True)})["batch"]
    assert whole == optuna.distributions.IntDistribution(32, 512, log=True)


def test_a_drawn_run_is_rounded_once_and_stays_what_it_is() -> None:
    run = space.run_of({"batch": 100, "lr": 0.000123456, "beta1": 0.54321}, KNOBS, BASE, exact=False)
    assert run == replace(BASE, batch=100, lr=0.000123, beta1=0.543, leak=0.2)
    drawn = space.drawn_of(run, KNOBS, BASE)
    assert drawn == {"batch": 100, "lr": 0.000123, "beta1": 0.543}
    assert space.run_of(drawn, KNOBS, BASE, exact=False) == run


def test_only_numbers_drawn_from_a_range_are_rounded_and_none_leaves_its_range() -> None:
    knobs: dict[str, Knob] = {"batch": 100.0, "lr": [0.00012345, 0.1], "leak": 0.12345,
                              "beta1": Range(low=0.12345, high=0.99951, log=False)}
    run = space.run_of({"lr": 0.00012345, "beta1": 0.9995}, knobs, BASE, exact=False)
    assert run == replace(BASE, batch=100, lr=0.00012345, beta1=0.99951, leak=0.12345)
    assert space.run_of({"lr": 0.1, "beta1": 0.12345}, knobs, BASE, exact=False).beta1 == 0.12345
    assert space.run_of({"lr": 0.1, "beta1": 0.54321}, knobs, BASE, exact=True).beta1 == 0.54321


@pytest.mark.parametrize(("change", "inside"), [
    ({}, True), ({"lr": 1e-5}, True), ({"lr": 1e-2}, True), ({"lr": 1.1e-2}, False), ({"batch": 64}, False),
    ({"leak": 0.3}, False), ({"beta1": 0.96}, False)])
def test_a_run_outside_the_space_has_no_numbers(change: dict[str, float], inside: bool) -> None:
    run = replace(BASE, **({"batch": 100, "lr": 2e-4, "beta1": 0.5, "leak": 0.2} | change))  # type: ignore[arg-type]
    assert (space.drawn_of(run, KNOBS, BASE) is not None) == inside


def test_what_the_space_does_not_name_is_kept_as_it_is() -> None:
    assert space.run_of({"lr": 1e-3}, {"lr": KNOBS["lr"]}, BASE, exact=True) == replace(BASE, lr=1e-3)
    assert space.drawn_of(replace(BASE, lr=1e-3), {"lr": KNOBS["lr"]}, BASE) == {"lr": 1e-3}
    assert space.drawn_of(replace(BASE, lr=1e-3, width=0.5), {"lr": KNOBS["lr"]}, BASE) is None


VALUES: dict[str, tuple[float, float]] = {
    "batch": (32, 64), "lr": (1e-4, 1e-3), "beta1": (0.0, 0.9), "leak": (0.1, 0.3), "lr_G": (1e-4, 1e-3),
    "lr_D": (1e-4, 1e-3), "d_steps": (1, 3), "label_smoothing": (0.0, 0.2), "ema": (0.0, 0.999)}


@pytest.mark.parametrize("key", SEARCHABLE)
def test_all_that_may_be_searched_is_drawn_as_a_number_of_its_type(key: str) -> None:
    low, high = VALUES[key]
    whole = key in ("batch", "d_steps")
    for knob in (Range(low=low, high=high), [float(low), float(high)], float(high)):
        drawn = {name: distribution.to_external_repr(distribution.to_internal_repr(high))
                 for name, distribution in space.distributions({key: knob}).items()}
        run = space.run_of(drawn, {key: knob}, BASE, exact=False)
        assert run == replace(BASE, **{key: high})  # type: ignore[arg-type]
        assert type(getattr(run, key)) is (int if whole else float)
        assert space.drawn_of(run, {key: knob}, BASE) == drawn
    assert space.shown({key: high}) == [*USUAL, *([key] if key not in USUAL else [])]


def test_a_rate_that_a_run_does_not_set_is_its_lr() -> None:
    knobs: dict[str, Knob] = {"lr": KNOBS["lr"], "lr_D": Range(low=1e-4, high=1e-2), "lr_G": [2e-4, 4e-4]}
    run = replace(BASE, lr=4e-4)
    drawn = space.drawn_of(run, knobs, BASE)
    assert drawn == {"lr": 4e-4, "lr_D": 4e-4, "lr_G": 4e-4}
    assert space.run_of(drawn, knobs, BASE, exact=True).rates == run.rates == (4e-4, 4e-4)
    assert space.drawn_of(replace(run, lr=3e-4), knobs, BASE) is None  # which lr_G cannot be
    assert space.drawn_of(replace(run, lr_D=4e-4), {"lr": KNOBS["lr"]}, BASE) is None  # not the base's
