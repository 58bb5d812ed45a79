"""Attributes of drawn images, measured by their moments, and exemplars of concepts chosen by them.

For Radford, Metz & Chintala 2016, arXiv 1511.06434, sec. 6.3.2, exemplars of smiling women and of faces that look left
were picked by eye. Here numbers pick them: a slant, say, among samples that a classifier is sure about. The slant is
the shear that deslanting takes away (LeCun et al. 1998, "Gradient-based learning applied to document recognition", sec.
III.A). Attributes are of bright ink on a dark ground, and say little about photographs.
"""
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields

import numpy as np
from torch import Tensor

from pipeline.errors import InputError

BATCH = 500  # images at a time
POOL = 10  # one of so many samples of a class, those that lean most, is an exemplar that is drawn from


@dataclass(frozen=True)
class Attributes:
    """What was measured, each float64 (n,).

    slant: shear, the tangent of the angle from the vertical; positive where the top leans to the right, as in /.
    thickness: of strokes, in pixels: twice the ink over the length of its border, w / (1 + w / l) for a bar w x l.
    ink: share of the image, weighted by brightness, 0..1. size: root mean square distance of ink from its centre, in
    pixels. Where there is no ink, ink is 0 and the others are NaN; ink in one row alone has no slant.
    """
    slant: np.ndarray
    thickness: np.ndarray
    ink: np.ndarray
    size: np.ndarray


def measure(images: np.ndarray, ground: int) -> Attributes:
    """The attributes of uint8 images (n, c, h, w); ink is what exceeds `ground`, 0..254, in the mean of the channels.

    Generators leave a faint noise on the ground, which moments far from the centre would pick up.
    """
    parts = [_measured(weights) for weights in _weights(images, ground)]
    return Attributes(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Attributes)))


def mean_slant(images: np.ndarray, ground: int) -> float | None:
    """The mean slant of those uint8 images (n, c, h, w) that have any; None where none has."""
    slants = measure(images, ground).slant
    return float(slants[np.isfinite(slants)].mean()) if np.isfinite(slants).any() else None


def _weights(images: np.ndarray, ground: int) -> Iterator[np.ndarray]:
    for i in range(0, len(images), BATCH):
        yield np.maximum(images[i:i + BATCH].mean(1, dtype=np.float64) - ground, 0) / (255 - ground)


def _measured(weights: np.ndarray) -> Attributes:
    """Of ink (n, h, w) in 0..1."""
    n, height, width = weights.shape
    x, y = np.arange(width), np.arange(height)[::-1, None]  # y grows upwards
    total = weights.sum((1, 2))
    with np.errstate(invalid="ignore", divide="ignore"):
        centre_x, centre_y = ((weights * axis).sum((1, 2)) / total for axis in (x, y))
        from_x, from_y = x - centre_x[:, None, None], y - centre_y[:, None, None]
        mu20, mu11, mu02 = ((weights * a * b).sum((1, 2)) / total
                            for a, b in ((from_x, from_x), (from_x, from_y), (from_y, from_y)))
        slant = np.where(mu02 > 1e-9, mu11 / mu02, np.nan)
        return Attributes(slant, 2 * total / _border(weights), total / (height * width), np.sqrt(mu20 + mu02))


def _border(weights: np.ndarray) -> np.ndarray:
    """The length (n,) of the border of ink (n, h, w), times its brightness: the total variation.

    Gradients between four pixels each are exact along rows, columns and diagonals.
    """
    padded = np.pad(weights, ((0, 0), (1, 1), (1, 1)))
    corners = padded[:, :-1, :-1], padded[:, :-1, 1:], padded[:, 1:, :-1], padded[:, 1:, 1:]
    down = (corners[2] + corners[3] - corners[0] - corners[1]) / 2
    across = (corners[1] + corners[3] - corners[0] - corners[2]) / 2
    return np.hypot(down, across).sum((1, 2))


def classified(logits: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Labels int64 (n,) and confidences float32 (n,), the softmax's largest share, from a classifier's (n, classes)."""
    confidences, labels = logits.float().softmax(1).max(1)
    return labels.numpy(), confidences.numpy()


def exemplars(values: np.ndarray, labels: np.ndarray, confidences: np.ndarray, label: int | None, least: float,
              high: bool, count: int) -> np.ndarray:
    """Indices int64 (count,) of the samples of class `label`, None for any, with the highest `values`, or the lowest.

    The clearest are first; equal ones in their order. Values (n,), where NaN is never chosen; labels (n,) and
    confidences (n,) as from `classified`: only samples of a confidence of at least `least` count. InputError when there
    are fewer than `count` of them.
    """
    fit = np.isfinite(values) & (confidences >= least) & (True if label is None else labels == label)
    found = np.flatnonzero(fit)
    if len(found) < count:
        kind = "any class" if label is None else f"class {label}"
        raise InputError(f"{len(found)} of {len(values)} samples are of {kind} with a confidence of at least {least}; "
                         f"expected {count} exemplars: take more samples or a lower confidence")
    return found[np.argsort(-values[found] if high else values[found], kind="stable")[:count]]


@dataclass(frozen=True)
class Candidates:
    """Samples: z (n, z_dim); labels, confidences and slants (n,); those below the confidence `least` are not sure."""
    z: Tensor
    labels: np.ndarray
    confidences: np.ndarray
    slants: np.ndarray
    least: float

    @property
    def sure(self) -> np.ndarray:
        """bool (n,): which samples have a slant and are, for the classifier, surely of their label."""
        return np.isfinite(self.slants) & (self.confidences >= self.least)

    def counts(self, classes: int) -> np.ndarray:
        """int64 (classes,): how many samples are surely of each class."""
        return np.bincount(self.labels[self.sure], minlength=classes)

    def leaning(self, label: int, right: bool, count: int) -> Tensor:
        """The z of a class's samples that lean most: one in POOL, and at least `count`; InputError as `exemplars`."""
        count = max(count, int((self.sure & (self.labels == label)).sum()) // POOL)
        return self.z[exemplars(self.slants, self.labels, self.confidences, label, self.least, right, count)]


@dataclass(frozen=True)
class Pair:
    """Classes: what leads X from left to right is added to Y, which then leans to the right by more than `least`."""
    X: int
    Y: int
    least: float

    def named(self, names: Sequence[str]) -> str:
        """X and Y by the classes' names."""
        return f"{names[self.X]} and {names[self.Y]}"


def pairs(slants: np.ndarray, labels: np.ndarray, count: int, quantile: float) -> list[Pair]:
    """`count` pairs, or all there are, of a class and the next one in the order of how much slants vary.

    Slants (n,) of real images, NaN being ignored, and their labels (n,). The class of the largest standard deviation is
    first, since there leaning means most; `least` is that quantile, 0..1, of Y's slants. The same images give the same
    pairs, whatever a generator makes. InputError when fewer than two classes have two slants each.
    """
    inked = np.isfinite(slants)
    groups = {label: slants[inked & (labels == label)] for label in np.unique(labels).tolist()}
    groups = {label: group for label, group in groups.items() if len(group) > 1}
    if len(groups) < 2:
        raise InputError(f"{len(groups)} classes of {len(labels)} training images have ink whose slant can be measured "
                         "in two images or more; expected at least 2 classes")
    order = sorted(groups, key=lambda label: -groups[label].std())
    return [Pair(X, Y, float(np.quantile(groups[Y], quantile))) for X, Y in list(zip(order, order[1:]))[:count]]
