"""Fréchet distance between two sets of features, each taken for a Gaussian.

Heusel et al. 2017, "GANs trained by a two time-scale update rule", arXiv 1706.08500, eq. 6; Dowson & Landau 1982:
|m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2)). Everything in float64, covariances with n - 1.
"""
from dataclasses import dataclass

import torch
from torch import Tensor


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


def distance(a: Moments, b: Moments) -> float:
    """The Fréchet distance between two sets of at least two features each; 0 for equal moments.

    The trace of the root of S1 S2 is that of the root of S1^(1/2) S2 S1^(1/2), which is symmetric: two symmetric
    eigendecompositions, exact for singular covariances too. ValueError when features are not finite.
    """
    if min(a.count, b.count) < 2:
        raise ValueError(f"a Fréchet distance needs 2 images on each side; there are {a.count} and {b.count}")
    if not all(part.isfinite().all() for part in (a.mean, a.scatter, b.mean, b.scatter)):
        raise ValueError("a Fréchet distance needs finite features; there are NaN or infinite ones")
    values, vectors = torch.linalg.eigh(a.covariance)
    root = vectors * values.clamp(min=0).sqrt() @ vectors.T
    overlap = torch.linalg.eigvalsh(root @ b.covariance @ root).clamp(min=0).sqrt().sum()
    gap = (a.mean - b.mean).square().sum()
    return max((gap + a.covariance.trace() + b.covariance.trace() - 2 * overlap).item(), 0.0)


def name(count: int, extractor: str = "classifier") -> str:
    """The score's name: whose features, and how many generated images it is made from, like fid_classifier_10k."""
    return f"fid_{extractor}_" + (f"{count // 1000}k" if count % 1000 == 0 else str(count))
