"""Fréchet distance between two sets of features, each taken for a Gaussian.

Heusel et al. 2017, "GANs trained by a two time-scale update rule", arXiv 1706.08500, eq. 6; Dowson & Landau 1982:
|m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2)). Everything in float64, covariances with n - 1.
"""
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from scipy.linalg import lapack, svdvals
from torch import Tensor

from pipeline.errors import ScoreError

WELL_CONDITIONED = 1e-8  # smallest by largest squared singular value


@dataclass
class Moments:
    """Count, mean (d,) and scatter (d, d), the sum of outer products around the mean, of all features seen so far.

    Batches are merged by the parallel form of Chan, Golub & LeVeque (1979): constant memory, no cancellation.
    """
    count: int
    mean: Tensor
    scatter: Tensor

    @property
    def covariance(self) -> Tensor:
        """(d, d), unbiased."""
        return self.scatter / (self.count - 1)

    @cached_property
    def factor(self) -> np.ndarray:
        """A (d, rank) whose A A^T is the covariance; kept, because real moments are compared many times."""
        return _factor(self.covariance.numpy())

    def __add__(self, other: "Moments") -> "Moments":
        count = self.count + other.count
        gap = other.mean - self.mean
        return Moments(count, self.mean + gap * (other.count / count),
                       self.scatter + other.scatter + torch.outer(gap, gap) * (self.count * other.count / count))


def moments(features: Tensor) -> Moments:
    """The moments of one batch of features (n, d)."""
    x = features.double()
    mean = x.mean(0)
    centred = x - mean
    return Moments(len(x), mean, centred.T @ centred)


def stream(parts: Iterable[Tensor]) -> Moments:
    """The moments of features that come in parts (n, d), in constant memory; float64.

    How they are cut and ordered changes no more than rounding. ScoreError when there are none.
    """
    merged: Moments | None = None
    for part in parts:
        if len(part):
            merged = moments(part) if merged is None else merged + moments(part)
    if merged is None:
        raise ScoreError("moments need features; there are none")
    return merged


def distance(a: Moments, b: Moments) -> float:
    """The Fréchet distance, at least 0, between two sets of at least two features each; 0 for equal moments.

    With S1 = A A^T and S2 = B B^T the trace of the root of S1 S2 is the sum of the singular values of A^T B. Singular
    covariances have narrow A and B, so that rounded zeros, whose roots would be 1e-8, never come in: the error is
    about 1e-12 of the traces. ScoreError when features are not finite.
    """
    if min(a.count, b.count) < 2:
        raise ScoreError(f"a Fréchet distance needs 2 images on each side; there are {a.count} and {b.count}")
    for side, seen in (("first", a), ("second", b)):
        if not (seen.mean.isfinite().all() and seen.scatter.isfinite().all()):
            raise ScoreError("a Fréchet distance needs finite features; there are NaN or infinite ones among the "
                             f"{seen.count} of the {side} side")
    overlap = _singular_values(a.factor.T @ b.factor).sum()
    gap = (a.mean - b.mean).square().sum().item()
    return max(float(gap + a.covariance.trace().item() + b.covariance.trace().item() - 2 * overlap), 0.0)


def _factor(covariance: np.ndarray) -> np.ndarray:
    """A (d, rank) whose A A^T is the covariance (d, d): a Cholesky decomposition with complete pivoting.

    It ends at pivots of d times float64's precision. Features have variance 1 meanwhile, so that one on a small scale
    is not taken for rounding.
    """
    deviations = np.sqrt(covariance.diagonal())
    scale = np.where(deviations > 0, deviations, 1)
    lower, pivots, rank, _ = lapack.dpstrf(covariance / np.outer(scale, scale), lower=1)
    factor = np.zeros((len(scale), rank))
    factor[pivots - 1] = np.tril(lower)[:, :rank]
    return factor * scale[:, None]


def _singular_values(product: np.ndarray) -> np.ndarray:
    if min(product.shape) == 0:
        return np.zeros(0)
    if product.shape[0] < product.shape[1]:
        product = product.T
    squares = np.linalg.eigvalsh(product.T @ product)
    # Three times as fast; an eigenvalue's error is 1e-16 of the largest, so its root is good unless it is tiny.
    return np.sqrt(squares) if squares[0] > WELL_CONDITIONED * squares[-1] else svdvals(product)


def at_infinity(features: Tensor, real: Moments, rng: np.random.Generator, points: int = 15) -> float:
    """The distance of infinitely many generated images from `real`, extrapolated from the features (n, d) of n.

    Chong & Forsyth 2020, "Effectively unbiased FID and Inception Score", arXiv 1911.07023: the distance is
    about linear in 1/N. Distances of random subsets of `points` equally spaced sizes N, a line fitted over 1/N, its
    value at 0. Departures: sizes start at a tenth of n but, where half of n allows, not below 2 d, under which the
    covariance lacks too many directions for a line; z are not quasi-random. The bias of `real` stays, as in the paper.
    Not clipped at 0, so that it stays unbiased: an excellent generator's may be below. ScoreError with fewer than 3
    images or 2 points.
    """
    n, d = features.shape
    sizes = np.unique(np.linspace(max(n // 10, min(2 * d, n // 2), 2), n, points).round().astype(int))
    if n < 3 or len(sizes) < 2:
        raise ScoreError(f"a distance at infinity needs 3 images and 2 points; there are {n} and {points}")
    distances = [distance(moments(features[rng.choice(n, size, replace=False)]), real) for size in sizes]
    return float(np.polynomial.polynomial.polyfit(1 / sizes, distances, 1)[0])


def name(count: int, extractor: str = "classifier", score: str = "fid") -> str:
    """The score's name: whose features, and how many generated images it is made from, like fid_classifier_10k."""
    return f"{score}_{extractor}_" + (f"{count // 1000}k" if count % 1000 == 0 else str(count))
