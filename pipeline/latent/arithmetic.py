"""Arithmetic with z: A - B + C from means of exemplars, and a vector that turns what is drawn.

Radford, Metz & Chintala 2016, arXiv 1511.06434, sec. 6.3.2, fig. 7 and 8: z of three exemplars for each concept are
averaged, since single ones gave unstable results; the result is shown amid eight neighbours with uniform noise of
+-0.25. One reason is the norm: with k exemplars from a prior of variance v, A - B + C has variance 3 v / k in each
direction, that of the prior for three and thrice as much for one. A turn vector is the difference of two groups' means,
four z each in the paper, added in steps to any z.
"""
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from pipeline.errors import InputError, ScoreError

SIDE = 3  # rows and columns of the picture around a result
CENTRE = SIDE * SIDE // 2


@dataclass(frozen=True)
class Agreement:
    """The `share` of `count` images in which something was seen, and the share that shows it by `chance`; 0..1."""
    share: float
    chance: float
    count: int

    @property
    def gain(self) -> float:
        """How much the share exceeds that by chance, -1..1."""
        return self.share - self.chance


def combine(A: Tensor, B: Tensor, C: Tensor) -> Tensor:
    """mean(A) - mean(B) + mean(C), (z_dim,), of exemplars (k, z_dim) each."""
    return A.mean(0) - B.mean(0) + C.mean(0)


def singles(A: Tensor, B: Tensor, C: Tensor) -> Tensor:
    """a - b + c for every choice of one exemplar each, (len(A) * len(B) * len(C), z_dim): the unstable contrast.

    C's index changes first, A's last; of k exemplars each, every k^2 + k + 1st row is of those with the same index.
    """
    return (A[:, None, None] - B[None, :, None] + C).flatten(0, 2)


def drawn(A: Tensor, B: Tensor, C: Tensor, k: int, times: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """`combine` of k exemplars of each, drawn without replacement, so many times anew: (times, z_dim); and controls.

    A picture of neighbours is one trial; these are many, of means or, with k = 1, of single exemplars. The controls,
    (times, z_dim), are paired with them: the same exemplars of B and C, and others of B in place of A's. They have the
    same norm, without what A has: attributes like ink grow with the norm of z alone. InputError when one of A, B and C
    has fewer than k.
    """
    if (fewest := min(map(len, (A, B, C)))) < k:
        raise InputError(f"{k} exemplars of each concept are to be drawn; of one there are {fewest}")

    def some(group: Tensor) -> Tensor:
        return group[torch.randperm(len(group), generator=generator, device=generator.device)[:k].to(group.device)]

    found = [(some(A), some(B), some(C), some(B)) for _ in range(times)]
    return (torch.stack([combine(a, b, c) for a, b, c, _ in found]),
            torch.stack([combine(other, b, c) for _, b, c, other in found]))


def around(centre: Tensor, spread: float, generator: torch.Generator) -> Tensor:
    """z (9, z_dim) for a picture of 3 x 3, row by row: `centre` (z_dim,) in the middle, at CENTRE, and 8 neighbours.

    They have uniform noise in -spread..spread added to each number, from `generator`; the paper's spread is 0.25.
    """
    noise = torch.rand(SIDE * SIDE, len(centre), generator=generator, device=generator.device) * 2 - 1
    noise[CENTRE] = 0
    return centre + spread * noise.to(centre)


def turn(start: Tensor, end: Tensor) -> Tensor:
    """The vector (z_dim,) from the mean of a group of z (k, z_dim) to that of another (m, z_dim)."""
    return end.mean(0) - start.mean(0)


def turned(z: Tensor, vector: Tensor, amounts: Sequence[float]) -> Tensor:
    """z (n, z_dim) with so many times the vector (z_dim,) added, one after the other: (n, len(amounts), z_dim)."""
    return z[:, None] + torch.tensor(amounts).to(z)[:, None] * vector


def agreement(seen: np.ndarray, by_chance: np.ndarray) -> Agreement:
    """How often something is `seen`, bool (n,), in the results, and in other images, bool (m,), as random samples.

    ScoreError when either is empty.
    """
    if not len(seen) or not len(by_chance):
        raise ScoreError(f"{len(seen)} results and {len(by_chance)} random samples; expected at least 1 of each")
    return Agreement(float(np.mean(seen)), float(np.mean(by_chance)), len(seen))
