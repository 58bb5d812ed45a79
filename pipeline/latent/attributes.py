"""Attributes of images, and exemplars of concepts chosen by them.

For Radford, Metz & Chintala 2016, arXiv 1511.06434, sec. 6.3.2, exemplars of smiling women and of faces that look left
were picked by eye. Here they are picked by measurement. Bright ink on a dark ground has a slant: the shear that
deslanting takes away (LeCun et al. 1998, "Gradient-based learning applied to document recognition", sec. III.A). Images
in colour are more or less bright and warm. Of grey photographs ink's attributes say little.
"""
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields

import numpy as np
from torch import Tensor

from pipeline.errors import InputError

BATCH = 500  # images at a time
GROUND = 20  # grey levels of noise that generators leave where there is no ink
LUMA = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601: how bright red, green and blue look
QUARTER = 0.25  # of real images are surely cold, and as many surely warm
POOL = 10  # one of so many samples of a class, those with most or least of an attribute, is an exemplar to draw from


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


def brightness(images: np.ndarray) -> np.ndarray:
    """float64 (n,), 0..1: how bright uint8 images (n, 3, h, w) look on average."""
    return images.mean((2, 3)) @ LUMA / 255


def warmth(images: np.ndarray) -> np.ndarray:
    """float64 (n,), -1..1: how much more red than blue there is in uint8 images (n, 3, h, w)."""
    red, _, blue = images.mean((2, 3)).T
    return np.asarray((red - blue) / 255)


@dataclass(frozen=True)
class Attribute:
    """A number of each image, float64 (n,) of uint8 (n, c, h, w), NaN where there is none.

    `defined` says what it is; images that have `less` or `more` of it are called so.
    """
    name: str
    defined: str
    less: str
    more: str
    of: Callable[[np.ndarray], np.ndarray]

    def mean(self, images: np.ndarray) -> float | None:
        """The mean over those images that have a number; None where none has."""
        values = self.of(images)
        return float(values[np.isfinite(values)].mean()) if np.isfinite(values).any() else None

    def after(self, way: str) -> str:
        """The name of the mean of images that were turned towards `less` or `more`, like slant_turned_left."""
        return f"{self.name}_turned_{way.partition('-')[0]}"


SLANT = Attribute("slant", "the tangent of the angle from the vertical, positive to the right", "left-leaning",
                  "right-leaning", lambda images: measure(images, GROUND).slant)
THICKNESS = Attribute("thickness", "of strokes, in pixels", "thin", "bold",
                      lambda images: measure(images, GROUND).thickness)
BRIGHTNESS = Attribute("brightness", "0..1, with the weights of ITU-R BT.601", "dark", "bright", brightness)
WARMTH = Attribute("warmth", "red less blue, -1..1", "cold", "warm", warmth)


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


def sided(values: np.ndarray, real: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The like for images without classes: label 0 below the median of the `real` images' values (m,), and 1 above.

    The confidence of values (n,) in the lowest or highest quarter of the real ones is 1, that of others and of the
    median itself 0. NaN among the real ones are ignored, and others are never sure.
    """
    known = real[np.isfinite(real)]
    low, middle, high = np.quantile(known if len(known) else [np.nan], [QUARTER, 0.5, 1 - QUARTER])
    outer = ((values <= low) & (values < middle)) | ((values >= high) & (values > middle))
    return (values > middle).astype(np.int64), outer.astype(np.float32)


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
    """Samples: z (n, z_dim); labels, confidences and an attribute's values (n,); those below the confidence `least` are
    not sure.
    """
    z: Tensor
    labels: np.ndarray
    confidences: np.ndarray
    values: np.ndarray
    least: float

    @property
    def sure(self) -> np.ndarray:
        """bool (n,): which samples have a value and are surely of their label."""
        return np.isfinite(self.values) & (self.confidences >= self.least)

    def counts(self, classes: int) -> np.ndarray:
        """int64 (classes,): how many samples are surely of each class."""
        return np.bincount(self.labels[self.sure], minlength=classes)

    def extreme(self, label: int, high: bool, count: int) -> Tensor:
        """The z of a class's samples of the highest values, or the lowest: one in POOL, and at least `count`.

        InputError as `exemplars`.
        """
        count = max(count, int((self.sure & (self.labels == label)).sum()) // POOL)
        return self.z[exemplars(self.values, self.labels, self.confidences, label, self.least, high, count)]


@dataclass(frozen=True)
class Pair:
    """Classes: what leads X from less to more is added to Y, which then has more than `least`."""
    X: int
    Y: int
    least: float

    def named(self, names: Sequence[str]) -> str:
        """X and Y by the classes' names."""
        return f"{names[self.X]} and {names[self.Y]}"


def pairs(values: np.ndarray, labels: np.ndarray, count: int, quantile: float) -> list[Pair]:
    """`count` pairs, or all there are, of a class and the next one in the order of how much values vary.

    Values (n,) of real images, NaN being ignored, and their labels (n,). The class of the largest standard deviation is
    first, since there an attribute means most; `least` is that quantile, 0..1, of Y's values. The same images give the
    same pairs, whatever a generator makes. InputError when fewer than two classes have two values each.
    """
    known = np.isfinite(values)
    groups = {label: values[known & (labels == label)] for label in np.unique(labels).tolist()}
    groups = {label: group for label, group in groups.items() if len(group) > 1}
    if len(groups) < 2:
        raise InputError(f"{len(groups)} classes of {len(labels)} images have two images or more that can be measured; "
                         "expected at least 2 classes")
    order = sorted(groups, key=lambda label: -groups[label].std())
    return [Pair(X, Y, float(np.quantile(groups[Y], quantile))) for X, Y in list(zip(order, order[1:]))[:count]]
