"""Kernel distance between two sets of features, without a bias that depends on how many there are.

Bińkowski et al. 2018, "Demystifying MMD GANs", arXiv 1801.01401: KID, the unbiased estimate.
Everything in float64; features of any size, not just Inception's.
"""
import numpy as np

from pipeline.errors import ScoreError
from pipeline.scores.neighbours import Features, array


def mmd2(x: Features, y: Features) -> float:
    """Unbiased squared maximum mean discrepancy of x (n, d) and y (m, d), kernel (x.y / d + 1)^3; may be negative.

    ScoreError when a side has fewer than two features, or some are not finite.
    """
    return _mmd2(_checked(x, "first"), _checked(y, "second"))


def kid(real: Features, fake: Features, rng: np.random.Generator, subsets: int = 100,
        size: int = 1000) -> tuple[float, float, int]:
    """The mean of mmd2 over `subsets` pairs of random subsets of real (n, d) and fake (m, d), its spread, and their
    size.

    Subsets have min(size, n, m) features, none twice. The spread is the standard deviation over the subsets (divided
    by their number): that of one estimate, not of the mean. ScoreError as in mmd2, or for a size below 2.
    """
    sets = _checked(real, "real"), _checked(fake, "fake")
    size = min(size, *map(len, sets))
    if size < 2:
        raise ScoreError(f"subsets for a kernel distance need 2 images; they have {size}")
    values = [_mmd2(*(x[rng.choice(len(x), size, replace=False)] for x in sets)) for _ in range(subsets)]
    return float(np.mean(values)), float(np.std(values)), size


def _checked(features: Features, side: str) -> np.ndarray:
    x = array(features, side)
    if len(x) < 2:
        raise ScoreError(f"a kernel distance needs 2 images on each side; there are {len(x)} {side} ones")
    return x


def _mmd2(x: np.ndarray, y: np.ndarray) -> float:
    x, y = x.astype(np.float64), y.astype(np.float64)
    return _mean_of_others(x) + _mean_of_others(y) - 2 * float(_kernel(x, y).mean())


def _mean_of_others(x: np.ndarray) -> float:
    kernel = _kernel(x, x)
    return float(kernel.sum() - kernel.trace()) / (len(x) * (len(x) - 1))


def _kernel(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    root = x @ y.T / x.shape[1] + 1
    return root * root * root  # numpy's power takes a logarithm
