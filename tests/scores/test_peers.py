"""The same features in this project's scores and in five peers'; and why it does not compute as they do."""
import numpy as np
import prdc
import pytest
import torch
from cleanfid import fid as clean_fid
from numpy.random import default_rng
from pytorch_fid import fid_score
from torch_fidelity import metric_fid, metric_kid, metric_prc
from torchmetrics.image import fid as torchmetrics_fid
from torchmetrics.image import kid as torchmetrics_kid

from pipeline.scores import frechet, kernel, manifold

DOUBLE, SINGLE = 1e-6, 1e-4  # relative error against peers that compute in float64 and in float32

# SciPy 1.17 warns that sqrtm's `disp`, which pytorch-fid and clean-fid give, goes in 1.18; both would fail then.
disp = pytest.mark.filterwarnings("ignore:The `disp` argument is deprecated:DeprecationWarning")


def features(n: int, d: int, seed: int) -> np.ndarray:
    """float64, not negative and correlated, like those behind a ReLU."""
    mixing = default_rng(9).normal(size=(d, d)) * np.exp(-3 * np.arange(d) / d)[:, None]
    return np.maximum(default_rng(seed).normal(0.1 * seed, 1, (n, d)) @ mixing / d ** 0.5 + 0.5, 0)


def statistics(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return x.mean(0), np.cov(x, rowvar=False)


def ours(x: np.ndarray, y: np.ndarray) -> float:
    return frechet.distance(frechet.moments(torch.from_numpy(x)), frechet.moments(torch.from_numpy(y)))


def torch_fidelity_fid(x: np.ndarray, y: np.ndarray) -> float:
    stats = [metric_fid.fid_features_to_statistics(torch.from_numpy(z)) for z in (x, y)]
    return metric_fid.fid_statistics_to_metric(*stats, verbose=False)[metric_fid.KEY_METRIC_FID]


def torchmetrics_distance(x: np.ndarray, y: np.ndarray) -> float:
    tensors = [torch.from_numpy(part) for z in (x, y) for part in statistics(z)]
    return torchmetrics_fid._compute_fid(*tensors).item()


@disp
@pytest.mark.parametrize(("n", "d"), [(2000, 64), (3000, 256)])
def test_frechet_distances_agree(n: int, d: int) -> None:
    x, y = features(n, d, 1), features(n + 100, d, 2)
    expected = ours(x, y)
    for peer in (fid_score.calculate_frechet_distance, clean_fid.frechet_distance):
        assert peer(*statistics(x), *statistics(y)) == pytest.approx(expected, rel=DOUBLE)
    assert torch_fidelity_fid(x, y) == pytest.approx(expected, rel=DOUBLE)
    assert torchmetrics_distance(x, y) == pytest.approx(expected, rel=DOUBLE)


@pytest.mark.slow
@disp
@pytest.mark.parametrize(("n", "d"), [(60, 200), (100, 300)])
def test_with_fewer_images_than_dimensions_peers_are_off_where_ours_is_exact(n: int, d: int) -> None:
    """x against (1 + e) x costs e^2 (tr S + |m|^2). Roots of eigenvalues that should be 0 are 1e-8 each, and add up.

    So peers' distances of equal sets are not 0 but (mostly below it) 1e-8 to 1e-6 of tr S, and small ones drown.
    """
    x = features(n, d, 1)
    m, s = statistics(x)
    peers = (lambda a, b: fid_score.calculate_frechet_distance(*statistics(a), *statistics(b)),
             lambda a, b: clean_fid.frechet_distance(*statistics(a), *statistics(b)),
             torch_fidelity_fid, torchmetrics_distance)
    assert ours(x, x) <= 1e-12 * s.trace()
    nearly = 1e-6 * (s.trace() + m @ m)
    assert ours(x, x * 1.001) == pytest.approx(nearly, rel=1e-8)
    for peer in peers:
        assert 1e-9 * s.trace() < abs(peer(x, x)) < 1e-6 * s.trace()
        assert 1e-4 < abs(peer(x, x * 1.001) / nearly - 1) < 1
        # A distance as large as the features is right to the tolerance that we ask for.
        assert peer(x, 3 * x) == pytest.approx(4 * (s.trace() + m @ m), rel=DOUBLE)
        assert ours(x, 3 * x) == pytest.approx(4 * (s.trace() + m @ m), rel=1e-12)


def test_kernel_distances_agree_where_subsets_are_the_whole() -> None:
    """In float64; clean-fid's two-sided order of arguments makes no difference to a symmetric estimate."""
    x, y = features(300, 50, 1), features(300, 50, 2)
    mean, spread, _ = kernel.kid(x, y, default_rng(0), 1, 300)
    assert spread == 0
    assert metric_kid.kernel_mmd(x, y) == pytest.approx(mean, rel=DOUBLE)
    assert torchmetrics_kid.poly_mmd(*map(torch.from_numpy, (x, y))).item() == pytest.approx(mean, rel=DOUBLE)
    assert clean_fid.kernel_distance(x, y, 1, 300) == pytest.approx(mean, rel=DOUBLE)


def test_kernel_distances_of_subsets_agree_within_their_spread() -> None:
    x, y = features(2000, 50, 1), features(2000, 50, 2)
    mean, spread, _ = kernel.kid(x, y, default_rng(0), 50, 200)
    theirs = metric_kid.kid_features_to_metric(torch.from_numpy(x), torch.from_numpy(y), kid_subsets=50,
                                               kid_subset_size=200, verbose=False)
    assert theirs[metric_kid.KEY_METRIC_KID_MEAN] == pytest.approx(mean, abs=4 * spread / 50 ** 0.5)
    assert theirs[metric_kid.KEY_METRIC_KID_STD] == pytest.approx(spread, rel=0.4)


def test_torchmetrics_kernel_distance_of_float32_features_is_off() -> None:
    """Means near 2 are subtracted to 1e-3: float32 keeps about four digits of it; ours are those of float64."""
    x, y = (default_rng(seed).normal(0.01 * seed, 1, (500, 50)).astype(np.float32) for seed in (1, 2))
    single = torchmetrics_kid.poly_mmd(torch.from_numpy(x), torch.from_numpy(y)).item()
    exact = metric_kid.kernel_mmd(x.astype(float), y.astype(float))
    assert kernel.mmd2(x, y) == pytest.approx(exact, rel=1e-9)
    assert 1e-6 < abs(single / exact - 1) < 100 * SINGLE


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("k", [1, 5])
def test_manifold_scores_agree_with_prdc(dtype: type, k: int) -> None:
    real, fake = features(1500, 40, 1).astype(dtype), features(1200, 40, 1)[::2].astype(dtype) * dtype(0.7)
    found = manifold.scores(real, fake, k)
    assert 0.05 < min(found.values())
    assert prdc.compute_prdc(real, fake, k) == pytest.approx(found, rel=1e-12)


def test_precision_and_recall_agree_with_torch_fidelity_whose_generated_side_is_first() -> None:
    real, fake = features(1500, 40, 1), features(1200, 40, 3) * 0.9
    found = manifold.scores(real, fake, 3)
    theirs = metric_prc.prc_features_to_metric(torch.from_numpy(fake), torch.from_numpy(real), prc_neighborhood=3,
                                               verbose=False)
    assert abs(found["precision"] - found["recall"]) > 0.05
    assert (theirs["precision"], theirs["recall"]) == pytest.approx((found["precision"], found["recall"]), rel=DOUBLE)


def test_borders_are_out_here_and_in_prdc_and_in_with_torch_fidelity() -> None:
    """Real balls of radius 1 around -1, 0 and 1; of the fakes 2 is on a border, 0.5 inside and 20 beyond."""
    real, fake = np.array([[-1.0], [0], [1]]), np.array([[2.0], [0.5], [20]])
    theirs = metric_prc.prc_features_to_metric(torch.from_numpy(fake), torch.from_numpy(real), prc_neighborhood=1,
                                               verbose=False)
    assert manifold.scores(real, fake, 1)["precision"] == pytest.approx(1 / 3)
    assert prdc.compute_prdc(real, fake, 1)["precision"] == pytest.approx(1 / 3)
    assert theirs["precision"] == pytest.approx(2 / 3)


def test_prdc_loses_a_tight_cluster_that_is_far_from_the_origin() -> None:
    """Squares near 1e7 are subtracted to 1e-8: float64 keeps no digit of a squared distance."""
    real, fake = (default_rng(seed).normal(1e3, 1e-5, (300, 16)) for seed in (0, 1))
    moved = manifold.scores(real - 1e3, fake - 1e3, 3)
    assert manifold.scores(real, fake, 3) == moved
    theirs = prdc.compute_prdc(real, fake, 3)
    assert prdc.compute_prdc(real - 1e3, fake - 1e3, 3) == pytest.approx(moved, rel=1e-12)
    assert abs(theirs["precision"] - moved["precision"]) > 0.1
