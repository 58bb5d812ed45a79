"""The Inception score: how sure a classifier is of each sample, and how unlike its answers are.

Salimans et al. 2016, "Improved techniques for training GANs", arXiv 1606.03498, sec. 4: exp E KL(p(y|x) || p(y)), from
1 to the number of classes. It never sees a real image, so it says nothing about likeness to the data, and it means
something only beside the same classifier's score of real images: Barratt & Sharma 2018, arXiv 1801.01973.

Departure: one value over all samples, not the mean over ten parts, whose bias depends on their size.
"""
import math

import torch
from torch import Tensor

from pipeline.errors import ScoreError


def score(logits: Tensor) -> float:
    """The score of samples with `logits` (n, classes); ScoreError when there are NaN or infinite ones."""
    if not logits.isfinite().all():
        raise ScoreError("an Inception score needs finite logits; there are NaN or infinite ones")
    log_p = torch.log_softmax(logits.double(), 1)
    log_mean = torch.logsumexp(log_p, 0) - math.log(len(logits))
    return (log_p.exp() * (log_p - log_mean)).sum(1).mean().exp().item()
