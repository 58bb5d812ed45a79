"""Results over seeds, and what may be said of a difference: intervals against SciPy, verdicts against planted cases."""
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from pipeline.params.sections import Run
from pipeline.reporting import headlines, results, rounding
from pipeline.reporting.results import Change, Names, Result, Training

NAMES = Names("fid_classifier_10k", "p", "r", "m", "probe_accuracy_1000_labels")


def training(seed: int, fid: float, probe: float, curve: list[float]) -> Training:
    scores = {"fid_classifier_10k": fid, "probe_accuracy_test": probe, "batch_norm": "recomputed"}
    return Training(seed, scores, pd.DataFrame(), pd.DataFrame({"images_seen": range(len(curve)), "fid": curve}),
                    pd.DataFrame(), Path())


def result(fid: float, probe: float, curve: list[float], **run: Any) -> Result:
    return Result("a", Run(**({"batch": 100} | run)), [training(0, fid, probe, curve)])


def seeded(fids: list[float], seeds: list[int] | None = None) -> Result:
    return Result("a", Run(), [training(seed, fid, 0.9, [1, 1]) for seed, fid in zip(seeds or range(9), fids)])


def change(before: Result, after: Result) -> Change:
    return results.change(before, after, NAMES, 10_000)


def test_a_change_names_what_was_changed() -> None:
    assert change(result(9, 0.9, [1, 1], beta1=0.9), result(9, 0.9, [1, 1])).changed == "beta1 0.9 → 0.5"
    found = results.differing(Run(violate=[]), Run(violate=["pooling"], images=9))
    assert found == "violate nothing → pooling, images all → 9"


@pytest.mark.parametrize(("before", "after", "seen"), [
    ((100, [300, 150, 100]), (30, [90, 40, 30]), True),    # ×3.3 against swings of ×1.5 and ×1.3
    ((30, [90, 40, 30]), (100, [300, 150, 100]), True),    # worse is seen as well
    ((100, [300, 150, 100]), (70, [90, 140, 70]), False),  # ×1.4 against a swing of ×2
    ((100, [900, 95, 130, 100]), (80, [80, 80, 80, 80]), False),  # ×1.25 against ×1.37 one point before the end
    ((100, [900, 100, 100, 100]), (80, [80, 80, 80, 80]), True),  # how a curve begins does not matter
    ((100, [100]), (1, [1]), False),                       # one point says nothing of the swing
])
def test_with_one_seed_a_distance_counts_only_beyond_the_swing_of_the_curves(
        before: Any, after: Any, seen: bool) -> None:
    found = change(result(before[0], 0.9, before[1]), result(after[0], 0.9, after[1]))
    assert found.seen is seen and found.seeds == 1 and found.ratio == pytest.approx(after[0] / before[0])


def test_with_several_seeds_the_paired_interval_decides() -> None:
    """Seeds differ by factors of ten and the change by a tenth: only pairs can see it."""
    before, after = [10.0, 100.0, 1000.0], [9.0, 91.0, 890.0]
    found = change(seeded(before), seeded(after))
    gaps = np.log(after) - np.log(before)
    low, high = stats.ttest_1samp(gaps, 0).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((math.exp(low), math.exp(high))) and found.seen
    assert found.ratio == pytest.approx(math.exp(gaps.mean())) and found.seeds == 3
    assert not change(seeded(before), seeded([12.0, 80.0, 1010.0])).seen
    assert change(seeded(before, [0, 1, 2]), seeded(after, [2, 3, 4])).seeds == 1  # pairs of equal seed


def test_a_run_with_several_seeds_has_means_and_t_intervals() -> None:
    values = [4.0, 5.0, 9.0]
    one = seeded(values)
    low, high = stats.t.interval(0.95, 2, np.mean(values), stats.sem(values))
    assert one.scores["fid_classifier_10k"] == 6 and one.scores["batch_norm"] == "recomputed"
    assert one.interval("fid_classifier_10k") == pytest.approx((high - low) / 2)
    assert one.stated("fid_classifier_10k") == rounding.stated(6, (high - low) / 2)


def test_a_probe_difference_counts_only_beyond_the_sampling_error() -> None:
    """At 98 % of 10,000 images one difference has a standard error of 0.198 points: 0.388 at 95 %."""
    found = change(result(9, 0.980, [1, 1]), result(9, 0.9835, [1, 1]))
    assert found.probe_error == pytest.approx(1.96 * math.sqrt(2 * 0.98175 * 0.01825 / 10_000))
    assert not found.probe_seen and change(result(9, 0.98, [1, 1]), result(9, 0.985, [1, 1])).probe_seen


def test_one_sentence_says_what_a_change_did() -> None:
    seen = headlines.change(change(seeded([10.0, 100.0, 1000.0]), seeded([9.0, 91.0, 890.0])), NAMES)
    assert "×0.90" in seen and "3 pairs of seeds" in seen and "no clear difference" not in seen
    assert "no clear difference" in headlines.change(change(result(9, 0.9, [1, 9]), result(8, 0.9, [1, 9])), NAMES)


@pytest.mark.parametrize(("value", "text"), [
    (0, "0 %"), (1, "100 %"), (0.5, "50 %"), (0.03, "3.0 %"), (0.999, "99.9 %"), (0.0003, "0.03 %"),
    (0.00002, "0.002 %"), (0.99999, "100.00 %")])
def test_a_share_that_is_not_nothing_never_reads_as_nothing(value: float, text: str) -> None:
    assert rounding.share(value) == text
