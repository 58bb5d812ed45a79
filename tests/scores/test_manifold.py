"""Precision, recall, density and coverage: brute force, directions, ties, degenerate sets, and what is refused."""
import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist

from pipeline.scores import manifold, neighbours


def normal(n: int, d: int, seed: int, scale: float = 1) -> np.ndarray:
    return (np.random.default_rng(seed).normal(size=(n, d)) * scale).astype(np.float32)


def brute_force(real: np.ndarray, fake: np.ndarray, k: int) -> dict[str, float]:
    def ball(x: np.ndarray) -> np.ndarray:
        every = cdist(x, x, "sqeuclidean")
        np.fill_diagonal(every, np.inf)
        return np.sort(every, axis=1)[:, k - 1]

    real, fake = real.astype(float), fake.astype(float)
    across = cdist(real, fake, "sqeuclidean")
    in_real, in_fake = across < ball(real)[:, None], across < ball(fake)[None]
    return {"precision": np.mean([column.any() for column in in_real.T]),
            "recall": np.mean([row.any() for row in in_fake]),
            "density": in_real.sum() / (k * len(fake)), "coverage": np.mean([row.any() for row in in_real])}


@pytest.mark.parametrize(("n", "m", "d", "k"), [(300, 200, 4, 3), (50, 400, 100, 1), (2300, 2100, 6, 5), (6, 6, 2, 5)])
def test_it_is_what_brute_force_counts(n: int, m: int, d: int, k: int) -> None:
    real, fake = normal(n, d, 0), normal(m, d, 1) * np.linspace(0.2, 1.5, d, dtype=np.float32)
    assert manifold.scores(real, fake, k) == pytest.approx(brute_force(real, fake, k), abs=1e-12)
    assert manifold.scores(torch.from_numpy(real), torch.from_numpy(fake), k) == manifold.scores(real, fake, k)


def test_by_hand_on_a_line() -> None:
    """Real radii are 1, 1, 4, fake ones 2, 2, 37.5: 2.5 is in the third real ball, 0.5 in two, 40 in none."""
    real, fake = np.array([[0.0], [1], [5]]), np.array([[0.5], [2.5], [40]])
    assert manifold.scores(real, fake, 1) == {
        "precision": pytest.approx(2 / 3), "recall": 1, "density": pytest.approx(1), "coverage": 1}
    assert manifold.scores(fake, real, 1) == {
        "precision": 1, "recall": pytest.approx(2 / 3), "density": pytest.approx(4 / 3), "coverage": 1}


def test_swapping_the_sides_swaps_precision_and_recall() -> None:
    real, fake = normal(400, 5, 0), normal(300, 5, 1, 2)
    there, back = manifold.scores(real, fake, 3), manifold.scores(fake, real, 3)
    assert (there["precision"], there["recall"]) == (back["recall"], back["precision"])
    assert there["recall"] - there["precision"] > 0.2


def test_a_collapsed_generator_is_precise_and_recalls_nothing() -> None:
    real = normal(1000, 8, 0)
    fake = real[:5].repeat(200, axis=0) * np.float32(0.5) + normal(1000, 8, 1, 1e-3)
    found = manifold.scores(real, fake, 5)
    assert found["precision"] > 0.95 and found["recall"] < 0.01 and found["coverage"] < 0.2
    assert found == pytest.approx(brute_force(real, fake, 5), abs=1e-12)


def test_a_generator_of_more_than_the_data_recalls_all_and_is_less_precise() -> None:
    found = manifold.scores(normal(1000, 4, 0), normal(1000, 4, 1, 2.5), 5)
    assert found["recall"] > 0.95 and found["precision"] < 0.6


def test_noise_far_away_has_nothing() -> None:
    found = manifold.scores(normal(300, 4, 0), normal(300, 4, 1) + 100, 5)
    assert found == {"precision": 0, "recall": 0, "density": 0, "coverage": 0}


def test_the_same_distribution_has_density_and_coverage_near_what_theory_says() -> None:
    """Naeem et al.: density 1 in expectation; coverage 1 - (n - 1)...(n - k) / ((2n - 1)...(2n - k))."""
    n, k = 2000, 5
    found = manifold.scores(normal(n, 8, 0), normal(n, 8, 1), k)
    expected = 1 - np.prod([(n - i) / (2 * n - i) for i in range(1, k + 1)])
    assert found["density"] == pytest.approx(1, abs=0.06)
    assert found["coverage"] == pytest.approx(expected, abs=0.02)


def test_borders_do_not_count_though_float32_cannot_see_them() -> None:
    """In two equal sets the k-th neighbour's twin is on the border: each ball holds k points, the centre first."""
    x = normal(600, 300, 0) + np.float32(7)
    assert manifold.scores(x, x.copy(), 4) == {"precision": 1, "recall": 1, "density": 1, "coverage": 1}


def test_a_cluster_that_float32_cannot_resolve_is_counted_right() -> None:
    rng = np.random.default_rng(0)
    real, fake = (np.vstack([rng.normal(size=(300, 16)) * 1e-5, rng.normal(size=(50, 16)) + 1e3]) for _ in range(2))
    assert manifold.FEW < 300 ** 2
    assert manifold.scores(real, fake, 3) == pytest.approx(brute_force(real, fake, 3), abs=1e-12)


def test_balls_of_identical_points_are_empty() -> None:
    same = np.full((50, 6), 0.3, np.float32)
    assert manifold.scores(same, same, 3) == {"precision": 0, "recall": 0, "density": 0, "coverage": 0}
    found = manifold.scores(normal(500, 6, 0), same, 3)
    assert found["precision"] == 1 and found["recall"] == 0


def test_precision_of_few_blocks_is_that_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    real, fake = normal(300, 5, 0), normal(250, 5, 1)
    whole = manifold.scores(real, fake, 3)
    monkeypatch.setattr(neighbours.blocks, "__defaults__", (70,))
    assert manifold.scores(real, fake, 3) == whole


def test_what_cannot_be_scored_is_refused_by_side() -> None:
    x, bad = normal(10, 3, 0), normal(10, 3, 0)
    bad[3, 2] = np.nan
    with pytest.raises(ValueError, match="need 6 fake images; there are 5"):
        manifold.scores(x, x[:5], 5)
    with pytest.raises(ValueError, match="need 6 real images; there are 3"):
        manifold.scores(x[:3], x, 5)
    with pytest.raises(ValueError, match="real features must be finite"):
        manifold.scores(bad, x, 5)
