"""Mode coverage: which classes a generator makes, and how often, as a classifier sees them.

Counting the modes of labelled data is Metz et al. 2017, "Unrolled GANs", arXiv 1611.02163, sec. 3.3.1, which also has
the divergence between the counts.
"""
import math

import numpy as np
from torch import Tensor

from pipeline.errors import InputError

RARE = 0.1  # of its real share: a class with less is missing


def shares(logits: Tensor) -> np.ndarray:
    """Share of each class (classes,) among the largest of `logits` (n, classes), float64."""
    return np.bincount(logits.argmax(1).numpy(), minlength=logits.shape[1]) / len(logits)


def real_shares(labels: np.ndarray, classes: list[str]) -> np.ndarray:
    """Share of each class (classes,) among real `labels` (n,); InputError names the first that has no image."""
    counts = np.bincount(labels, minlength=len(classes))
    if not counts.all():
        raise InputError(f"class {classes[counts.argmin()]!r} has no training image, so that nothing says how often it "
                         "should come: leave its folder out")
    return counts / len(labels)


def confident(logits: Tensor, least: float) -> np.ndarray:
    """Share (classes,), of all samples, that are of a class with a probability of at least `least`, float64.

    The probability is the softmax of `logits` (n, classes). A classifier has to name a class for scribbles too, but is
    seldom sure of it.
    """
    probabilities, labels = logits.float().softmax(1).max(1)
    return np.bincount(labels[probabilities >= least].numpy(), minlength=logits.shape[1]) / len(logits)


def missing(sure: np.ndarray, real: np.ndarray) -> int:
    """How many classes have less than RARE of their real share among the samples that are surely of them.

    `sure` as from `confident` and `real` as from `real_shares`, both (classes,).
    """
    return int((sure < RARE * real).sum())


def divergence(generated: np.ndarray, real: np.ndarray) -> float:
    """KL(generated || real) in nats, of shares (classes,): 0 for equal ones, log 10 for one of ten equal classes.

    `real` has no zeros, see `real_shares`.
    """
    seen = generated > 0
    return max(math.fsum(generated[seen] * np.log(generated[seen] / real[seen])), 0.0)
