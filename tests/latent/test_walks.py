"""Walks: arcs and lines in closed form, loops, and smoothness of generators whose smoothness is known."""
import math

import numpy as np
import pytest
import torch
from torch import Tensor

from pipeline.errors import InputError, ScoreError
from pipeline.latent import walks


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def at(*t: float) -> Tensor:
    return torch.tensor(t, dtype=torch.float64)[:, None]


def test_an_arc_keeps_the_norm_and_its_angles_are_even() -> None:
    a, b = (3 * x / x.norm() for x in normal(2, 100))
    z = walks.slerp(a.expand(5, -1), b.expand(5, -1), at(0, 0.25, 0.5, 0.75, 1))
    torch.testing.assert_close(z.norm(dim=1), torch.full((5,), 3.0))
    torch.testing.assert_close(z[[0, 4]], torch.stack([a, b]))
    steps = (z[1:] * z[:-1]).sum(1) / 9
    torch.testing.assert_close(steps.acos() * 4, (a @ b / 9).acos().expand(4), rtol=1e-4, atol=0)


def test_a_third_of_a_right_angle_is_thirty_degrees() -> None:
    z = walks.slerp(torch.tensor([[2.0, 0.0]]), torch.tensor([[0.0, 1.0]]), at(1 / 3))
    torch.testing.assert_close(z, torch.tensor([[2 * math.cos(math.pi / 6), math.sin(math.pi / 6)]]))


@pytest.mark.parametrize(("a", "b"), [([1.0, 2], [3.0, 6]), ([1.0, 2], [1.0, 2]), ([0.0, 0], [4.0, 4]),
                                      ([4.0, 4], [0.0, 0]), ([1.0, 0], [1.0, 1e-9])])
def test_between_parallel_vectors_an_arc_is_a_line(a: list[float], b: list[float]) -> None:
    ends = torch.tensor([a], dtype=torch.float64), torch.tensor([b], dtype=torch.float64)
    torch.testing.assert_close(walks.slerp(*ends, at(0.3)), 0.7 * ends[0] + 0.3 * ends[1])


def test_there_is_no_arc_to_the_opposite() -> None:
    a = normal(2, 10)
    with pytest.raises(InputError, match="no arc is the shortest"):
        walks.slerp(a, torch.stack([a[0], -2 * a[1]]), at(0.5, 0.5))


@pytest.mark.parametrize("spherical", [True, False])
def test_an_open_walk_ends_at_its_last_point_and_a_closed_one_before_its_first(spherical: bool) -> None:
    points = normal(4, 20)
    opened, closed = (walks.path(points, 5, spherical, closed) for closed in (False, True))
    assert len(opened) == 16 and len(closed) == 20
    torch.testing.assert_close(opened[::5], points)
    torch.testing.assert_close(closed[::5], points)
    torch.testing.assert_close(closed[:16], opened)
    between = walks.slerp if spherical else walks.linear
    torch.testing.assert_close(closed[19:], between(points[3:], points[:1], at(0.8)))
    assert not torch.allclose(*(walks.path(points, 5, way, False)[2] for way in (True, False)))


@pytest.mark.parametrize(("points", "steps"), [(1, 5), (3, 0)])
def test_a_walk_needs_two_points_and_a_step(points: int, steps: int) -> None:
    with pytest.raises(InputError, match=f"a walk of {steps} steps between each two of {points} points"):
        walks.path(normal(points, 2), steps, False, False)


def test_the_path_length_of_a_linear_generator_is_that_of_its_ends() -> None:
    starts, ends, W = normal(50, 8).double(), normal(50, 8, seed=1).double(), normal(8, 30, seed=2).double()
    found = walks.path_length(lambda z: z @ W, starts, ends, None, False, 1e-4, torch.Generator().manual_seed(0))
    assert found == pytest.approx(((ends - starts) @ W).square().sum(1).mean().item(), rel=1e-8)
    in_float32 = walks.path_length(lambda z: z @ W.float(), starts.float(), ends.float(), None, False, 1e-4,
                                   torch.Generator().manual_seed(0))
    assert in_float32 == pytest.approx(found, rel=1e-3)


def test_the_path_length_of_arcs_is_the_square_of_radius_and_angle() -> None:
    starts, ends = torch.tensor([[2.0, 0, 0]]).double(), torch.tensor([[0.0, 0, 2]]).double()
    found = walks.path_length(lambda z: 3 * z, starts, ends, None, True, 1e-4, torch.Generator().manual_seed(0))
    assert found == pytest.approx((3 * 2 * math.pi / 2) ** 2, rel=1e-6)


def test_the_path_length_is_measured_all_along_and_with_the_labels() -> None:
    """f = z^2 has the speed 2t between 0 and 1; the mean of its square is 4/3. Labels scale it."""
    starts, ends = torch.zeros(20_000, 1).double(), torch.ones(20_000, 1).double()
    y = torch.tensor([[0.0, 3.0]]).expand(20_000, 2)
    found = walks.path_length(lambda rows: rows[:, :1] ** 2 * rows[:, 2:], starts, ends, y, False, 1e-4,
                              torch.Generator().manual_seed(0))
    assert found == pytest.approx(9 * 4 / 3, rel=0.03)


def test_a_path_length_that_is_not_finite_is_no_score() -> None:
    with pytest.raises(ScoreError, match="the path length of 3 pairs is nan"):
        walks.path_length(lambda z: z * math.nan, normal(3, 2), normal(3, 2), None, False, 1e-4, torch.Generator())


def test_even_walks_have_a_ratio_of_one_and_jumps_a_ratio_that_grows() -> None:
    ends = torch.tensor([[0.0, 0], [1.0, 2]])
    for steps in (10, 100):
        z = walks.path(ends, steps, False, False)
        assert walks.largest_step(z @ normal(2, 7), False) == pytest.approx(1, abs=1e-4)
        assert walks.largest_step((z[:, :1] > 0.52).float(), False) == pytest.approx(steps)  # one of two memories
        assert walks.largest_step(z[:, :1] ** 2, False) == pytest.approx(2 - 1 / steps, rel=1e-4)  # speed 2t, mean 1


def test_a_closed_walk_steps_back_to_its_start() -> None:
    corner = np.array([[0.0, 0], [1, 0], [1, 1]])
    assert walks.largest_step(corner, False) == 1
    assert walks.largest_step(corner, True) == pytest.approx(math.sqrt(2) / ((2 + math.sqrt(2)) / 3))


@pytest.mark.parametrize("features", [np.ones((4, 3)), np.array([[0.0], [np.nan]]), np.ones((1, 3))])
def test_a_walk_that_does_not_move_has_no_ratio(features: np.ndarray) -> None:
    with pytest.raises(ScoreError, match="do not move, or not to finite places"):
        walks.largest_step(features, False)
