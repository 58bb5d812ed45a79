"""Verdicts on claims from made-up trainings, and the sentences that state them."""
import math
from dataclasses import replace
from typing import Any

import pytest
from matplotlib.figure import Figure
from scipy import stats

from pipeline.evidence import forest, trainings, verdicts, wording
from pipeline.evidence.trainings import Finished
from pipeline.params.claiming import Claim

FACTS = {"images_seen": "100", "batches": "10", "data": "d", "reference": "r", "device": "a CPU", "dtype": "float32",
         "fast": "True", "torch": "2"}
BETTER = Claim(better=["a", "b"])


def finished(seed: int, distance: float, scores: dict[str, Any] | None = None, **facts: str) -> Finished:
    return Finished(seed, [50.0, 100.0], [distance * 0.9, distance], FACTS | facts, [], scores or {})


def arms(ratios: list[float], **facts: str) -> dict[str, dict[int, Finished]]:
    """Runs a and b, whose distances have these ratios, by seed."""
    return {"a": {seed: finished(seed, 10.0 + seed) for seed in range(len(ratios))},
            "b": {seed: finished(seed, (10.0 + seed) * ratio, **facts) for seed, ratio in enumerate(ratios)}}


def ruled(claim: Claim, found: verdicts.Trainings, planned: int) -> verdicts.Ruling:
    one, = verdicts.rule({"mine": claim}, found, range(planned))
    return one


@pytest.mark.parametrize(("ratios", "verdict"), [
    ([1.5, 1.6, 1.55], "holds"), ([0.6, 0.62, 0.61], "reversed"), ([1.01, 0.99, 1.02], "no effect"),
    ([1.2, 1.9, 1.5], "undecided")])
def test_two_runs_are_compared_by_pairs_of_seeds(ratios: list[float], verdict: str) -> None:
    one = ruled(BETTER, arms(ratios), 3)
    assert one.verdict == verdict and one.values == pytest.approx([math.log(ratio) for ratio in ratios])
    assert one.stated is not None and one.stated.mean == pytest.approx(math.prod(ratios) ** (1 / 3))
    assert (one.more or 0) > 0 if verdict == "undecided" else one.more is None
    assert one.machines == ["a CPU, float32"]


def test_pairing_is_by_seed_not_by_order() -> None:
    found = arms([1.5, 1.5, 1.5])
    found["b"] = dict(reversed(found["b"].items()))
    assert ruled(BETTER, found, 3).values == pytest.approx([math.log(1.5)] * 3)


@pytest.mark.parametrize(("change", "told"), [
    ({"data": "e"}, "data d and e"), ({"device": "a GPU"}, "device a CPU and a GPU"),
    ({"dtype": "bfloat16"}, "dtype float32 and bfloat16"), ({"images_seen": "90"}, "images_seen 100 and 90"),
    ({"reference": "s"}, "reference r and s"), ({"fast": "False"}, "fast True and False")])
def test_trainings_that_differ_in_more_are_no_pair(change: dict[str, str], told: str) -> None:
    one = ruled(BETTER, arms([2.0, 2.0, 2.0], **change), 3)
    assert one.verdict == "undecided" and told in one.reason and not one.values


def test_equal_mini_batches_are_another_fairness() -> None:
    found = arms([2.0, 2.1, 2.0], images_seen="256")
    assert ruled(replace(BETTER, equal="batches"), found, 3).verdict == "holds"
    nearly = arms([2.0, 2.1, 2.0], images_seen="256", batches="10.2")
    assert ruled(replace(BETTER, equal="batches"), nearly, 3).verdict == "holds"
    assert ruled(replace(BETTER, equal="batches"), arms([2.0, 2.0], batches="11"), 2).verdict == "undecided"


@pytest.mark.parametrize(("planned", "there", "reason"), [
    (5, 2, "2 of 5 pairs of trainings are there"), (3, 0, "0 of 3 pairs of trainings are there"),
    (1, 1, "one seed decides nothing")])
def test_what_is_not_there_leaves_a_claim_undecided(planned: int, there: int, reason: str) -> None:
    one = ruled(BETTER, arms([2.0] * there), planned)
    assert one.verdict == "undecided" and one.reason == reason
    assert reason in wording.sentence(one).lower()


def test_a_claim_without_an_experiment_says_what_it_needs() -> None:
    one = ruled(Claim(says="The authors' own D does so", needs="needs the authors' weights"), {}, 5)
    assert one.verdict == "undecided" and wording.sentence(one) == "Needs the authors' weights."


def test_a_family_is_corrected_together_and_a_missing_experiment_counts() -> None:
    found = arms([1.40, 1.46, 1.43])
    alone = ruled(BETTER, found, 3)
    assert alone.verdict == "holds" and 0.005 < alone.p < 0.05
    claims = {"one": replace(BETTER, family="f"), "two": Claim(family="f", needs="nothing yet")}
    one, two = verdicts.rule(claims, found, range(3))
    assert one.p == pytest.approx(2 * alone.p) and two.p == 1
    many = claims | {f"more{i}": Claim(family="f") for i in range(9)}
    first = verdicts.rule(many, found, range(3))[0]
    assert first.verdict == "undecided" and "Holm" in first.reason


def test_each_look_has_its_share_of_the_level() -> None:
    """Seeds that are added until a claim holds would otherwise make one hold by chance."""
    found = arms([1.40, 1.46, 1.43, 1.42, 1.45])
    once, twice = ruled(BETTER, found, 5), ruled(replace(BETTER, looks=2), found, 5)
    assert twice.verdict == once.verdict == "holds" and twice.p == pytest.approx(2 * once.p)
    assert "Each of 2 looks" in wording.sentence(twice) and "looks" not in wording.sentence(once)
    often = ruled(replace(BETTER, looks=100), arms([1.40, 1.46, 1.43]), 3)
    assert often.verdict == "undecided" and "the corrections for looks and family" in often.reason


def test_a_claim_may_be_decided_by_the_first_of_the_seeds() -> None:
    found = arms([1.5, 1.6, 1.55, 1.0, 0.1])
    first = ruled(replace(BETTER, seeds=3), found, 5)
    assert first.planned == 3 and first.seeds == [0, 1, 2] and first.verdict == "holds"
    assert ruled(BETTER, found, 5).verdict == "undecided"
    assert ruled(replace(BETTER, seeds=6), found, 5).reason == "5 of 6 pairs of trainings are there"


@pytest.mark.parametrize(("bound", "values", "verdict", "stated", "end"), [
    ({"at_least": 0.02}, [0.05, 0.06, 0.055], "holds", 0.055, "the claim holds, that it is at least 0.02."),
    ({"at_least": 0.1}, [0.05, 0.06, 0.055], "reversed", 0.055, "less than the 0.1 that is claimed."),
    ({"at_most": 0.1}, [0.05, 0.06, 0.055], "holds", 0.055, "the claim holds, that it is at most 0.1."),
    ({"at_most": 0.02}, [0.05, 0.06, 0.055], "reversed", 0.055, "more than the 0.02 that is claimed."),
    ({"at_most": 0.055}, [0.05, 0.06], "undecided", 0.055, "leaves more than one answer.")])
def test_a_number_is_bounded(bound: dict[str, float], values: list[float], verdict: str, stated: float,
                             end: str) -> None:
    claim = Claim(runs=["a"], of="gain", **bound)
    one = ruled(claim, {"a": {seed: finished(seed, 1, {"gain": value}) for seed, value in enumerate(values)}},
                len(values))
    assert one.verdict == verdict and wording.sentence(one).endswith(end)
    assert one.stated is not None and one.stated.mean == pytest.approx(stated)
    assert one.stated.low < one.stated.mean < one.stated.high


def test_scores_are_subtracted_and_divided() -> None:
    scores = {"trained": 0.9, "untrained": 0.8, "none": 0.0}
    found = {"a": {seed: finished(seed, 1, scores) for seed in (0, 1)}}
    gain = ruled(Claim(runs=["a"], of="trained", minus="untrained", at_least=0.02), found, 2)
    assert gain.values == pytest.approx([0.08, 0.08]) and gain.verdict == "holds"
    ratio = ruled(Claim(runs=["a"], of="trained", over="untrained", at_most=1.2), found, 2)
    assert ratio.values == pytest.approx([0.075, 0.075]) and ratio.verdict == "holds"
    assert "none is 0" in ruled(Claim(runs=["a"], of="trained", over="none", at_most=1), found, 2).reason
    assert "lacks other" in ruled(Claim(runs=["a"], of="other", at_most=1), found, 2).reason


@pytest.mark.parametrize(("images", "verdict"), [(10_000, "holds"), (100, "undecided")])
def test_a_transfer_is_judged_by_what_its_test_images_leave_open(images: int, verdict: str) -> None:
    """By the normal interval of a difference of two shares."""
    trained, untrained = "probe_accuracy_50_labels", "probe_accuracy_50_labels_of_untrained_D"
    claim = Claim(transfer="theirs", of=trained, minus=untrained, at_least=0.02)
    scores = {trained: 0.8, untrained: 0.75, "test_images": images}
    one, = verdicts.rule({"it": claim}, {}, range(3), {"theirs": scores})
    half = 1.959964 * math.sqrt((0.8 * 0.2 + 0.75 * 0.25) / images)
    assert one.verdict == verdict and one.stated == pytest.approx((0.05, 0.05 - half, 0.05 + half))
    assert one.p == pytest.approx(2 * stats.norm.sf(0.03 / (half / 1.959964)))
    assert f"On {images:,} test images, `{trained} less {untrained}` of one network, theirs, is 0.05 (" in (
        wording.sentence(one))
    less, = verdicts.rule({"it": replace(claim, at_least=0.5)}, {}, range(3), {"theirs": scores})
    assert less.verdict == "reversed"


def test_a_transfer_of_the_first_layers_says_so_and_a_perfect_one_has_an_error() -> None:
    claim = Claim(transfer="theirs", of="probe_accuracy_50_labels", at_least=0.9)
    cut, = verdicts.rule({"it": claim}, {}, range(3), {
        "theirs": {"probe_of_4_layers_accuracy_50_labels": 1.0, "test_images": 100}})
    assert cut.verdict == "holds" and cut.error == 0.01
    assert "`probe_of_4_layers_accuracy_50_labels`" in wording.sentence(cut)
    for given, reason in (({}, "run `dvc repro transfer@theirs`, then"), ({"theirs": {}}, "run `dvc repro transfer"),
                          ({"theirs": {"other": 0.8}}, "lacks probe_accuracy_50_labels and test_images")):
        one, = verdicts.rule({"it": claim}, {}, range(3), given)
        assert one.verdict == "undecided" and reason in one.reason and wording.sentence(one)


def test_one_training_of_each_run_is_looked_into() -> None:
    found = {run: {seed: finished(seed, 1, {"other": 1.0}) for seed in (0, 1, 2)} for run in ("a", "b")}
    for run, value in (("a", 0.5), ("b", 0.6)):
        found[run][0] = replace(found[run][0], scores={"walk": value}, inside=frozenset({"walk"}))
    one = ruled(Claim(runs=["a", "b"], of="walk", at_most=1), found, 3)
    assert one.planned == 2 and one.values == pytest.approx([0.5, 0.4]) and one.verdict == "undecided"
    del found["b"]
    assert "1 of 2 trainings" in ruled(Claim(runs=["a", "b"], of="walk", at_most=1), found | {"b": {}}, 3).reason


def test_collapsed_trainings_are_counted_and_never_left_out() -> None:
    found = arms([1.5, 1.6, 1.55])
    found["b"][1] = replace(found["b"][1], signs=["distance"])
    one = ruled(BETTER, found, 3)
    assert one.collapsed == 1 and len(one.values) == 3
    assert "1 of the trainings ended with signs of a collapse" in wording.sentence(one)


def test_unsteadiness_is_of_the_second_half_and_blind_to_a_trend() -> None:
    seen = [float(i) for i in range(1, 11)]
    assert trainings.unsteadiness(seen, [2.0 ** -i for i in range(10)]) == pytest.approx(0)
    wild = [1.0, 9.0, 1.0, 9.0] + [math.exp(i % 2) for i in range(6)]
    assert trainings.unsteadiness(seen, wild) == pytest.approx(1.0954, abs=1e-3)  # ±1, five steps
    assert trainings.unsteadiness(seen[:5], [1.0] * 5) is None


def test_a_sentence_says_the_interval_and_the_verdict() -> None:
    one = ruled(BETTER, arms([1.5, 1.6, 1.55]), 3)
    text = wording.sentence(one)
    assert "Over 3 pairs of seeds" in text and "1.55 (1.43 to 1.68) times" in text
    assert text.endswith("beyond a factor of 1.25.")
    assert wording.says("mine", BETTER) == "a is better than b"


def test_a_forest_has_a_row_for_each_comparison() -> None:
    bounded = Claim(runs=["a"], of="distance", at_most=1)
    rulings = verdicts.rule({"x": BETTER, "y": bounded}, arms([1.5, 1.6, 1.5]), range(3))
    figure = forest.drawn(rulings)
    assert isinstance(figure, Figure) and len(figure.axes[0].get_yticks()) == 1
    assert forest.drawn(verdicts.rule({"x": BETTER}, arms([1.5]), range(1))) is None
