"""The space of runs: what is drawn, what is kept, and that the run one reads is the run that is trained."""
from dataclasses import replace
from typing import Any

import optuna
import pytest

from pipeline.params.searching import KNOBS as USUAL
from pipeline.params.searching import NUMBERS, SEARCHABLE, Choice, Range, Space
from pipeline.params.sections import Run
from pipeline.tuning import space

KNOBS: Space = {"batch": [32.0, 100.0, 256.0], "lr": Range(low=1e-5, high=1e-2, log=True),
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
    knobs: Space = {"batch": 100.0, "lr": [0.00012345, 0.1], "leak": 0.12345,
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


VALUES: dict[str, tuple[Any, Any]] = {
    "batch": (32, 64), "lr": (1e-4, 1e-3), "beta1": (0.0, 0.9), "leak": (0.1, 0.3), "lr_G": (1e-4, 1e-3),
    "lr_D": (1e-4, 1e-3), "d_steps": (1, 3), "label_smoothing": (0.0, 0.2), "ema": (0.0, 0.999),
    "width": (0.25, 2.0), "network": ("slides", "torch-64"), "violate": ([], ["sigmoid", "pooling"]),
    "flip": (False, True)}


@pytest.mark.parametrize("key", SEARCHABLE)
def test_all_that_may_be_searched_is_drawn_in_its_own_type(key: str) -> None:
    low, high = VALUES[key]
    knobs: list[Any] = [[low, high], Choice(values=[low, high])]
    knobs += [Range(low=low, high=high)] if key in NUMBERS else []
    knobs += [high] if key != "violate" else []  # one list would be read as what to choose from
    for knob in knobs:
        drawn = {name: distribution.to_external_repr(distribution.to_internal_repr(space.label(high)))
                 for name, distribution in space.distributions({key: knob}).items()}
        run = space.run_of(drawn, {key: knob}, BASE, exact=False)
        assert run == replace(BASE, **{key: high}) and type(getattr(run, key)) is type(high)
        assert space.drawn_of(run, {key: knob}, BASE) == drawn
        assert space.value_of(key, space.label(getattr(run, key))) == high
    assert space.shown({key: high}) == [one for one in SEARCHABLE if one in (*USUAL, key)]


def test_whole_numbers_may_be_written_with_a_point_and_numbers_without() -> None:
    run = space.run_of({"batch": 64.0}, {"batch": [64.0], "lr": 1}, BASE, exact=True)
    assert (run.batch, type(run.batch), run.lr, type(run.lr)) == (64, int, 1.0, float)


DEPENDENT: Space = {"d_steps": [1, 2], "lr": Range(low=1e-4, high=1e-2, log=True),
                    "lr_D": Range(low=1e-5, high=1e-3, log=True, when={"d_steps": 1}),
                    "network": ["slides", "guidelines-28"],
                    "violate": Choice(values=[["sigmoid"], ["pooling"]], when={"network": ["guidelines-28"]})}


def test_what_has_a_condition_is_drawn_only_where_it_holds() -> None:
    assert list(space.distributions(DEPENDENT)) == ["d_steps", "lr", "network"]
    study, seen = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0)), set()
    for _ in range(20):
        trial = study.ask(space.distributions(DEPENDENT))
        space.draw(trial, DEPENDENT, BASE)
        run = space.run_of(trial.params, DEPENDENT, BASE, exact=False)
        assert ("lr_D" in trial.params) == (run.lr_D is not None) == (run.d_steps == 1)
        assert ("violate" in trial.params) == (run.violate != []) == (run.network == "guidelines-28")
        assert run.lr_D is None or 1e-5 <= run.lr_D <= 1e-3
        drawn = space.drawn_of(run, DEPENDENT, BASE)
        assert drawn is not None and set(drawn) == set(trial.params)
        assert space.run_of(drawn, DEPENDENT, BASE, exact=True) == run
        seen.add((run.d_steps, run.network))
        study.tell(trial, 1.0)
    assert len(seen) == 4
    known = replace(BASE, network="slides", d_steps=2, lr=1e-3, lr_D=1e-4)  # lr_D is not drawn with d_steps = 2
    assert space.drawn_of(known, DEPENDENT, replace(BASE, network="slides")) is None


def test_a_trial_is_whole_once_it_has_all_that_it_draws() -> None:
    drawn = {"d_steps": 1, "lr": 1e-3, "network": "guidelines-28", "lr_D": 1e-4, "violate": "pooling"}
    assert space.whole(drawn, DEPENDENT, BASE)
    assert not any(space.whole({k: v for k, v in drawn.items() if k != key}, DEPENDENT, BASE) for key in drawn)
    assert space.whole({"d_steps": 2, "lr": 1e-3, "network": "slides"}, DEPENDENT, BASE)
    assert not space.whole({"lr": 1e-3}, KNOBS, BASE)


def test_a_list_with_null_may_leave_a_rate_to_lr() -> None:
    knobs: Space = {"lr": [1e-3, 2e-3], "lr_D": [None, 1e-3]}
    assert space.run_of({"lr": 1e-3, "lr_D": None}, knobs, BASE, exact=False) == replace(BASE, lr=1e-3, lr_D=None)
    assert space.drawn_of(replace(BASE, lr=1e-3), knobs, BASE) == {"lr": 1e-3, "lr_D": None}


def test_a_rate_that_a_run_does_not_set_is_its_lr() -> None:
    knobs: Space = {"lr": KNOBS["lr"], "lr_D": Range(low=1e-4, high=1e-2), "lr_G": [2e-4, 4e-4]}
    run = replace(BASE, lr=4e-4)
    drawn = space.drawn_of(run, knobs, BASE)
    assert drawn == {"lr": 4e-4, "lr_D": 4e-4, "lr_G": 4e-4}
    assert space.run_of(drawn, knobs, BASE, exact=True).rates == run.rates == (4e-4, 4e-4)
    assert space.drawn_of(replace(run, lr=3e-4), knobs, BASE) is None  # which lr_G cannot be
    assert space.drawn_of(replace(run, lr_D=4e-4), {"lr": KNOBS["lr"]}, BASE) is None  # not the base's
