"""Results over seeds, and what may be said of a difference: intervals against SciPy, verdicts against planted cases."""
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from pipeline.params.sections import Run
from pipeline.reporting import changes, headlines, plots, results, rounding, signs
from pipeline.reporting.changes import Change
from pipeline.reporting.results import Names, Result, Training

FID, PROBE = "fid_classifier_10k", "probe_accuracy_10000_labels"
NAMES = Names(FID, FID, "p", "r", "m", PROBE, "")


def training(seed: int, fid: float, probe: float, **more: float) -> Training:
    scores = {FID: fid, f"{FID}_relative": fid / 250, PROBE: probe, "batch_norm": "recomputed", "seeds": 3} | more
    return Training(seed, scores, pd.DataFrame(), pd.DataFrame({"images_seen": [1000, 2000], "fid": [fid, fid]}),
                    pd.DataFrame(), Path())


def result(fid: float, probe: float, **run: Any) -> Result:
    return Result("a", Run(**({"batch": 100} | run)), [training(0, fid, probe)])


def seeded(fids: list[float], seeds: list[int] | None = None, probes: list[float] | None = None) -> Result:
    return Result("a", Run(), [training(seed, fid, probe) for seed, fid, probe in zip(
        seeds or range(9), fids, probes or [0.9] * 9)])


def measured(name: str, first: float, second: float) -> Result:
    return Result(name, Run(), [training(0, first, 0.9, **{f"{FID}_by_classifier2": second})])


def change(before: Result, after: Result) -> Change:
    return changes.change(before, after, NAMES)


def test_a_change_names_what_was_changed() -> None:
    assert change(result(9, 0.9, beta1=0.9), result(9, 0.9)).changed == "beta1 0.9 → 0.5"
    found = changes.differing(Run(violate=[]), Run(violate=["pooling"], images=9))
    assert found == "violate – → pooling, images – → 9"


def test_one_seed_gives_no_verdict_however_large_the_difference() -> None:
    found = change(result(100, 0.5), result(1, 0.99))
    assert found.seeds == 1 and found.ratio == pytest.approx(0.01) and found.bounds == (0, math.inf)
    assert found.probe is not None and not found.log_ratio.excludes_0 and not found.probe.excludes_0
    said = headlines.change(found, NAMES) + headlines.change_of_probe(found, NAMES)
    assert "40 % → 0.4 %, ×0.01." in said and "50 % to 99 %." in said and "difference" not in said


def test_with_several_seeds_the_paired_interval_decides() -> None:
    """Seeds differ by factors of ten and the change by a tenth: only pairs can see it."""
    before, after = [10.0, 100.0, 1000.0], [9.0, 91.0, 890.0]
    found = change(seeded(before), seeded(after))
    gaps = np.log(after) - np.log(before)
    low, high = stats.ttest_1samp(gaps, 0).confidence_interval(0.95)
    assert found.bounds == pytest.approx((math.exp(low), math.exp(high))) and found.log_ratio.excludes_0
    assert found.ratio == pytest.approx(math.exp(gaps.mean())) and found.seeds == 3
    assert not change(seeded(before), seeded([12.0, 80.0, 1010.0])).log_ratio.excludes_0


@pytest.mark.parametrize(("after", "seen"), [([0.913, 0.951, 0.882], True), ([0.913, 0.93, 0.91], False)])
def test_probes_are_paired_by_seed_too(after: list[float], seen: bool) -> None:
    before = [0.90, 0.94, 0.87]
    found = change(seeded([9, 9, 9], probes=before), seeded([9, 9, 9], probes=after)).probe
    tested = stats.ttest_rel(after, before)
    low, high = tested.confidence_interval(0.95)
    assert found is not None and (found.mean - found.half, found.mean + found.half) == pytest.approx((low, high))
    assert found.excludes_0 is seen is bool(tested.pvalue < 0.05)


def test_only_seeds_that_both_runs_have_make_pairs() -> None:
    before, after = seeded([10, 20, 30], [0, 1, 2]), seeded([60, 80, 90], [2, 1, 4])
    assert change(before, after).seeds == 2 and change(before, after).ratio == pytest.approx(math.sqrt(2 * 4))
    one = change(before, seeded([60, 80, 90], [2, 3, 4]))
    assert one.seeds == 1 and one.ratio == pytest.approx(2) and not one.log_ratio.excludes_0
    none = change(before, seeded([60, 80, 100], [3, 4, 5]))
    assert none.seeds == 0 and none.ratio == pytest.approx(4) and not none.log_ratio.excludes_0  # of the means


def test_classifiers_agree_by_kendalls_tau() -> None:
    """Of the six pairs of four runs one is ordered otherwise: (5 - 1) / 6; names are in the first one's order."""
    runs = [measured("a", 40, 90), measured("b", 10, 30), measured("c", 20, 20), measured("d", 30, 50)]
    found, = changes.rankings(runs, NAMES)
    assert found.tau == pytest.approx(4 / 6) and found.swapped == [("b", "c")] and found.number == 2
    assert "0.67" in headlines.ranking(found) and "b and c" in headlines.ranking(found)
    same, = changes.rankings([measured("a", 1, 5), measured("b", 2, 6)], NAMES)
    assert same.tau == pytest.approx(1) and not same.swapped
    assert not changes.rankings([result(1, 0.9), result(2, 0.9)], NAMES)  # one classifier alone


def test_the_chief_names_are_those_of_the_most_samples_and_labels() -> None:
    names = Names.of(dict.fromkeys((
        "fid_classifier_1k", "fid_classifier_1k_floors", "fid_classifier_10k", "fid_classifier_10k_std",
        "fid_classifier_10k_by_classifier2", "fid_classifier_infinity", "probe_accuracy_1000_labels",
        "probe_accuracy_10000_labels", "probe_accuracy_10000_labels_of_untrained_D"), 1.0))
    assert (names.fid, names.floored, names.probe, names.few) == (
        "fid_classifier_10k", "fid_classifier_1k", "probe_accuracy_10000_labels", "probe_accuracy_1000_labels")
    assert names.floors == "fid_classifier_1k_floors" and names.precision == "precision_classifier_10k"
    unlabelled = Names.of({"fid_rotation_400": 1.0})
    assert unlabelled.extractor == "rotation" and unlabelled.floored == unlabelled.fid and not unlabelled.probe


def test_a_run_with_several_seeds_has_means_and_t_intervals() -> None:
    values = [4.0, 5.0, 9.0]
    one = seeded(values)
    low, high = stats.t.interval(0.95, 2, np.mean(values), stats.sem(values))
    assert one.scores["fid_classifier_10k"] == 6 and one.scores["batch_norm"] == "recomputed"
    assert one.interval("fid_classifier_10k") == pytest.approx((high - low) / 2)
    assert one.stated("fid_classifier_10k") == rounding.stated(6, (high - low) / 2)


def test_what_plus_minus_is_over_is_said() -> None:
    assert "± over 3 trainings" in seeded([4.0, 5.0, 9.0]).labelled(FID)
    assert result(9, 0.9).labelled(FID) == "9"  # nothing to label
    one = Result("a", Run(), [training(0, 9, 0.9, **{f"{FID}_std": 0.5})])
    assert "± over 3 sets" in one.labelled(FID) and one.rounded(FID) == "9.0"


def test_the_sampling_error_of_two_accuracies() -> None:
    """At 98 % of 10,000 images one difference has a standard error of 0.198 points: 0.388 at 95 %."""
    assert changes.sampling_error((0.98, 0.98), 10_000) == pytest.approx(0.00388, abs=1e-5)


def test_one_sentence_says_what_a_change_did() -> None:
    seen = headlines.change(change(seeded([10.0, 100.0, 1000.0]), seeded([9.0, 91.0, 890.0])), NAMES)
    assert "×0.90" in seen and "3 pairs of seeds" in seen and "no clear difference" not in seen
    assert "no clear difference" in headlines.change(change(seeded([9, 8]), seeded([8, 9])), NAMES)


def collapsed(*events: tuple[int, str, int, str]) -> Result:
    one = replace(training(0, 9, 0.9), events=pd.DataFrame(events, columns=results.EVENTS), losses=pd.DataFrame(
        {"images_seen": [1000, 2000], "loss_D": [1.0, 2.0], "loss_G": [1.0, 2.0]}), fid=pd.DataFrame(
        {"images_seen": [1000, 2000, 3000], "fid": [10.0, 20.0, 40.0]}))
    return Result("a", Run(), [one])


def test_signs_of_a_collapse_begin_and_end() -> None:
    run = collapsed((1000, "losses", 1, "first"), (2000, "losses", 0, "over"), (2500, "variance", 1, "flat"),
                    (3000, "losses", 1, "second"), (4000, "losses", 0, "over"))
    losses, variance = signs.found(run.first)
    assert losses == signs.Sign("losses", [1000, 3000], "first", 4000)
    assert variance == signs.Sign("variance", [2500], "flat", None) and signs.lasts(run)
    said, = signs.sentences([run, seeded([1.0])])
    assert "1,000" in said and "2 times" in said and "4,000" in said and "2,500" in said
    assert not signs.lasts(collapsed((1, "losses", 1, ""), (2, "losses", 0, "")))


def test_marks_stand_on_the_curve_where_signs_begin() -> None:
    """Half way from 20 to 40 is their geometric mean on a logarithmic axis; where a sign ends there is no mark."""
    run = collapsed((1000, "losses", 1, "x"), (2000, "losses", 0, "x"), (2500, "variance", 1, "x"))
    for figure in (plots.fid([run]), plots.curves([run])):
        mark, = (line for line in figure.axes[0].lines if line.get_gid() == plots.SIGN)
        assert list(mark.get_xdata()) == [1, 2.5] and list(mark.get_ydata()) == pytest.approx([10, math.sqrt(20 * 40)])


@pytest.mark.parametrize(("value", "text"), [
    (0, "0 %"), (1, "100 %"), (0.5, "50 %"), (0.03, "3.0 %"), (0.999, "99.9 %"), (0.0003, "0.03 %"),
    (0.00002, "0.002 %"), (0.99999, "100.00 %")])
def test_a_share_that_is_not_nothing_never_reads_as_nothing(value: float, text: str) -> None:
    assert rounding.share(value) == text
