"""Arithmetic with z: planted directions are found, means beat single exemplars, and chance is what it is."""
import numpy as np
import pytest
import torch
from torch import Tensor

from pipeline.errors import InputError, ScoreError
from pipeline.latent import arithmetic

Z_DIM = 100


def planted(concept: Tensor, count: int, noise: float, seed: int) -> Tensor:
    """z (count, z_dim) of a concept, with what else is in them at random."""
    return concept + noise * torch.randn(count, Z_DIM, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def directions() -> tuple[Tensor, Tensor]:
    """Two directions, woman and smile, orthonormal."""
    q, _ = torch.linalg.qr(torch.randn(Z_DIM, 2, generator=torch.Generator().manual_seed(9)))
    return q[:, 0], q[:, 1]


def concepts(directions: tuple[Tensor, Tensor], noise: float, seed: int) -> list[Tensor]:
    """Three smiling women, three neutral women, three neutral men."""
    woman, smile = directions
    kinds = (2 * woman + 2 * smile, 2 * woman - 2 * smile, -2 * woman - 2 * smile)
    return [planted(kind, 3, noise, seed + i) for i, kind in enumerate(kinds)]


def test_smiling_woman_minus_woman_plus_man_is_a_smiling_man(directions: tuple[Tensor, Tensor]) -> None:
    woman, smile = directions
    found = arithmetic.combine(*concepts(directions, 0, 0))
    torch.testing.assert_close(found, -2 * woman + 2 * smile)
    torch.testing.assert_close(arithmetic.singles(*concepts(directions, 0, 0)), found.expand(27, -1))


def test_means_beat_single_exemplars_under_noise_as_three_beat_one(directions: tuple[Tensor, Tensor]) -> None:
    woman, smile = directions
    wanted = -2 * woman + 2 * smile
    errors = np.array([[(arithmetic.combine(*given) - wanted).square().sum(),
                        (arithmetic.singles(*given) - wanted).square().sum(1).mean()]
                       for given in (concepts(directions, 1, 3 * seed) for seed in range(50))])
    assert errors.mean(0) == pytest.approx([Z_DIM, 3 * Z_DIM], rel=0.05)  # variance 3 / k in each direction
    assert (errors[:, 0] < errors[:, 1]).all()


def test_singles_are_all_choices_and_the_paired_ones_are_where_it_says() -> None:
    A, B, C = (torch.arange(3.0)[:, None] * scale for scale in (100, 10, 1))
    found = arithmetic.singles(A, B, C)[:, 0]
    assert sorted(found.tolist()) == sorted(a - b + c for a in (0, 100, 200) for b in (0, 10, 20) for c in (0, 1, 2))
    assert found[:4].tolist() == [0, 1, 2, -10] and found[::3 ** 2 + 3 + 1].tolist() == [0, 91, 182]
    assert len(arithmetic.singles(A, B[:2], C[:1])) == 6


def test_draws_are_of_so_many_exemplars_without_replacement() -> None:
    """Means of k of 40 vary by 3 (1 / k - 1 / 40) in each direction, around the result of all."""
    given = [planted(torch.zeros(Z_DIM), 40, 1, seed) for seed in range(3)]
    generator = torch.Generator().manual_seed(0)
    for k in (1, 3, 20):
        results = arithmetic.drawn(*given, k, 400, generator)
        found = (results - arithmetic.combine(*given)).square().mean().item()
        assert found == pytest.approx(3 * (1 / k - 1 / 40), rel=0.1)
    torch.testing.assert_close(arithmetic.drawn(*given, 40, 2, generator), arithmetic.combine(*given).expand(2, -1))
    with pytest.raises(InputError, match="41 exemplars of each concept are to be drawn; of one there are 40"):
        arithmetic.drawn(*given, 41, 1, generator)


def test_the_centre_is_in_the_middle_of_noise_that_keeps_its_bounds() -> None:
    centre = torch.linspace(-3, 3, 1000)
    z = arithmetic.around(centre, 0.25, torch.Generator().manual_seed(0))
    assert z.shape == (9, 1000) and torch.equal(z[4], centre)
    noise = (z - centre)[[0, 1, 2, 3, 5, 6, 7, 8]]
    assert 0.249 < noise.max() <= 0.25 + 1e-6 and -0.25 - 1e-6 <= noise.min() < -0.249
    assert noise.var().item() == pytest.approx(0.25 ** 2 / 3, rel=0.05) and abs(noise.mean().item()) < 0.005


def test_the_turn_vector_is_the_planted_one(directions: tuple[Tensor, Tensor]) -> None:
    _, pose = directions
    left, right = -pose.expand(4, -1), pose.expand(6, -1)
    torch.testing.assert_close(arithmetic.turn(left, right), 2 * pose)
    noisy = arithmetic.turn(planted(-pose, 2000, 1, 0), planted(pose, 2000, 1, 1))
    assert (noisy - 2 * pose).square().mean() == pytest.approx(2 / 2000, rel=0.5)


def test_a_vector_is_added_in_steps_to_each_z() -> None:
    z, vector = torch.tensor([[1.0, 2], [3, 4]]), torch.tensor([10.0, -20])
    found = arithmetic.turned(z, vector, [-0.5, 0, 1])
    assert found.tolist() == [[[-4, 12], [1, 2], [11, -18]], [[-2, 14], [3, 4], [13, -16]]]


def test_agreement_is_shares_of_results_and_of_chance() -> None:
    found = arithmetic.agreement(np.array([1, 1, 1, 0], bool), np.array([1, 0, 0, 0, 0], bool))
    assert found == arithmetic.Agreement(0.75, 0.2, 4)
    with pytest.raises(ScoreError, match="0 results and 2 random samples"):
        arithmetic.agreement(np.zeros(0, bool), np.zeros(2, bool))
