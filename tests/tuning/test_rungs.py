"""Where trials are scored and which of them go on, against Optuna's pruners as they are."""
import math
import random
from dataclasses import replace

import optuna
import pytest
from optuna.pruners import NopPruner
from optuna.study import Study
from optuna.trial import TrialState

from pipeline.params.searching import Search
from pipeline.params.sections import Run
from pipeline.tuning import rungs

THREE = Search(rungs=[5_000, 15_000, 45_000])


def study_of(search: Search) -> Study:
    return optuna.create_study(pruner=rungs.pruner(search), study_name="s")


def stopped(study: Study, search: Search, scores: list[float]) -> int:
    """Trains a trial with these scores at the rungs; how many rungs it reached. The last is never asked for."""
    trial = study.ask()
    for reached, (rung, score) in enumerate(zip(search.rungs, scores), 1):
        trial.report(score, rung)
        if rung < search.rungs[-1] and trial.should_prune():
            study.tell(trial, state=TrialState.PRUNED)
            return reached
    study.tell(trial, scores[len(search.rungs) - 1])
    return len(search.rungs)


def by_hand(search: Search, trials: list[list[float]], factor: int) -> list[int]:
    """Asynchronous successive halving: at each rung the best 1 / factor of those that came so far go on, at least one.
    """
    came: list[list[float]] = [[] for _ in search.rungs]
    reached = []
    for scores in trials:
        for place, score in enumerate(scores[:len(search.rungs)]):
            came[place].append(score)
            if score > sorted(came[place])[max(len(came[place]) // factor, 1) - 1] and place < len(search.rungs) - 1:
                break
        reached.append(place + 1)
    return reached


@pytest.mark.parametrize("places", [[5_000, 15_000, 45_000], [300, 1_500, 7_500], [10, 20, 40, 80], [7, 21]])
def test_a_trial_is_stopped_at_our_rungs_and_only_there(places: list[int]) -> None:
    """Optuna's pruner has its rungs at our steps: the decisions are those of the algorithm, done by hand."""
    search = replace(THREE, rungs=places)
    rng = random.Random(0)
    trials = [[rng.gauss(0, 1) for _ in places] for _ in range(60)]
    study = study_of(search)
    found = [stopped(study, search, scores) for scores in trials]
    assert found == by_hand(search, trials, places[1] // places[0])
    assert set(found) == set(range(1, len(places) + 1))
    assert all(set(trial.intermediate_values) <= set(places) for trial in study.trials)


def test_a_score_between_two_rungs_decides_nothing() -> None:
    """Where a training stops on a collapse, the step is not a rung."""
    study = study_of(THREE)
    for score in (1.0, 2.0, 3.0):
        stopped(study, THREE, [score] * 3)
    trial = study.ask()
    trial.report(9.0, 4_999)
    assert not trial.should_prune()
    trial.report(9.0, 5_000)
    assert trial.should_prune()


def test_a_trial_that_was_tried_again_counts_once() -> None:
    """Its worker was killed after the first rung: the next trials are judged as if it had not been."""
    def decisions(killed: bool) -> list[int]:
        study = study_of(THREE)
        found = [stopped(study, THREE, [score] * 3) for score in (3.0, 5.0)]
        if killed:
            lost = study.ask()
            lost.report(4.0, 5_000)
            assert lost.should_prune()
            study.tell(lost, state=TrialState.FAIL)
        return [*found, stopped(study, THREE, [4.0] * 3), stopped(study, THREE, [3.5, 1.0, 1.0]),
                *(stopped(study, THREE, [3.2] * 3) for _ in range(2))]

    assert decisions(killed=True) == decisions(killed=False) == [3, 1, 1, 1, 1, 2]


@pytest.mark.parametrize(("places", "brackets"), [([5_000, 15_000, 45_000], 3), ([1, 3, 9, 27, 81, 243], 6),
                                                  ([1_000, 10_000, 100_000, 1_000_000], 4), ([1, 2], 2)])
def test_hyperband_has_a_bracket_for_each_rung(places: list[int], brackets: int) -> None:
    """Optuna floors log(max / min): log(243, 3) is 4.999..."""
    search = replace(THREE, pruner="hyperband", rungs=places)
    study = study_of(search)
    for score in range(12):
        stopped(study, search, [float(score)] * len(places))
    assert study.pruner._n_brackets == brackets  # type: ignore[attr-defined]


def test_the_median_prunes_the_worse_half_and_none_prunes_none() -> None:
    search = replace(THREE, pruner="median", rungs=[1, 5, 6])
    study = study_of(search)
    assert [stopped(study, search, [score] * 3) for score in (1.0, 2.0, 3.0, 4.0)] == [3] * 4
    assert [stopped(study, search, [score] * 3) for score in (2.4, 2.6, 1.5)] == [3, 1, 3]
    for search in (replace(THREE, pruner="none"), replace(THREE, objectives=["fid", "probe"])):
        assert isinstance(rungs.pruner(search), NopPruner)


@pytest.mark.parametrize(("batch", "n", "updates", "images"), [
    (100, 1000, 5, 500), (100, 1000, 10, 1000), (100, 1000, 13, 1300),
    (32, 100, 4, 100), (32, 100, 5, 132), (32, 100, 8, 200), (300, 200, 2, 400)])
def test_equal_updates_are_as_many_batches(batch: int, n: int, updates: int, images: int) -> None:
    """The last batch of an epoch has fewer images. The sizes of the batches are added up."""
    search = replace(THREE, equal="updates")
    assert rungs.images_at(updates, search, batch, n) == images
    sizes = [min(batch, n - begin) for _ in range(9) for begin in range(0, n, batch)]
    assert sum(sizes[:updates]) == images
    assert rungs.images_at(updates, THREE, batch, n) == updates


def test_a_course_ends_at_the_last_rung_or_at_the_length_of_the_run() -> None:
    run = Run(batch=100, epochs=2, decay_epochs=2)
    assert rungs.course(THREE, run, 20_000, whole=False) == rungs.Course({5000: 5000, 15000: 15000, 45000: 45000}, 0)
    assert rungs.course(THREE, run, 20_000, whole=True) == rungs.Course({5000: 5000, 15000: 15000, 40000: 40000}, 2)
    updates = replace(THREE, equal="updates", rungs=[50, 150])
    assert rungs.course(updates, run, 20_000, whole=True).places == {5000: 50, 15000: 150, 40000: 40000}
    assert rungs.course(THREE, run, 20_000, whole=False).passed(14_999) == 1


def test_a_collapse_costs_a_factor_of_ten() -> None:
    assert rungs.objective(50.0, False) == math.log(50) and rungs.objective(50.0, True) == pytest.approx(math.log(500))
