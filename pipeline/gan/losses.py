"""The two players' losses: binary cross-entropy on logits (Goodfellow et al. 2014, sec. 3).

-log(sigmoid(x)) = softplus(-x) and -log(1 - sigmoid(x)) = softplus(x) = x + softplus(-x).
"""
import math

import torch
from torch import Tensor
from torch.nn import functional as F


def loss_D(logits_real: Tensor, logits_fake: Tensor, smoothing: float = 0.0) -> Tensor:
    """D calls real images real and fakes fake: the sum of the two means, 2 log 2 for a D that cannot tell.

    The target of real images is 1 - `smoothing`, that of fakes 0 (one-sided label smoothing, Salimans et al. 2016,
    arXiv 1606.03498, sec. 3.4).
    """
    loss = F.softplus(-logits_real).mean() + F.softplus(logits_fake).mean()
    return loss + smoothing * logits_real.mean() if smoothing else loss


def least_D(smoothing: float) -> float:
    """The smallest loss of a D whose real targets are 1 - `smoothing`, at least 0 and less than 1: their entropy."""
    return -sum(share * math.log(share) for share in (smoothing, 1 - smoothing) if share)


def loss_G(logits_fake: Tensor) -> Tensor:
    """G wants its fakes called real (the non-saturating loss, -log D(G(z))): log 2 for a D that cannot tell."""
    return F.softplus(-logits_fake).mean()


def gradient_ratio(logits_fake: Tensor) -> Tensor:
    """Each fake's gradient of loss_G divided by that of loss_D: -exp(-logit), (n, 1) -> (n, 1).

    Both losses see an image through its logit alone, so this holds for the gradients with respect to the image too,
    where no layer of D mixes images. Logits below -60, D being sure to 1e-26, count as -60: their gradient of loss_D
    comes close to the smallest float.
    """
    return -torch.exp(-logits_fake.clamp(min=-60))
