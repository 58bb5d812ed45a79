"""What trials say: rankings, effects, agreement and importances against cases whose answer is known."""
import math

import numpy as np
import optuna
import pandas as pd
import pytest
from optuna.distributions import FloatDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial
from scipy import stats

from pipeline.params.searching import Range, Space
from pipeline.params.sections import Run
from pipeline.tuning import analysis
from pipeline.tuning.analysis import PROBE

FID = "fid_classifier_5k"
KNOBS: Space = {"batch": 100.0, "lr": Range(low=1e-5, high=1e-2, log=True),
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


def test_the_table_has_the_score_at_each_rung_the_shortest_first() -> None:
    at = {FID: 4.0, f"{FID}_at_15000": 4.0, f"{FID}_at_5000": 9.0}
    table = analysis.table([frozen(0, TrialState.PRUNED, {f"{FID}_at_5000": 7.0, FID: 7.0}),
                            frozen(1, TrialState.COMPLETE, at), frozen(2, TrialState.FAIL, at | {"reason": "x"})],
                           KNOBS, Run(), FID)
    assert table.columns.tolist()[-2:] == [f"{FID}_at_5000", f"{FID}_at_15000"]
    assert table[f"{FID}_at_5000"].tolist()[:2] == [7, 9] and table[f"{FID}_at_15000"].isna().tolist() == [
        True, False, True]


def test_candidates_are_the_best_complete_ones_and_the_run_to_beat() -> None:
    table = trials([{"first": "test1", FID: 90.0}, {"first": "test2", FID: 70.0}, {FID: 10.0, "state": "PRUNED"},
                    {FID: 30.0}, {FID: 20.0}, {FID: math.nan, "state": "FAIL"}])
    assert analysis.candidates(table, FID, 2, False, "test1") == [4, 3, 0]
    assert analysis.candidates(table, FID, 3, False, "test2") == [4, 3, 0, 1]  # it is no candidate itself
    assert analysis.candidates(table, FID, 9, False, "test2") == [4, 3, 0, 2, 1]  # the pruned one fills the places
    stopped = table.assign(reason=["", "", "collapsed", "", "", "lower lr"])
    assert analysis.candidates(stopped, FID, 9, False, "test2") == [4, 3, 0, 1]
    assert analysis.candidates(table, FID, 2, False, "") == [4, 3]
    assert analysis.candidates(table, FID, 2, False, "test9") == [4, 3]  # not tried
    assert analysis.candidates(table[table["state"] == "FAIL"], FID, 2, False, "test1") == []
    assert analysis.candidates(table[:1], FID, 2, False, "test1") == []  # nothing to compare it with
    pruned = table.assign(state=["PRUNED", *table["state"][1:]])
    assert analysis.candidates(pruned, FID, 1, False, "test1") == [4, 0]  # pruned, it has to be beaten all the same


def test_a_collapsed_trial_counts_as_ten_times_its_distance_and_does_not_vanish() -> None:
    table = trials([{FID: 5.0, "reason": "collapsed at 80 images: D is sure"}, {FID: 49.0}, {FID: 51.0}])
    assert analysis.minimised(table, FID).tolist() == pytest.approx([50, 49, 51])
    assert analysis.candidates(table, FID, 3, False, "") == [1, 0, 2]


def test_trials_that_went_further_rank_before_others() -> None:
    table = trials([{FID: 1.0, "state": "PRUNED", "images_seen": 20}, {FID: 9.0}, {FID: 2.0, "state": "PRUNED",
                    "images_seen": 60}, {FID: math.nan, "state": "FAIL", "images_seen": 0}, {FID: 8.0}])
    assert analysis.ranking(table, FID) == [4, 1, 2, 0, 3]


def test_the_front_is_what_no_other_beats_in_both() -> None:
    table = trials([{FID: 10.0, PROBE: 0.8}, {FID: 20.0, PROBE: 0.9}, {FID: 25.0, PROBE: 0.85},
                    {FID: 5.0, PROBE: 0.7}, {FID: 20.0, PROBE: 0.85}])
    assert analysis.front(table, FID) == [0, 1, 3]
    assert analysis.candidates(table, FID, 2, True, "") == [3, 0]
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


def test_the_effect_is_student_s_interval_of_the_paired_logarithms() -> None:
    """Against scipy's own paired test; the seed that failed is left out."""
    found = repeats({1: [10, 30, 20, 7], 2: [20, 50, 25, math.nan]})
    effect = analysis.effect(found, 1, 2, FID)
    test = stats.ttest_rel(np.log([10, 30, 20]), np.log([20, 50, 25]))
    interval = test.confidence_interval(0.95)
    assert effect is not None and effect.seeds == 3
    assert (effect.low, effect.high) == pytest.approx((interval.low, interval.high))
    assert effect.ln == pytest.approx(math.log(10 * 30 * 20 / (20 * 50 * 25)) / 3)
    assert not effect.better and not effect.worse  # with so few seeds


@pytest.mark.parametrize(("scores", "better", "worse"), [
    ([10, 11, 10], True, False), ([40, 44, 40], False, True), ([10, 40, 20], False, False), ([10], False, False)])
def test_only_a_whole_interval_beats(scores: list[float], better: bool, worse: bool) -> None:
    effect = analysis.effect(repeats({1: scores, 2: [20, 22, 20][:len(scores)]}), 1, 2, FID)
    assert effect is not None and (effect.better, effect.worse) == (better, worse)
    assert math.isnan(effect.low) == (len(scores) == 1)


def test_without_a_seed_that_both_have_there_is_no_effect() -> None:
    assert analysis.effect(repeats({1: [10, 20], 2: [math.nan, math.nan]}), 1, 2, FID) is None
    assert analysis.effect(repeats({1: [10, math.nan], 2: [math.nan, 5]}), 1, 2, FID) is None


def test_agreement_is_kendalls_tau_over_the_trials_that_reached_both_rungs() -> None:
    rows: list[dict[str, object]] = [
        {f"{FID}_at_5": early, f"{FID}_at_15": late, f"{FID}_at_45": last}
        for early, late, last in ((1.0, 4.0, 2.0), (2.0, 3.0, 1.0), (3.0, 5.0, math.nan), (9.0, math.nan, math.nan))]
    found = analysis.agreement(trials(rows), repeats({}).reindex(columns=["candidate", "seed", FID]), FID)
    assert found[["from", "to", "n"]].to_numpy().tolist() == [[5, 15, 3], [15, 45, 2]]
    assert found["tau"].tolist() == pytest.approx([1 / 3, 1])  # two pairs agree, one does not; the one pair agrees


def test_candidates_are_compared_with_the_same_seed() -> None:
    """Seed 0 is much better for both. Within seeds the rung has them in the other order than the end, always."""
    found = repeats({1: [10, 100], 2: [20, 200]}).assign(**{f"{FID}_at_5": [8.0, 80.0, 7.0, 70.0]})
    row, = analysis.agreement(trials([{}]), found, FID).to_dict("records")
    assert (row["of"], row["from"], row["n"], row["tau"]) == ("candidates", 5, 4, -1)
    lonely = found[found["candidate"] == 1]
    assert analysis.agreement(trials([{}]), lonely, FID).empty


def test_what_pruning_saved_counts_images_of_trials_that_did_not_fail() -> None:
    table = trials([{"images_seen": 100}, {"images_seen": 50, "state": "PRUNED"}, {"images_seen": 3, "state": "FAIL"}])
    assert analysis.saved(table, pd.Series([100, 100, 100])) == 0.25
    assert analysis.saved(table, pd.Series([100, 400, 100])) == 0.7  # equal updates


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
        row |= {FID: 50.0} if place < 6 else {FID: 1.0, "state": "PRUNED", "images_seen": 20}
    weights = analysis.importances(trials(rows), KNOBS, FID, 0).set_index("parameter")
    assert weights["importance"]["beta1"] > 0.7


def test_parameters_of_every_kind_have_an_importance_and_conditional_ones_none() -> None:
    knobs: Space = {"network": ["slides", "guidelines-28"], "violate": [[], ["sigmoid"]], "flip": [False, True],
                    "lr_D": [None, 1e-3], "width": Range(low=0.1, high=1.0, when={"network": "slides"})}
    rows: list[dict[str, object]] = [
        {"network": ("slides", "guidelines-28")[place % 2], "violate": ("none", "sigmoid")[place // 2 % 2],
         "flip": place % 3 == 0, "lr_D": None if place % 5 else 1e-3, "width": 0.5, FID: 10.0 + 40 * (place % 2)}
        for place in range(30)]
    weights = analysis.importances(trials(rows), knobs, FID, 0)
    assert set(weights["parameter"]) == {"network", "violate", "flip", "lr_D"}
    assert weights["parameter"].iloc[0] == "network" and weights["importance"].iloc[0] > 0.5


def test_no_importance_is_claimed_from_one_complete_trial() -> None:
    assert analysis.importances(trials([{}, {"state": "FAIL", FID: math.nan}]), KNOBS, FID, 0).empty
