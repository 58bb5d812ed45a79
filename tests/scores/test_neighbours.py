"""Nearest neighbours: scipy's float64 distances, near ties, duplicates, tight clusters, and what is refused."""
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist

from pipeline.scores import neighbours


def normal(n: int, d: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)


def agrees(q: np.ndarray, p: np.ndarray, k: int) -> None:
    distances, index = neighbours.nearest(q, p, k)
    every = cdist(q.astype(float), p.astype(float))
    np.testing.assert_allclose(distances, np.sort(every, axis=1)[:, :k], rtol=1e-12, atol=0)
    np.testing.assert_allclose(distances, np.take_along_axis(every, index, 1), rtol=1e-12, atol=0)
    assert all(len(set(row)) == k for row in index.tolist())


@pytest.mark.parametrize("k", [1, 5, 30])
@pytest.mark.parametrize(("n", "m", "d"), [(300, 500, 16), (40, 30, 200), (2100, 4500, 3), (1, 30, 1)])
def test_distances_are_scipys_in_float64(n: int, m: int, d: int, k: int) -> None:
    agrees(normal(n, d, 0), normal(m, d, 1), k)


@pytest.mark.parametrize("scale", [1e-12, 1e12])
def test_neither_scale_nor_an_offset_matters(scale: float) -> None:
    agrees((normal(200, 20, 0) + 1e3) * np.float32(scale), (normal(300, 20, 1) + 1e3) * np.float32(scale), 4)


def test_near_ties_that_float32_gets_wrong_are_decided_in_float64() -> None:
    q, p = np.zeros((1, 64)), np.zeros((200, 64))
    p[:, 0] = 1 + np.random.default_rng(0).permutation(200) * 1e-10
    p[:, 1:] = 1
    assert len(set(np.float32(p[:, 0]).tolist())) == 1
    distances, index = neighbours.nearest(q, p, 7)
    assert index.tolist() == [np.argsort(p[:, 0])[:7].tolist()]
    agrees(q, p, 7)


def test_tight_clusters_far_apart_are_resolved() -> None:
    """Around the common mean, float32 products cannot tell the members of a cluster apart."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(4, 32)) * 1e3
    points = centres[rng.integers(4, size=1200)] + rng.normal(size=(1200, 32)) * 1e-4
    agrees(points[:200], points[200:], 3)
    np.testing.assert_allclose(neighbours.radii(points, 3), np.sort(cdist(points, points), axis=1)[:, 3], rtol=1e-12)


@pytest.mark.parametrize("k", [1, 3, 5])
def test_radii_leave_the_point_itself_out_but_not_its_duplicates(k: int) -> None:
    points = normal(2500, 8, 0)
    points[100:200] = points[:100]
    points[2100:2104] = points[5]
    every = cdist(points.astype(float), points.astype(float))
    np.fill_diagonal(every, np.inf)
    found = neighbours.radii(points, k)
    np.testing.assert_allclose(found, np.sort(every, axis=1)[:, k - 1], rtol=1e-12, atol=0)
    assert (found[[5, 105, 2101]] == 0).all()
    assert (found[0] == 0) == (k == 1)


def test_on_a_grid_all_is_ties_and_distances_are_whole() -> None:
    grid = np.stack(np.meshgrid(*[np.arange(9.0)] * 3), -1).reshape(-1, 3)
    distances, _ = neighbours.nearest(grid, grid, 4)
    assert (distances[:, 0] == 0).all() and (distances[:, 1:] == 1).all()


def test_identical_points_are_at_distance_zero() -> None:
    points = np.full((3000, 40), 0.1, np.float32)
    assert (neighbours.radii(points, 5) == 0).all()
    np.testing.assert_allclose(neighbours.nearest(points[:3] + np.float32(1), points, 2)[0], 40 ** 0.5, rtol=1e-7)


def test_a_pair_has_the_same_bits_in_any_company() -> None:
    x, y = normal(500, 777, 0), normal(500, 777, 1)
    i, j = np.arange(500), np.arange(500)[::-1]
    together = neighbours.squared(x, y, i, j)
    assert together.tolist() == [neighbours.squared(y, x, j[[m]], i[[m]])[0] for m in range(500)]


def test_bounds_hold() -> None:
    """Below the float64 distances, and by no more than is said, also for features that float32 nearly loses."""
    x, y = normal(300, 500, 0) * np.float32(1e-3) + 5, normal(200, 500, 1) + 5
    to_frame = neighbours.frame(x, y)
    every = cdist(x.astype(float), y.astype(float), "sqeuclidean") * to_frame.scale ** 2
    for dtype in (np.float32, np.float64):
        a, b = to_frame(x, dtype), to_frame(y, dtype)
        gap = every - neighbours.lower_bounds(a, slice(None), b.other(slice(None)))
        assert gap.min() >= 0
        assert (gap <= 2 * a.error * (a.norms[:, None] + b.norms)).all()


def test_memory_maps_tensors_and_arrays_give_the_same(tmp_path: Path) -> None:
    x = normal(100, 10, 0)
    np.save(tmp_path / "x.npy", x)
    expected = neighbours.radii(x, 2).tolist()
    assert neighbours.radii(np.load(tmp_path / "x.npy", mmap_mode="r"), 2).tolist() == expected
    assert neighbours.radii(torch.from_numpy(x), 2).tolist() == expected


def test_what_cannot_be_searched_is_refused() -> None:
    x = normal(5, 3, 0)
    with pytest.raises(ValueError, match="6 points .* there are 5"):
        neighbours.radii(x, 5)
    with pytest.raises(ValueError, match="query features must be finite"):
        neighbours.nearest(np.full((2, 3), np.nan), x)
    with pytest.raises(ValueError, match=r"point features must be float32 or float64 \(n, d\); they are uint8"):
        neighbours.nearest(x, x.astype(np.uint8))
