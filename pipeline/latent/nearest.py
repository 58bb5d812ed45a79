"""For a few generated images the training images next to them, in pixels and in a classifier's features.

Radford, Metz & Chintala 2016, arXiv 1511.06434, sec. 6, made no such search: small transforms of an image fool it, in
pixels and in features (Theis, van den Oord & Bethge 2015, arXiv 1511.01844). So no number is made of it here; the two
measures, which transforms fool in different ways, are for the eye to compare.
"""
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from pipeline.scores import memorisation, neighbours
from pipeline.scores.extractors import Extractor
from pipeline.scores.memorisation import Nearest


@dataclass(frozen=True)
class Neighbours:
    """Of n images the k nearest training images, nearest first: distances and indices (n, k), by two measures."""
    pixels: Nearest
    features: Nearest


def nearest(images: np.ndarray, train: np.ndarray, extract: Extractor, train_features: Tensor, k: int) -> Neighbours:
    """The k training images nearest to each of the uint8 images (n, c, h, w), in pixels 0..1 and in features.

    `train` uint8 (m, c, h, w), mapped into memory or not; `train_features` (m, d) are what `extract` makes of them, as
    `extractors.real` keeps it, or of the first of them, among which it then looks. ScoreError when there are fewer than
    k, or features are not finite.
    """
    features, _ = extract(images)
    return Neighbours(memorisation.closest(images, train, k), Nearest(*neighbours.nearest(features, train_features, k)))
