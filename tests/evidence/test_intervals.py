"""Intervals, decisions, Holm's correction and the seeds that would decide, against SciPy and by simulation."""
import math
import statistics

import numpy as np
import pytest
from scipy import stats

from pipeline.evidence import intervals

LOG = math.log(1.25)


def draws(mean: float, spread: float, seeds: int, times: int = 2000) -> list[list[float]]:
    return [list(row) for row in np.random.default_rng(0).normal(mean, spread, (times, seeds))]


def test_the_interval_is_scipys() -> None:
    values = [0.3, 0.1, 0.45, 0.2, 0.38]
    low, high = stats.t.interval(0.95, 4, statistics.mean(values), stats.sem(values))
    assert intervals.effect(values) == pytest.approx((statistics.mean(values), low, high))
    assert intervals.effect([0.3]) == (0.3, -math.inf, math.inf)


@pytest.mark.parametrize("values", [[0.5, 0.4, 0.6], [-0.5, -0.4, -0.7], [0.01, -0.02, 0.015, 0.0], [0.5, -0.4, 0.1]])
def test_p_values_are_those_of_scipys_t_test(values: list[float]) -> None:
    above = stats.ttest_1samp(values, LOG, alternative="greater").pvalue
    below = stats.ttest_1samp(values, -LOG, alternative="less").pvalue
    between = max(stats.ttest_1samp(values, -LOG, alternative="greater").pvalue,
                  stats.ttest_1samp(values, LOG, alternative="less").pvalue)
    least = min(above, below, between)
    decision = intervals.decide(values, -LOG, LOG)
    assert decision.p == pytest.approx(min(1, 2 * least))
    assert decision.region == {above: "above", below: "below", between: "between"}[least]


@pytest.mark.parametrize("seed", range(20))
def test_a_region_is_decided_for_exactly_when_the_interval_lies_in_it(seed: int) -> None:
    random = np.random.default_rng(seed)
    values = list(random.normal(random.uniform(-1, 1), random.uniform(0.01, 0.5), random.integers(2, 8)))
    _, low, high = intervals.effect(values)
    inside = "above" if low > LOG else "below" if high < -LOG else "between" if -LOG < low < high < LOG else None
    region, p = intervals.decide(values, -LOG, LOG)
    assert (p < 0.05) == (inside is not None) and inside in (None, region)


def test_the_interval_covers_the_mean_as_often_as_it_says() -> None:
    covered = [low < 0.4 < high for _, low, high in map(intervals.effect, draws(0.4, 0.2, 5))]
    assert statistics.mean(covered) == pytest.approx(0.95, abs=0.015)  # three standard errors


def test_no_effect_is_rarely_taken_for_one_and_a_planted_one_is_found() -> None:
    """At the bound itself the claim holds in 2.5 % of the cases; a ratio of 2 is found with 5 seeds."""
    def share(mean: float, region: str) -> float:
        decisions = [intervals.decide(values, -LOG, LOG) for values in draws(mean, 0.2, 5)]
        return statistics.mean(one.region == region and one.p <= 0.05 for one in decisions)

    assert share(LOG, "above") == pytest.approx(0.025, abs=0.011)
    assert share(0.0, "above") + share(0.0, "below") < 0.01
    noncentral = 1 - stats.nct.cdf(stats.t.ppf(0.975, 4), 4, (math.log(2) - LOG) / (0.2 / math.sqrt(5)))
    assert share(math.log(2), "above") == pytest.approx(noncentral, abs=0.02) and noncentral > 0.95


def test_one_value_decides_nothing_and_equal_ones_decide() -> None:
    assert intervals.decide([9.0], -LOG, LOG).p == 1 and intervals.decide([], -LOG, LOG).p == 1
    assert intervals.decide([0.5, 0.5], -LOG, LOG) == ("above", 0)
    assert intervals.decide([0.1, 0.1], -LOG, LOG) == ("between", 0)
    assert intervals.decide([0.0, 0.0], 0.0, 0.0).p == 1


def test_holms_correction() -> None:
    """By hand: p-values in order times 4, 3, 2 and 1, none below the one before it."""
    assert intervals.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert intervals.holm([0.4, 0.9]) == pytest.approx([0.8, 0.9]) and intervals.holm([]) == []
    assert intervals.holm([0.02]) == [0.02]


def test_holm_keeps_the_rate_of_any_false_verdict_in_a_family() -> None:
    """Ten claims without an effect beyond the bound: in at most 5 % of the families is one decided."""
    random = np.random.default_rng(1)
    wrong = 0
    for _ in range(300):
        decisions = [intervals.decide(list(row), -1e-9, 1e-9) for row in random.normal(0, 0.2, (10, 4))]
        wrong += any(p <= 0.05 for p in intervals.holm([one.p for one in decisions]))
    assert wrong / 300 < 0.05 + 3 * math.sqrt(0.05 * 0.95 / 300)


def test_how_many_more_seeds_would_decide() -> None:
    values = [0.35, 0.15, 0.55, 0.40]
    more = intervals.more(values, -LOG, LOG)
    assert more is not None and more > 0
    spread, mean = statistics.stdev(values), statistics.mean(values)

    def half(n: int) -> float:
        return float(stats.t.ppf(0.975, n - 1) * spread / math.sqrt(n))

    assert mean - half(4 + more) > LOG >= mean - half(3 + more)
    assert intervals.more([0.6, 0.61, 0.62], -LOG, LOG) == 0
    assert intervals.more([0.3], -LOG, LOG) is None
    assert intervals.more([LOG - 0.5, LOG + 0.5], -LOG, LOG) is None  # a mean at the bound itself
