"""The concepts of arithmetic that no eye has picked: classes with more or less of an attribute.

The attribute of bright ink on a dark ground is how far it leans; that of pictures in colour, how bright they are.
Without classes there are two sides in their place, thin and bold ink, or cold and warm colours. Which classes there
are, and how much of an attribute is enough, real images say, so that all runs of a study are measured alike.
"""
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.errors import InputError
from pipeline.latent import attributes
from pipeline.latent.attributes import BRIGHTNESS, SLANT, THICKNESS, WARMTH, Attribute, Pair
from pipeline.latent.shown.part import Subject

REAL = 5000  # training images whose attribute is measured
HIGH = 0.75  # of a class's training images have less of it than an image that is said to have it


@dataclass(frozen=True)
class Concepts:
    """What concepts are made of: an attribute; classes by their `names`, and the `pairs` of these that are tried.

    Of uint8 images (n, c, h, w) `judge` gives the labels and confidences, (n,) each. In words: what is `sure` to be of
    a class, and how pairs were `chosen`.
    """
    attribute: Attribute
    names: Sequence[str]
    pairs: list[Pair]
    judge: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
    sure: str
    chosen: str


def of(subject: Subject) -> Concepts:
    """Those of the subject's data set."""
    dataset, count = subject.dataset, subject.params.pairs
    real, labels = dataset.train_images[:REAL], dataset.train_labels[:REAL]
    if dataset.classes < 2:
        return sided(real, "training images")
    attribute, _ = measured(real)
    return Concepts(attribute, dataset.meta["classes"], attributes.pairs(attribute.of(real), labels, count, HIGH),
                    lambda images: attributes.classified(subject.reference(images)[1]),
                    f"the classifier has a confidence of at least {subject.params.confidence}",
                    f"the classes whose training images differ most in {attribute.name}, the same for all runs")


def sided(real: np.ndarray, called: str) -> Concepts:
    """Those of uint8 images (n, c, h, w) without classes, by what they are `called`: one pair of two sides.

    InputError when there are not two images on each side.
    """
    attribute, side = measured(real)
    values, found = side.of(real), attribute.of(real)
    labels, certain = attributes.sided(values, values)
    there = np.bincount(labels[(certain > 0) & np.isfinite(found)], minlength=2)
    if there.min() < 2:
        raise InputError(f"{there[0]} of {len(real)} {called} are clearly {side.less} and {there[1]} clearly "
                         f"{side.more}; expected two of each")
    return Concepts(attribute, [side.less, side.more],
                    attributes.pairs(np.where(certain > 0, found, np.nan), labels, 1, HIGH),
                    lambda images: attributes.sided(side.of(images), values),
                    f"it is among the quarter of the {called} that are most {side.less} or most {side.more}",
                    f"{side.less} and {side.more} images")


def measured(images: np.ndarray) -> tuple[Attribute, Attribute]:
    """What is measured of images (n, c, h, w), and what their sides differ in."""
    return (SLANT, THICKNESS) if images.shape[1] == 1 else (BRIGHTNESS, WARMTH)
