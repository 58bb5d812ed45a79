"""Precision and recall, density and coverage: who lies inside the balls around whom.

Kynkäänniemi et al. 2019, "Improved precision and recall metric for assessing generative models", arXiv 1904.06991;
Naeem et al. 2020, "Reliable fidelity and diversity metrics for generative models", arXiv 2002.09797.
A ball reaches to the k-th nearest other point of its own set and does not contain its border, as in the latter's code;
the former paper's balls contain theirs.
"""
import numpy as np

from pipeline.errors import ScoreError
from pipeline.scores import neighbours
from pipeline.scores.neighbours import Features, Frame, Scaled

FEW = 20_000  # undecided pairs in a block that are cheaper to compute one by one than all by float64 products


def scores(real: Features, fake: Features, k: int) -> dict[str, float]:
    """precision, recall, density and coverage of `fake`, in balls that reach to the k-th nearest other point.

    Features float32 or float64 (n, d) and (m, d). precision: share of fake points in some real point's ball; recall:
    share of real points in some fake point's ball; density: in how many real balls a fake point lies on average,
    divided by k; coverage: share of real balls with a fake point in it. All are in 0..1, but density may exceed 1.
    Counts are those of float64 distances. ScoreError with fewer than k + 1 points on a side, or features not finite.
    """
    sets = {name: neighbours.array(x, name) for name, x in (("real", real), ("fake", fake))}
    for name, x in sets.items():
        if len(x) < k + 1:
            raise ScoreError(f"balls that reach the {k}th nearest neighbour need {k + 1} {name} images; "
                             f"there are {len(x)}")
    r, f = sets.values()
    radii = [neighbours.squared_radii(x, k) for x in (r, f)]
    to_frame = neighbours.frame(f, r)
    scaled = to_frame(r), to_frame(f)
    precise, covered, recalled, total = np.zeros(len(f), bool), np.zeros(len(r), bool), np.zeros(len(r), bool), 0.0
    for i in neighbours.blocks(len(r)):
        for j in neighbours.blocks(len(f)):
            in_real, in_fake = _inside(r[i], f[j], radii[0][i], radii[1][j], to_frame, _part(scaled[0], i),
                                       _part(scaled[1], j))
            precise[j] |= in_real.any(0)
            covered[i] |= in_real.any(1)
            recalled[i] |= in_fake.any(1)
            total += float(np.count_nonzero(in_real))
    return {"precision": float(precise.mean()), "recall": float(recalled.mean()),
            "density": total / (k * len(f)), "coverage": float(covered.mean())}


def _part(a: Scaled, rows: slice) -> Scaled:
    return Scaled(a.values[rows], a.norms[rows])


def _inside(r: np.ndarray, f: np.ndarray, real_radii: np.ndarray, fake_radii: np.ndarray, to_frame: Frame,
            a: Scaled, b: Scaled) -> tuple[np.ndarray, np.ndarray]:
    """bool (real, fake) twice: the pair is nearer than the real point's radius; than the fake point's."""
    radii = [limits * to_frame.scale ** 2 for limits in (real_radii[:, None], fake_radii[None])]
    inside, undecided = _bounded(a, b, radii)
    if sum(map(np.count_nonzero, undecided)) > FEW:
        inside, undecided = _bounded(to_frame(r, np.float64), to_frame(f, np.float64), radii)
    i, j = _pairs(undecided[0])
    inside[0][i, j] = neighbours.squared(r, f, i, j) < real_radii[i]
    i, j = _pairs(undecided[1])
    inside[1][i, j] = neighbours.squared(r, f, i, j) < fake_radii[j]
    return inside[0], inside[1]


def _pairs(flags: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """np.nonzero of few flags in many, which is several times as fast on one axis."""
    i, j = np.divmod(np.flatnonzero(flags), flags.shape[1])
    return i, j


def _bounded(a: Scaled, b: Scaled, radii: list[np.ndarray]) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """For the squared radii of both sides: pairs that may lie inside, and those of them of which it is not certain."""
    bounds = neighbours.lower_bounds(a, slice(None), b.other(slice(None)))
    width = 2.01 * a.error * (a.norms.max() + b.norms.max()) + 2.0 ** -99
    results = [_compare(bounds, limits, width) for limits in radii]
    return [inside for inside, _ in results], [undecided for _, undecided in results]


def _compare(bounds: np.ndarray, radii: np.ndarray, width: float) -> tuple[np.ndarray, np.ndarray]:
    """Pairs that may lie inside, and those of them of which this is not certain."""
    # Nothing is nearer than 0: balls of identical points are empty.
    above = np.where(radii > 0, np.nextafter(radii.astype(bounds.dtype), np.inf), -np.inf).astype(bounds.dtype)
    below = np.nextafter((radii - width).astype(bounds.dtype), -np.inf)
    inside = bounds < above
    return inside, inside & (bounds >= below)
