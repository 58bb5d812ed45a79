"""What trials say: rankings, importances and verdicts against cases whose answer is known."""
import math

import numpy as np
import optuna
import pandas as pd
import pytest
from optuna.distributions import FloatDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial

from pipeline.params.searching import Knob, Range
from pipeline.params.sections import Run
from pipeline.tuning import analysis
from pipeline.tuning.analysis import PROBE

FID = "fid_classifier_5k"
KNOBS: dict[str, Knob] = {"batch": 100.0, "lr": Range(low=1e-5, high=1e-2, log=True),
                          "beta1": Range(low=0.0, high=0.95, log=False), "leak": Range(low=0.0, high=0.5, log=False)}


def trials(rows: list[dict[str, object]]) -> pd.DataFrame:
    """A table of trials; what a row does not say is as in a complete trial that saw 100 images."""
    whole = {"first": "", "state": "COMPLETE", "batch": 100, "lr": 2e-4, "beta1": 0.5, "leak": 0.2, FID: 50.0,
             PROBE: 0.9, "images_seen": 100, "reason": ""}
    return pd.DataFrame([{"trial": place} | whole | row for place, row in enumerate(rows)])


def frozen(number: int, state: TrialState, told: dict[str, object]) -> FrozenTrial:
    drawn = {"lr": 0.000123456, "beta1": 0.5, "leak": 0.25}
    found = create_trial(state=state, value=1.0 if state == TrialState.COMPLETE else None, params=drawn,
                         user_attrs=told, distributions={key: FloatDistribution(0, 1) for key in drawn})
    found.number = number
    return found


def test_the_table_says_what_was_trained_and_has_no_score_for_a_failure() -> None:
    table = analysis.table([
        frozen(0, TrialState.COMPLETE, {"first": "test1", FID: 40.0, PROBE: 0.9, "images_seen": 100}),
        frozen(3, TrialState.FAIL, {"reason": "DivergedError: lower lr", FID: 9.0})], KNOBS, Run(), FID)
    assert table["trial"].tolist() == [0, 1] and table["lr"].tolist() == [0.000123456, 0.000123]
    assert table["batch"].tolist() == [100, 100] and table["first"].tolist() == ["test1", ""]
    assert table[FID].iloc[0] == 40 and math.isnan(table[FID].iloc[1]) and table["reason"].iloc[1].endswith("lower lr")


def test_the_table_has_what_else_the_space_names_and_on_what_a_trial_collapsed() -> None:
    says = {"collapse": "collapsed at 80 images: D is sure", FID: 70.0, "images_seen": 80}
    table = analysis.table([frozen(0, TrialState.PRUNED, says)], KNOBS | {"ema": 0.5, "d_steps": 2.0}, Run(), FID)
    assert table.columns.tolist()[3:9] == ["batch", "lr", "beta1", "leak", "d_steps", "ema"]
    assert table["d_steps"].tolist() == [2] and table["ema"].tolist() == [0.5]
    assert table["reason"].tolist() == [says["collapse"]] and table[FID].tolist() == [70.0]


def test_candidates_are_the_best_complete_ones_and_the_best_of_the_known() -> None:
    table = trials([{"first": "test1", FID: 90.0}, {"first": "test2", FID: 70.0}, {FID: 10.0, "state": "PRUNED"},
                    {FID: 30.0}, {FID: 20.0}, {FID: math.nan, "state": "FAIL"}])
    assert analysis.candidates(table, FID, 2, two=False) == [4, 3, 1]
    assert analysis.candidates(table, FID, 3, two=False) == [4, 3, 1]  # not twice
    assert analysis.candidates(table[table["state"] == "FAIL"], FID, 2, two=False) == []


def test_the_front_is_what_no_other_beats_in_both() -> None:
    table = trials([{FID: 10.0, PROBE: 0.8}, {FID: 20.0, PROBE: 0.9}, {FID: 25.0, PROBE: 0.85},
                    {FID: 5.0, PROBE: 0.7}, {FID: 20.0, PROBE: 0.85}])
    assert analysis.front(table, FID) == [0, 1, 3]
    assert analysis.candidates(table, FID, 2, two=True) == [3, 0]
    study = optuna.create_study(directions=["minimize", "maximize"])
    for _, row in table.iterrows():
        study.add_trial(create_trial(values=[row[FID], row[PROBE]]))
    assert sorted(trial.number for trial in study.best_trials) == [0, 1, 3]  # Optuna's own


def repeats(scores: dict[int, list[float]]) -> pd.DataFrame:
    return pd.DataFrame([{"candidate": candidate, "seed": seed, FID: value}
                         for candidate, values in scores.items() for seed, value in enumerate(values)])


def test_the_best_mean_wins_and_whoever_failed_once_does_not() -> None:
    means = analysis.means(repeats({7: [10.0, 30.0], 8: [1.0, math.nan], 9: [12.0, 14.0]}), FID)
    assert means["candidate"].tolist() == [9, 7, 8]
    assert means["mean"].tolist() == [13, 20, 1] and means["failed"].tolist() == [0, 0, 1]
    assert means["sd"].iloc[0] == pytest.approx(math.sqrt(2))


def test_rankings_by_one_seed_are_counted_against_the_means() -> None:
    """Of 1 and 2 only seed 1 sees 2 ahead; without seed 0 or 2 they tie. 3 is behind both with every seed."""
    found = repeats({1: [10, 30, 10], 2: [20, 20, 20], 3: [40, 40, 40]})
    assert analysis.misranked(found, FID) == (1, 9)
    assert analysis.misranked(repeats({1: [10, 40], 2: [20, 20]}), FID) == (2, 2)  # each seed against the other
    assert analysis.misranked(repeats({1: [10, math.nan], 2: [20, 20]}), FID) == (0, 0)


def test_what_pruning_saved_counts_images_of_trials_that_did_not_fail() -> None:
    table = trials([{"images_seen": 100}, {"images_seen": 50, "state": "PRUNED"}, {"images_seen": 3, "state": "FAIL"}])
    assert analysis.saved(table, 100) == 0.25


def test_importance_finds_the_parameter_that_decides_and_says_how_sure_it_is() -> None:
    rng = np.random.default_rng(0)
    rows: list[dict[str, object]] = []
    for _ in range(60):
        lr = 10 ** rng.uniform(-5, -2)
        rows.append({"lr": lr, "beta1": rng.uniform(0, 0.95), "leak": rng.uniform(0, 0.5),
                     FID: 10 + 100 * abs(math.log10(lr) + 3)})
    weights = analysis.importances(trials(rows), KNOBS, FID, 0)
    assert weights["parameter"].iloc[0] == "lr" and weights["importance"].iloc[0] > 0.8
    assert weights["importance"].sum() == pytest.approx(1) and set(weights["parameter"]) == {"lr", "beta1", "leak"}
    assert (weights["low"] <= weights["importance"]).all() and weights["low"].iloc[0] > weights["high"].iloc[1]
    few = analysis.importances(trials(rows[:8]), KNOBS, FID, 0)
    assert (few["high"] - few["low"]).iloc[0] > (weights["high"] - weights["low"]).iloc[0]
    assert weights.equals(analysis.importances(trials(rows), KNOBS, FID, 0))


def test_what_was_ended_early_is_not_among_the_best_however_low_its_last_score() -> None:
    rng = np.random.default_rng(0)
    low, high = (rng.uniform(0.05, 0.15, 6), rng.uniform(0.8, 0.95, 18))
    rows: list[dict[str, object]] = [{"beta1": value, "lr": 10 ** rng.uniform(-5, -2), "leak": rng.uniform(0, 0.5)}
                                     for value in (*low, *high)]
    for place, row in enumerate(rows):
        row |= {FID: 50.0} if place < 6 else {FID: 1.0, "state": "PRUNED"}
    assert set(analysis.best_quarter(trials(rows), FID)["beta1"]) == set(low)
    weights = analysis.importances(trials(rows), KNOBS, FID, 0).set_index("parameter")
    assert weights["importance"]["beta1"] > 0.7


def test_no_importance_is_claimed_from_one_complete_trial() -> None:
    assert analysis.importances(trials([{}, {"state": "FAIL", FID: math.nan}]), KNOBS, FID, 0).empty


@pytest.mark.parametrize(("best", "verdict"), [
    ((0.45, 0.55, 0.3), "survives"), ((0.1, 0.3, 0.2), "the direction survives, the value does not"),
    ((0.9, 0.8, 0.95), "does not survive")])
def test_a_conclusion_survives_where_the_best_trials_lie(best: tuple[float, ...], verdict: str) -> None:
    rows: list[dict[str, object]] = [{"beta1": value, FID: 10.0} for value in best]
    rows += [{"beta1": beta1, FID: 90.0} for beta1 in (0.6, 0.9, 0.8) * 3]
    found = {row["key"]: row for row in analysis.verdicts(trials(rows), KNOBS, FID)}
    assert found["beta1"]["verdict"] == verdict and found["beta1"]["best"] == 3
    assert (found["beta1"]["low"], found["beta1"]["high"]) == (min(best), max(best))


def test_rates_are_near_by_their_ratio_and_kept_values_have_no_verdict() -> None:
    """1.45e-4 is nearer to 1e-4 than to 2e-4 by difference, and nearer to 2e-4 by ratio."""
    rows: list[dict[str, object]] = [{"lr": 1.45e-4, FID: 10.0}] * 2 + [{"lr": 1e-4, FID: 20.0}] * 2
    found = analysis.verdicts(trials(rows), KNOBS | {"beta1": 0.5}, FID)
    assert [row["key"] for row in found] == ["lr", "leak"]
    assert (found[0]["nearer"], found[0]["of_all"], found[0]["verdict"]) == (
        1.0, 0.5, "the direction survives, the value does not")
    assert found[1]["verdict"] == "stays open"  # the best are as all others
