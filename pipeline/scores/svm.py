"""One-against-rest linear L2-SVMs, for features of which many do not fit into memory.

Each class minimises |w|^2 / 2 + C * sum(max(0, 1 - y * (x w + b))^2), the bias b inside |w|^2: liblinear's default
problem (Fan et al. 2008, JMLR 9, 1871-1874). The method is its, too: truncated Newton (Lin, Weng & Keerthi 2008, JMLR
9, 627-650), here for all classes at once, so that a pass over the features serves them all, with four additions:

- conjugate gradients are preconditioned by the Hessian that some of the examples have (raw features are so unevenly
  scaled that they take ten times as many passes without);
- the step's length is exact, because all margins along it are known without another pass;
- the Hessian knows only the examples inside the margin, which under a large C are few, and other ones for each class:
  a class with few of them solves for its step on a copy of those, preconditioned by some of its own;
- the first steps, which find out what examples these are, are taken on a quarter of the examples, and theirs likewise.

Arrays are float32; sums that are compared, and what is factorised, are float64. NumPy's BLAS is twice to ten times as
fast as PyTorch's with the narrow matrices here.
"""
from collections.abc import Callable
from functools import reduce

import numpy as np
from scipy.linalg import cho_factor, cho_solve, cholesky, solve_triangular
from threadpoolctl import threadpool_limits

from pipeline.errors import ScoreError

TOLERANCE = 5e-3  # the last of Newton's steps lowers the objective by less; about a tenth of that is left
MAX_STEPS = 30  # only features that separate the classes, under a large C, need as many
MAX_GRADIENTS, FORCING = 40, 0.3  # conjugate gradients in one step, and their precision
ROWS, OWN_ROWS = 1024, 512  # examples behind all classes' preconditioner, and behind that of one class
FEW, EVERY = 2048, 4  # examples solved by their Gram matrix if they have more features; of more, the one solved before
BLOCK = 1 << 24  # numbers of the features in memory at a time
TYPICALLY_ACTIVE = 0.2  # the share of examples inside the margin, for the preconditioner of classes with many there
OWN_SHARE, OWN_NUMBERS = 0.3, 1 << 25  # of the examples, and of their features, that a class has a copy of at most
Solve = Callable[[np.ndarray], np.ndarray]


def fit(x: np.ndarray, labels: np.ndarray, classes: int, C: float, start: np.ndarray | None = None) -> np.ndarray:
    """Weights float32 (d + 1, classes) for features x float32 (n, d), in memory or mapped; the last row is the bias.

    labels (n,) are 0..classes-1. `start`, the weights of a similar problem, saves steps; without, that is the same
    with a part of the examples. ScoreError when features are not finite.
    """
    y = np.where(labels[:, None] == np.arange(classes), np.float32(1), np.float32(-1))
    if len(x) <= min(FEW, x.shape[1]):
        return _fit_few(x, y, C)
    if start is None and len(x) > FEW:
        start = fit(x[::EVERY], labels[::EVERY], classes, C)
    return _newton(Rows(x, True), y, C, start)


def accuracy(w: np.ndarray, x: np.ndarray, labels: np.ndarray) -> float:
    """Share of features x (n, d) whose highest value under weights w (d + 1, classes) is that of their label."""
    return (Rows(x, True).outputs(w).argmax(1) == labels).mean().item()


class Rows:
    """Features x (n, d), with a column of ones after them if there is a `bias`, read in blocks of rows."""

    def __init__(self, x: np.ndarray, bias: bool):
        self.x, self.bias = x, bias
        self.shape = len(x), x.shape[1] + bias
        step = max(1, BLOCK // x.shape[1])
        self.parts = [slice(begin, begin + step) for begin in range(0, len(x), step)]

    def outputs(self, w: np.ndarray) -> np.ndarray:
        """x w: (n, k) of weights (d, k)."""
        return np.concatenate([self._outputs(part, w) for part in self.parts])

    def gradient(self, of: Callable[[slice], np.ndarray]) -> np.ndarray:
        """x' r (d, k), of the rows r (., k) that `of` says there are in a part."""
        def one(part: slice) -> np.ndarray:
            r = of(part)
            sums = self.x[part].T @ r
            return np.concatenate([sums, r.sum(0, keepdims=True)]) if self.bias else sums

        return reduce(np.add, map(one, self.parts))

    def curvature(self, v: np.ndarray, active: np.ndarray) -> np.ndarray:
        """x' (active * (x v)), in one pass: (d, k) of v (d, k) and active (n, k)."""
        return self.gradient(lambda part: active[part] * self._outputs(part, v))

    def some(self, count: int) -> np.ndarray:
        """At most `count` rows (., d), evenly spread."""
        rows = self.x[np.linspace(0, len(self.x) - 1, min(count, len(self.x))).astype(int)]
        return np.concatenate([rows, np.ones((len(rows), 1), rows.dtype)], 1) if self.bias else rows

    def _outputs(self, part: slice, w: np.ndarray) -> np.ndarray:
        return self.x[part] @ w[:-1] + w[-1] if self.bias else self.x[part] @ w


def _fit_few(x: np.ndarray, y: np.ndarray, C: float) -> np.ndarray:
    """With fewer examples than features w is a combination of the examples: n numbers in place of d."""
    wide = x.astype(np.float64)  # of float32 products the rounding alone would be like a smaller C
    gram = wide @ wide.T + 1
    gram[np.diag_indices(len(gram))] += 1e-12 * gram.trace()  # an example may be there twice
    root = cholesky(_finite(gram), lower=True)
    u = _newton(Rows(root.astype(np.float32), False), y, C, None)
    combination = solve_triangular(root, u.astype(np.float64), lower=True, trans="T").astype(np.float32)
    return np.concatenate([x.T @ combination, combination.sum(0, keepdims=True)])


def _newton(rows: Rows, y: np.ndarray, C: float, start: np.ndarray | None) -> np.ndarray:
    w = np.zeros((rows.shape[1], y.shape[1]), np.float32) if start is None else start.copy()
    outputs = np.zeros_like(y) if start is None else rows.outputs(w)
    shared = _preconditioner(rows, 2 * C * TYPICALLY_ACTIVE, ROWS)
    for _ in range(MAX_STEPS):
        margins = np.maximum(1 - y * outputs, 0)
        slope = _finite(w - np.float32(2 * C) * rows.gradient(lambda part: y[part] * margins[part]))
        value = _dot(w, w) / 2 + C * _dot(margins, margins)
        step = _step(rows, -slope, C, (margins > 0).astype(np.float32), shared)
        along = rows.outputs(step)
        length = _length(w, step, y, outputs, along, C)
        w, outputs = w + length * step, outputs + length * along
        if (-_dot(slope, step) / 2 < TOLERANCE * value).all():
            break
    return w


def _step(rows: Rows, residual: np.ndarray, C: float, active: np.ndarray, shared: Solve) -> np.ndarray:
    """About the Hessians' inverses times the residual (d, k), for each class on its active rows alone if they are few.

    active (n, k) is 1 or 0. `shared` is the preconditioner for the classes that have many.
    """
    step, C2, count = np.empty_like(residual), np.float32(2 * C), active.sum(0)
    few = (count > 0) & (count <= OWN_SHARE * len(active)) & (count * rows.shape[1] <= OWN_NUMBERS)
    with threadpool_limits(1, "blas"):  # thousands of short calls, in which two threads wait if a core is busy
        for k in np.flatnonzero(few):
            chosen, one = active[:, k] > 0, slice(k, k + 1)
            own = Rows(rows.x[chosen], rows.bias)
            solve = _preconditioner(own, 2 * C, OWN_ROWS)
            step[:, one] = _conjugate_gradients(own, residual[:, one], C2, active[chosen, one], solve)
    if not few.all():
        step[:, ~few] = _conjugate_gradients(rows, residual[:, ~few], C2, active[:, ~few], shared)
    return step


def _preconditioner(rows: Rows, weight: float, count: int) -> Solve:
    """Solves with 1 + weight * x'x, where `count` rows, evenly spread, stand for all.

    By Woodbury's formula in the space of these rows, where that is the smaller one.
    """
    some = rows.some(count).astype(np.float64)  # in float32 the 1 on the diagonal may be less than a rounding
    weight = weight * rows.shape[0] / len(some)
    few = some.shape[0] < some.shape[1]
    gram = weight * (some @ some.T if few else some.T @ some)
    gram[np.diag_indices(len(gram))] += 1
    root = cho_factor(gram, check_finite=False)

    def solve(r: np.ndarray) -> np.ndarray:
        if few:
            return (r - weight * (some.T @ cho_solve(root, some @ r, check_finite=False))).astype(np.float32)
        return cho_solve(root, r, check_finite=False).astype(np.float32)

    return solve


def _conjugate_gradients(rows: Rows, residual: np.ndarray, C2: np.float32, active: np.ndarray,
                         solve: Solve) -> np.ndarray:
    """About the Hessian's inverse times the residual, (d, k)."""
    step, direction = np.zeros_like(residual), solve(residual)
    size = first = _dot(residual, direction)
    for _ in range(MAX_GRADIENTS):
        bent = direction + C2 * rows.curvature(direction, active)
        ahead = _ratio(size, _dot(direction, bent))
        step, residual = step + ahead * direction, residual - ahead * bent
        scaled = solve(residual)
        before, size = size, _dot(residual, scaled)
        if (size <= FORCING ** 2 * first).all():
            break
        direction = scaled + _ratio(size, before) * direction
    return step


def _length(w: np.ndarray, step: np.ndarray, y: np.ndarray, outputs: np.ndarray, along: np.ndarray,
            C: float) -> np.ndarray:
    """How far along `step` each class's objective is smallest (k,): Newton's method on a line, which is convex."""
    length = np.ones(y.shape[1], np.float32)
    for _ in range(10):
        margins = 1 - y * (outputs + length * along)
        active = margins > 0
        slope = _dot(w, step) + length * _dot(step, step) - 2 * C * _dot(active * margins, y * along)
        bend = _dot(step, step) + 2 * C * _dot(active * along, along)
        length = length - _ratio(slope, bend)
    return length


def _dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The products of the columns, float64 (k,)."""
    return np.einsum("ij,ij->j", a, b, dtype=np.float64)


def _ratio(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """a / b as float32, 0 for a class that has converged to the last bit."""
    return np.divide(a, b, out=np.zeros_like(a), where=b > 0).astype(np.float32)


def _finite(x: np.ndarray) -> np.ndarray:
    if not np.isfinite(x).all():
        raise ScoreError("a linear SVM needs finite features; there are NaN or infinite ones")
    return x
