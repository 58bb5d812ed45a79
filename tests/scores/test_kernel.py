"""The kernel distance: a double loop, no bias, subsets, and what is refused."""
import numpy as np
import pytest
import torch

from pipeline.scores import kernel


def looped(x: np.ndarray, y: np.ndarray) -> float:
    def k(a: np.ndarray, b: np.ndarray) -> float:
        return (float(sum(p * q for p, q in zip(a, b))) / len(a) + 1) ** 3

    def others(z: np.ndarray) -> float:
        return sum(k(a, b) for i, a in enumerate(z) for j, b in enumerate(z) if i != j) / (len(z) * (len(z) - 1))
    return others(x) + others(y) - 2 * sum(k(a, b) for a in x for b in y) / (len(x) * len(y))


def normal(n: int, d: int, seed: int, shift: float = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(shift, 1, (n, d))


def test_it_is_the_double_loop_also_for_sets_of_different_sizes() -> None:
    x, y = normal(7, 5, 0), normal(11, 5, 1, 0.5) * [1, 2, 3, 0, 1]
    assert kernel.mmd2(x, y) == pytest.approx(looped(x, y), rel=1e-12)
    assert kernel.mmd2(torch.from_numpy(y), torch.from_numpy(x)) == pytest.approx(looped(x, y), rel=1e-12)


def test_one_dimension_by_hand() -> None:
    """k(0, .) = 1, k(1, 1) = 8: pairs within x give 1, within y 8, across 1: 1 + 8 - 2."""
    assert kernel.mmd2(np.zeros((2, 1)), np.ones((3, 1))) == pytest.approx(7, rel=1e-15)


def test_equal_distributions_are_at_zero_on_average_and_on_both_sides_of_it() -> None:
    values = np.array([kernel.mmd2(normal(20, 4, 2 * i), normal(30, 4, 2 * i + 1)) for i in range(2000)])
    assert abs(values.mean()) < 3 * values.std() / 2000 ** 0.5
    assert (values < 0).mean() > 0.3 and (values > 0).mean() > 0.2


def test_few_images_give_the_mean_that_many_give() -> None:
    """An estimate with the diagonal in it would fall with the number of images, by far more than 3 deviations."""
    x, y = normal(4000, 4, 0), normal(4000, 4, 1, 0.3)
    mean, spread, _ = kernel.kid(x, y, np.random.default_rng(0), 2000, 20)
    assert mean == pytest.approx(kernel.mmd2(x, y), abs=3 * spread / 2000 ** 0.5)


def test_subsets_of_all_have_no_spread_and_float32_counts_like_float64() -> None:
    x, y = normal(40, 6, 0).astype(np.float32), normal(30, 6, 1).astype(np.float32)
    mean, spread, size = kernel.kid(y, x[:30], np.random.default_rng(0), 5)
    assert size == 30
    assert mean == pytest.approx(kernel.mmd2(x[:30].astype(float), y.astype(float)), rel=1e-12)
    assert spread < 1e-14


def test_the_spread_is_that_of_single_estimates() -> None:
    x, y = normal(300, 4, 0), normal(300, 4, 1)
    rng = np.random.default_rng(5)
    values = [kernel.mmd2(x[rng.choice(300, 50, replace=False)], y[rng.choice(300, 50, replace=False)])
              for _ in range(10)]
    assert kernel.kid(x, y, np.random.default_rng(5), 10, 50) == pytest.approx(
        (np.mean(values), np.std(values), 50))


def test_few_or_infinite_features_are_refused_by_side() -> None:
    good, bad = normal(5, 3, 0), normal(5, 3, 0)
    bad[2, 1] = np.inf
    with pytest.raises(ValueError, match="fake features must be finite"):
        kernel.kid(good, bad, np.random.default_rng(0))
    with pytest.raises(ValueError, match="needs 2 images on each side; there are 1 second ones"):
        kernel.mmd2(good, good[:1])
    with pytest.raises(ValueError, match="need 2 images; they have 1"):
        kernel.kid(good, good, np.random.default_rng(0), size=1)
