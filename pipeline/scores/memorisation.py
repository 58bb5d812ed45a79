"""Memorisation: whether samples are nearer to training images than other real images are.

Meehan, Chaudhuri & Dasgupta 2020, "A non-parametric test to detect data-copying in generative models", arXiv
2004.05675, compare the same distances by a rank test; ours are reported as two numbers that can be read. A Fréchet
distance cannot tell: copies of the training set have a perfect one.

Distances are Euclidean, between pixels in 0..1. A smooth picture is near to everything, so that blurred samples have a
ratio below 1 without being copies: look at the closest pairs.
"""
from dataclasses import dataclass

import numpy as np

from pipeline.errors import ScoreError
from pipeline.scores import neighbours

NEAR = 0.01  # the share of real test images that count as near copies
PART = 1 << 25  # pixels of training images in memory at a time


@dataclass(frozen=True)
class Nearest:
    """Of each image, the distance (n,) to its nearest training image, and which (n,) that is; or (n, k) of several."""
    distances: np.ndarray
    indices: np.ndarray


def nearest(images: np.ndarray, train: np.ndarray) -> Nearest:
    """The training images uint8 (m, c, h, w), mapped into memory or not, that are nearest to `images` (n, c, h, w)."""
    found = closest(images, train, 1)
    return Nearest(found.distances[:, 0], found.indices[:, 0])


def closest(images: np.ndarray, train: np.ndarray, k: int) -> Nearest:
    """The k training images nearest to each image, as `nearest`, but (n, k), nearest first.

    ScoreError when there are fewer than k.
    """
    if not 0 < k <= len(train):
        raise ScoreError(f"expected at least {k} training images for {k} nearest neighbours; there are {len(train)}")
    queries = flat(images)
    best, which = np.empty((len(images), 0)), np.empty((len(images), 0), np.int64)
    step = max(1, PART // queries.shape[1])
    for begin in range(0, len(train), step):
        part = flat(train[begin:begin + step])
        distances, indices = neighbours.nearest(queries, part, min(k, len(part)))
        best, which = np.hstack([best, distances]), np.hstack([which, begin + indices])
        order = best.argsort(1, kind="stable")[:, :k]  # of equally near ones, the earlier stay in front
        best, which = np.take_along_axis(best, order, 1), np.take_along_axis(which, order, 1)
    return Nearest(best, which)


def flat(images: np.ndarray) -> np.ndarray:
    """uint8 (n, c, h, w) -> float32 (n, c * h * w) in 0..1."""
    return images.reshape(len(images), -1).astype(np.float32) / 255


def ratio(samples: np.ndarray, test: np.ndarray) -> float:
    """Median distance of samples over that of real test images: 1 is as far from the training set as real images are.

    Both are distances to the nearest training image. ScoreError when more than half of the test images are copies.
    """
    if np.median(test) == 0:
        raise ScoreError("more than half of the test images are training images too: nothing to compare with")
    return float(np.median(samples) / np.median(test))


def near_copies(samples: np.ndarray, test: np.ndarray) -> float:
    """Share of samples nearer to a training image than all but the nearest 1 % of test images are.

    0.01 is honest, from a hundred test images on; with fewer the nearest of them is the border.
    """
    return float((samples <= np.quantile(test, NEAR, method="lower")).mean())
