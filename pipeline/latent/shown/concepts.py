"""The concepts of arithmetic that no eye has picked: classes with more or less of an attribute.

The attribute of bright ink on a dark ground is how far it leans; that of pictures in colour, how bright they are.
Colour without classes has two sides in their place, cold and warm. Which classes there are, and how much of an
attribute is enough, real images say, so that all runs of a study are measured alike.
"""
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.errors import InputError
from pipeline.latent import attributes
from pipeline.latent.attributes import BRIGHTNESS, SLANT, WARMTH, Attribute, Pair
from pipeline.latent.shown.part import Subject

REAL = 5000  # training images whose attribute is measured
HIGH = 0.75  # of a class's training images have less of it than an image that is said to have it


@dataclass(frozen=True)
class Concepts:
    """What concepts are made of: an attribute; classes by their `names`, and the `pairs` of these that are tried.

    Of uint8 images (n, c, h, w) `judge` gives the labels and confidences, (n,) each; in words, a label is `sure`.
    """
    attribute: Attribute
    names: Sequence[str]
    pairs: list[Pair]
    judge: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
    sure: str


def of(subject: Subject) -> Concepts:
    """Those that the data set allows: InputError for images in one channel without classes."""
    dataset, count = subject.dataset, subject.params.pairs
    real, labels = dataset.train_images[:REAL], dataset.train_labels[:REAL]
    attribute = SLANT if dataset.shape[0] == 1 else BRIGHTNESS
    values = attribute.of(real)
    if dataset.classes > 1:
        return Concepts(attribute, dataset.meta["classes"], attributes.pairs(values, labels, count, HIGH),
                        lambda images: attributes.classified(subject.reference(images)[1]),
                        f"what the classifier says with a confidence of at least {subject.params.confidence}")
    if attribute is SLANT:
        raise InputError("concepts are found by themselves only in images in colour, or with classes; for others list "
                         "seeds of samples, chosen by eye, in internals.arithmetic")
    warm = WARMTH.of(real)
    sides, certain = attributes.sided(warm, warm)
    pairs = attributes.pairs(np.where(certain > 0, values, np.nan), sides, count, HIGH)
    return Concepts(attribute, [WARMTH.less, WARMTH.more], pairs,
                    lambda images: attributes.sided(WARMTH.of(images), warm),
                    "as cold or as warm as the outer quarters of the training images")
