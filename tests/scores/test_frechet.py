"""The Fréchet distance: closed forms, scipy's sqrtm, streaming, and what is refused."""
import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm

from pipeline.scores import frechet
from pipeline.scores.frechet import Moments


def gaussian(mean: torch.Tensor, covariance: torch.Tensor, count: int = 1000) -> Moments:
    return Moments(count, mean.double(), covariance.double() * (count - 1))


def test_equal_moments_have_distance_zero() -> None:
    features = torch.randn(50, 80, generator=torch.Generator().manual_seed(0))  # singular covariance: n < d
    a = frechet.moments(features)
    assert frechet.distance(a, a) == pytest.approx(0, abs=1e-6)


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


def test_features_that_are_not_finite_or_too_few_are_refused() -> None:
    good, bad = torch.randn(10, 3), torch.randn(10, 3)
    bad[4, 1] = float("nan")
    with pytest.raises(ValueError, match="finite"):
        frechet.distance(frechet.moments(good), frechet.moments(bad))
    with pytest.raises(ValueError, match="needs 2 images on each side; there are 10 and 1"):
        frechet.distance(frechet.moments(good), frechet.moments(good[:1]))


@pytest.mark.parametrize(("count", "name"), [(10_000, "fid_classifier_10k"), (500, "fid_classifier_500"),
                                             (2_500, "fid_classifier_2500")])
def test_the_name_tells_the_count(count: int, name: str) -> None:
    assert frechet.name(count) == name
