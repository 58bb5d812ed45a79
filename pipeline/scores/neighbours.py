"""Exact nearest neighbours at the speed of float32 matrix products.

|q - p|^2 = |q|^2 + |p|^2 - 2 q.p is fast by matrix products but loses the digits of small distances. So products of
float32 numbers only give lower bounds, which choose candidates; float64 differences of the features as they came
decide. The bounds follow Higham 2002, "Accuracy and stability of numerical algorithms", sec. 3.1, whatever the order
of summation.
"""
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import DTypeLike
from torch import Tensor, from_numpy

from pipeline.errors import ScoreError

Features = np.ndarray | Tensor

BLOCK = 2_000
SLACK = 8  # candidates beyond k: fewer fail to prove themselves more often, more cost time
PAIR_NUMBERS = 1 << 17  # float64 numbers at a time, about a core's cache


@dataclass
class Scaled:
    """A set of n points, shifted and scaled so that norms are at most about 1.

    `values` (n, d + 2) are the points, their squared norms lowered by what may be wrong, and 1; `norms` (n,) are the
    squared norms in float64.
    """
    values: np.ndarray
    norms: np.ndarray

    @property
    def error(self) -> float:
        """How wrong a squared distance may be, relative to the sum of the two squared norms."""
        return _error(self.values.shape[1] - 2, self.values.dtype)

    def other(self, rows: slice) -> np.ndarray:
        """(rows, d + 2): what the other side of a product is, so that it gives lower bounds of squared distances."""
        points, norms, ones = np.split(self.values[rows], [-2, -1], axis=1)
        return np.concatenate([-2 * points, ones, norms], axis=1)


@dataclass
class Frame:
    """The shift (d,) and the power of two that bring sets near the origin: cancellation is least there."""
    shift: np.ndarray
    scale: float

    def __call__(self, x: np.ndarray, dtype: DTypeLike = np.float32) -> Scaled:
        """The set in this frame, in dtype."""
        values, norms = np.ones((len(x), x.shape[1] + 2), dtype), np.empty(len(x))
        for part in blocks(len(x)):
            centred = (x[part] - self.shift) * self.scale
            values[part, :-2], norms[part] = centred, np.vecdot(centred, centred)
        # Half of the last term outweighs what underflow can lose.
        values[:, -2] = norms * (1 - _error(x.shape[1], values.dtype)) - 2.0 ** -101
        return Scaled(values, norms)


def _error(d: int, dtype: np.dtype) -> float:
    """Of d + 2 roundings in the product, whose terms add up to twice the squared norms, and of fewer than 16 in
    converting, centring and norms; 1.01 for what these do together; and of the float64 distance that it is compared to.
    """
    return 2.02 * (d + 18) * (np.finfo(dtype).eps / 2 + np.finfo(np.float64).eps)


def array(x: Features, name: str) -> np.ndarray:
    """The features as a float32 or float64 array (n, d); ValueError when they are not,
    ScoreError when they are not finite, with `name`."""
    x = x.numpy(force=True) if isinstance(x, Tensor) else np.asarray(x)
    if x.ndim != 2 or x.dtype not in (np.float32, np.float64):
        raise ValueError(f"{name} features must be float32 or float64 (n, d); they are {x.dtype} {x.shape}")
    if not all(np.isfinite(x[part]).all() for part in blocks(len(x))):
        raise ScoreError(f"{name} features must be finite; there are NaN or infinite ones")
    return x


def frame(*sets: np.ndarray) -> Frame:
    """A frame around the mean of the last set in which no point of `sets` has a norm above about 1."""
    shift = sets[-1].mean(0, dtype=np.float64)
    largest = max((np.abs(x[part] - shift).max(initial=0) for x in sets for part in blocks(len(x))), default=0)
    return Frame(shift, 2.0 ** -np.ceil(np.log2(largest * len(shift) ** 0.5)) if largest > 0 else 1.0)


def blocks(n: int, size: int = BLOCK) -> Iterator[slice]:
    """0..n in slices of at most `size`."""
    return (slice(i, min(i + size, n)) for i in range(0, n, size))


def lower_bounds(a: Scaled, i: slice, other: np.ndarray) -> np.ndarray:
    """Numbers (i, j) not above the squared distances in the frame, and at most 2 * error * (norm + norm) below.

    `other` (j, d + 2) is from the other set in the same frame. One product, because passes over so many numbers cost
    as much as it does at 128 dimensions.
    """
    return a.values[i] @ other.T


def squared(a: np.ndarray, b: np.ndarray, i: np.ndarray, j: np.ndarray) -> np.ndarray:
    """Squared distances (m,) between a[i] and b[j], from float64 differences: 0 for equal points.

    A pair has the same bits in whatever company and order it comes, so that ties compare equal.
    """
    result = np.empty(len(i))
    for part in blocks(len(i), max(PAIR_NUMBERS // a.shape[1], 1)):
        gap = np.subtract(a[i[part]], b[j[part]], dtype=np.float64)
        result[part] = np.vecdot(gap, gap)
    return result


def nearest(queries: Features, points: Features, k: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Euclidean distances float64 (n, k), ascending, to the k nearest points of each query, and these points' indices.

    Equally near points come in any order. ScoreError with fewer than k points, or features not finite.
    """
    q, p = array(queries, "query"), array(points, "point")
    result, index = _search(q, p, k, mirrored=False)
    return np.sqrt(result), index


def radii(points: Features, k: int) -> np.ndarray:
    """float64 (n,): the distance of each point to its k-th nearest other point; ScoreError with fewer than k + 1."""
    return np.sqrt(squared_radii(array(points, "point"), k))


def squared_radii(points: np.ndarray, k: int) -> np.ndarray:
    """The squares of `radii`, with the bits that `squared` gives the same pairs."""
    # A point is at distance 0 from itself: its k-th nearest other is the k + 1st of all.
    return _search(points, points, k + 1, mirrored=True)[0][:, k]


def _search(q: np.ndarray, p: np.ndarray, k: int, mirrored: bool) -> tuple[np.ndarray, np.ndarray]:
    """Squared distances (n, k) and indices (n, k); `mirrored`: q is p, and half of the products will do."""
    if not 0 < k <= len(p):
        raise ScoreError(f"expected at least {k} points for {k} nearest neighbours; there are {len(p)}")
    bounds, index, factor = _candidates(q, p, min(k + SLACK, len(p)), mirrored)
    n, kept = index.shape
    rows = np.arange(n)
    exact = np.full(index.shape, np.inf)
    exact[:, :k] = squared(q, p, rows.repeat(k), index[:, :k].ravel()).reshape(n, k)
    i, j = np.nonzero(bounds[:, k:] <= exact[:, :k].max(1, keepdims=True) * factor)
    exact[i, j + k] = squared(q, p, i, index[i, j + k])
    order = exact.argsort(1, kind="stable")[:, :k]
    exact, index = np.take_along_axis(exact, order, 1), np.take_along_axis(index, order, 1)
    # A point that is no candidate is no nearer than the last candidate's bound. Rows where it may still be nearer than
    # the k-th, as in a tight cluster, are searched again with finer bounds.
    open_rows = rows[(exact[:, -1] * factor > bounds[:, -1]) & (exact[:, -1] > 0)] if kept < len(p) else rows[:0]
    if len(open_rows):
        exact[open_rows], index[open_rows] = _thorough(q, p, k, open_rows)
    return exact, index


def _candidates(q: np.ndarray, p: np.ndarray, keep: int, mirrored: bool) -> tuple[np.ndarray, np.ndarray, float]:
    """The `keep` points with the lowest bounds (n, keep), ascending, their indices, and the square of the scale."""
    to_frame = frame(q, p)
    b = to_frame(p)
    a = b if mirrored else to_frame(q)
    bounds, index = np.full((len(q), keep), np.inf, np.float32), np.zeros((len(q), keep), np.int64)
    for j in blocks(len(p)):
        other = b.other(j)
        for i in blocks(len(q)):
            if mirrored and i.start > j.start:
                continue
            found = lower_bounds(a, i, other)
            _keep(bounds[i], index[i], found, j.start)
            if mirrored and i != j:
                _keep(bounds[j], index[j], found.T, i.start)
    return bounds, index, to_frame.scale ** 2


def _keep(bounds: np.ndarray, index: np.ndarray, found: np.ndarray, start: int) -> None:
    """Merges the lowest of `found`, whose columns are points from `start` on, into bounds and index."""
    keep = bounds.shape[1]
    lowest, columns = from_numpy(found).topk(min(keep, found.shape[1]), dim=1, largest=False)
    low, which = np.hstack([bounds, lowest.numpy()]), np.hstack([index, columns.numpy() + start])
    order = low.argsort(1, kind="stable")[:, :keep]
    bounds[:], index[:] = np.take_along_axis(low, order, 1), np.take_along_axis(which, order, 1)


def _thorough(q: np.ndarray, p: np.ndarray, k: int, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Squared distances and indices (rows, k) with bounds from float64 products, and every point that they allow."""
    to_frame = frame(q[rows], p)
    a, b = to_frame(q[rows], np.float64), to_frame(p, np.float64)
    exact, index = np.empty((len(rows), k)), np.empty((len(rows), k), np.int64)
    other = b.other(slice(0, len(p)))
    for part in blocks(len(rows), 200):
        bounds = lower_bounds(a, part, other)
        first = np.argpartition(bounds, k - 1, axis=1)[:, :k]
        known = squared(q, p, rows[part].repeat(k), first.ravel()).reshape(-1, k)
        for row, (bound, limit) in enumerate(zip(bounds, known.max(1)), part.start):
            near = np.nonzero(bound <= limit * to_frame.scale ** 2)[0] if limit > 0 else first[row - part.start]
            found = squared(q, p, np.full(len(near), rows[row]), near)
            order = found.argsort(kind="stable")[:k]
            exact[row], index[row] = found[order], near[order]
    return exact, index
