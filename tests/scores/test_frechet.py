"""The Fréchet distance: closed forms, scipy's sqrtm, streaming, infinitely many images, and what is refused."""
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm

from pipeline.scores import frechet
from pipeline.scores.frechet import Moments


def gaussian(mean: torch.Tensor, covariance: torch.Tensor, count: int = 1000) -> Moments:
    return Moments(count, mean.double(), covariance.double() * (count - 1))


@pytest.mark.parametrize(("n", "d"), [(50, 80), (2, 30), (400, 80), (60, 700)])
def test_equal_moments_have_distance_zero(n: int, d: int) -> None:
    """Also of fewer features than dimensions, whose covariance is singular."""
    a = frechet.moments(torch.randn(n, d, generator=torch.Generator().manual_seed(0)))
    assert frechet.distance(a, a) <= 1e-12 * a.covariance.trace()


def test_the_order_of_features_costs_nothing_though_covariances_are_singular() -> None:
    x = torch.randn(100, 300, generator=torch.Generator().manual_seed(0)).relu()
    a, b = frechet.moments(x), frechet.moments(x.flip(0))
    assert frechet.distance(a, b) <= 1e-9 * a.covariance.trace()


@pytest.mark.parametrize("scale", [1e-6, 1, 3])
def test_a_scaled_set_of_few_images_costs_as_a_gaussian_would(scale: float) -> None:
    """S2 = s^2 S1: tr S1 (1 - s)^2 + |m|^2 (1 - s)^2, of whatever rank."""
    x = torch.randn(60, 200, generator=torch.Generator().manual_seed(0), dtype=torch.float64) + 1
    a, b = frechet.moments(x), frechet.moments(x * scale)
    expected = (1 - scale) ** 2 * (a.covariance.trace() + a.mean.square().sum()).item()
    assert frechet.distance(a, b) == pytest.approx(expected, rel=1e-9, abs=1e-12)
    assert frechet.distance(b, a) == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_low_ranks_in_turned_planes_have_a_closed_form() -> None:
    """S1 = U diag(9, 4) U^T, S2 = V diag(25, 1) V^T; the planes share one direction: tr = 39 - 2 * 3 * 5."""
    axes = torch.linalg.qr(torch.randn(50, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64))[0]
    s = axes[:, [0, 1]] @ torch.diag(torch.tensor([9.0, 4], dtype=torch.float64)) @ axes[:, [0, 1]].T
    t = axes[:, [0, 2]] @ torch.diag(torch.tensor([25.0, 1], dtype=torch.float64)) @ axes[:, [0, 2]].T
    zero = torch.zeros(50)
    assert frechet.distance(gaussian(zero, s), gaussian(zero, t)) == pytest.approx(9, rel=1e-9)


def test_a_collapsed_side_costs_the_spread_of_the_other_and_two_collapsed_sides_their_gap() -> None:
    x = torch.randn(500, 20, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    a, point = frechet.moments(x), frechet.moments(torch.full((500, 20), 0.1))
    expected = (a.covariance.trace() + (a.mean - point.mean).square().sum()).item()
    assert frechet.distance(a, point) == pytest.approx(expected, rel=1e-12)
    assert frechet.distance(point, a) == pytest.approx(expected, rel=1e-12)
    assert frechet.distance(point, frechet.moments(torch.full((9, 20), 0.6))) == pytest.approx(5, rel=1e-6)


def test_features_on_small_scales_are_not_taken_for_rounding() -> None:
    """A pivot of 1e-16 beside 1 would be dropped if scales were not taken out first; here it meets a variance of 1."""
    a, b = torch.tensor([1.0, 1e-16]).double(), torch.tensor([1.0, 1]).double()
    zero = torch.zeros(2)
    expected = (1 - 1e-8) ** 2
    assert frechet.distance(gaussian(zero, a.diag()), gaussian(zero, b.diag())) == pytest.approx(expected, rel=1e-9)


def test_a_shift_costs_its_squared_length() -> None:
    covariance = torch.diag(torch.arange(1.0, 6.0))
    shift = torch.tensor([3.0, -4.0, 0, 0, 12.0])
    assert frechet.distance(gaussian(torch.zeros(5), covariance), gaussian(shift, covariance)) == pytest.approx(169)


def test_diagonal_covariances_cost_their_squared_difference_of_deviations() -> None:
    a, b = torch.tensor([1.0, 4.0, 9.0, 0.0]), torch.tensor([16.0, 4.0, 0.0, 25.0])
    expected = ((a.sqrt() - b.sqrt()) ** 2).sum().item()
    zero = torch.zeros(4)
    assert frechet.distance(gaussian(zero, a.diag()), gaussian(zero, b.diag())) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("n", "d"), [(400, 64), (2000, 128)])
def test_it_agrees_with_sqrtm_where_that_works(n: int, d: int) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, d)) @ rng.normal(size=(d, d))
    y = rng.normal(size=(n + 7, d)) @ rng.normal(size=(d, d)) * 0.5 + 0.3
    s, t = np.cov(x, rowvar=False), np.cov(y, rowvar=False)
    expected = ((x.mean(0) - y.mean(0)) ** 2).sum() + np.trace(s + t - 2 * sqrtm(s @ t).real)
    found = frechet.distance(frechet.moments(torch.from_numpy(x)), frechet.moments(torch.from_numpy(y)))
    assert found == pytest.approx(expected, rel=1e-6)


def test_moments_stream_and_do_not_cancel() -> None:
    """Far from zero a sum of squares loses its digits; merged scatters keep them."""
    x = torch.randn(1000, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64) + 1e6
    merged = frechet.moments(x[:1]) + frechet.moments(x[1:300]) + frechet.moments(x[300:])
    assert merged.count == 1000
    np.testing.assert_allclose(merged.covariance.numpy(), np.cov(x.numpy(), rowvar=False), rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(merged.mean.numpy(), x.numpy().mean(0), rtol=1e-12)


@pytest.mark.parametrize("size", [1, 7, 100, 1000])
def test_a_stream_does_not_depend_on_cuts_or_order(size: int) -> None:
    x = torch.randn(1000, 12, generator=torch.Generator().manual_seed(0)).relu()
    whole, order = frechet.moments(x), torch.randperm(1000, generator=torch.Generator().manual_seed(1))
    found = frechet.stream(x[order][i:i + size] for i in range(0, 1001, size))
    assert found.count == 1000
    torch.testing.assert_close(found.mean, whole.mean, rtol=1e-12, atol=0)
    # Off the diagonal positive and negative products cancel: the scale is that of the variances.
    atol = 1e-12 * whole.scatter.diagonal().min().item()
    torch.testing.assert_close(found.scatter, whole.scatter, rtol=1e-12, atol=atol)


def test_a_memory_map_gives_the_same(tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=(50, 6)).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="c")
    found, expected = (frechet.stream(torch.from_numpy(y[i:i + 20]) for i in (0, 20, 40)) for y in (mapped, x))
    assert found.scatter.equal(expected.scatter) and found.mean.equal(expected.mean)


def test_a_stream_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="there are none"):
        frechet.stream([torch.zeros(0, 3)])


def test_at_infinity_most_of_the_bias_of_few_images_is_gone() -> None:
    """The same Gaussian in 20 dimensions: the distance at n is its bias, five times what infinity leaves of it."""
    def normal(n: int, seed: int) -> torch.Tensor:
        return torch.randn(n, 20, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)

    real = gaussian(torch.zeros(20), torch.eye(20))
    found = [(frechet.at_infinity(normal(1000, seed), real, np.random.default_rng(seed)),
              frechet.distance(frechet.moments(normal(1000, seed)), real)) for seed in range(20)]
    infinite, plain = np.mean(found, axis=0)
    assert plain > 0.08 and abs(infinite) < plain / 5
    assert min(value for value, _ in found) < 0


def test_at_infinity_is_the_line_through_subsets_of_equally_spaced_sizes() -> None:
    x = torch.randn(100, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    real, rng = gaussian(torch.ones(3), torch.eye(3)), np.random.default_rng(1)
    few, many = (frechet.distance(frechet.moments(x[rng.choice(100, n, replace=False)]), real) for n in (10, 100))
    expected = many - (few - many) / (1 / 10 - 1 / 100) / 100
    assert frechet.at_infinity(x, real, np.random.default_rng(1), 2) == pytest.approx(expected, rel=1e-9)
    with pytest.raises(ValueError, match="needs 3 images and 2 points; there are 2 and 15"):
        frechet.at_infinity(x[:2], real, rng)


def test_features_that_are_not_finite_or_too_few_are_refused() -> None:
    good, bad = torch.randn(10, 3), torch.randn(10, 3)
    bad[4, 1] = float("nan")
    with pytest.raises(ValueError, match="NaN or infinite ones among the 10 of the second side"):
        frechet.distance(frechet.moments(good), frechet.moments(bad))
    with pytest.raises(ValueError, match="needs 2 images on each side; there are 10 and 1"):
        frechet.distance(frechet.moments(good), frechet.moments(good[:1]))


@pytest.mark.parametrize(("count", "name"), [(10_000, "fid_classifier_10k"), (500, "fid_classifier_500"),
                                             (2_500, "fid_classifier_2500")])
def test_the_name_tells_the_count(count: int, name: str) -> None:
    assert frechet.name(count) == name


def test_the_name_tells_extractor_and_score() -> None:
    assert frechet.name(50_000, "inception", "kid") == "kid_inception_50k"
    assert frechet.name(1_000, score="precision") == "precision_classifier_1k"
