"""The space of runs: what is drawn, what is kept, and that the run one reads is the run that is trained."""
from dataclasses import replace

import optuna
import pytest

from pipeline.params.searching import Knob, Range
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
