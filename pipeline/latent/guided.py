"""What in an image makes D's last features respond: guided backpropagation.

Radford, Metz & Chintala 2016, arXiv 1511.06434, sec. 6.2 and fig. 5: maximal responses of the first six features of
D's last convolution layer, beside those of an untrained D. The method is that of Springenberg et al. 2014, "Striving
for simplicity: the all convolutional net", arXiv 1412.6806, sec. 3.4: on the way back a ReLU lets a gradient through
where both it and the ReLU's input are positive. LeakyReLU, which that paper has not got, is D's own on the way forward
and such a ReLU on the way back. D's last convolution is the last that an activation follows: one that makes the logit
has no features.
"""
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from pipeline.errors import InputError
from pipeline.gan.build import Stack
from pipeline.gan.devices import Device
from pipeline.gan.layers import Labels
from pipeline.gan.networks import Network
from pipeline.gan.sampling import averaging
from pipeline.latent import filters, maps


@dataclass(frozen=True)
class Guided:
    """Of each feature the images of maximal response, and what in them the first features respond to.

    `indices` int64 and `responses` float32, both (all features, k), in falling order; `gradients` float32 (features, k,
    c, h, w), the guided gradient of each response with respect to its image. A feature that is positive nowhere has
    gradients of 0.
    """
    indices: np.ndarray
    responses: np.ndarray
    gradients: np.ndarray


class _Rectifier(torch.autograd.Function):
    """LeakyReLU that only lets positive gradients back, and only where its input is positive."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, leak: float) -> Tensor:
        ctx.save_for_backward(x)
        return F.leaky_relu(x, leak)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        x, = ctx.saved_tensors
        return gradient.clamp(min=0) * (x > 0), None


def last(D: Stack) -> int:
    """The number of D's last convolution that an activation follows, from 0; InputError when there is none."""
    numbers = [number for number, place in enumerate(maps.layers(D)) if isinstance(D[place], maps.RECTIFIERS)]
    if not numbers:
        raise InputError("guided backpropagation needs a D with a convolution that a ReLU or LeakyReLU follows")
    return numbers[-1]


def gradient(D: Stack, place: int, x: Tensor, y: Tensor | None, feature: int) -> Tensor:
    """The guided gradient (n, c, h, w) of each image's largest activation of one feature of D's module `place`.

    Of images x (n, c, h, w), one-hot labels y (n, classes) for a conditional D. D as it stands, best in eval mode; its
    parameters get no gradients.
    """
    with torch.enable_grad():
        image = out = x.detach().requires_grad_()
        for module in D[:place + 1]:
            if isinstance(module, maps.RECTIFIERS):
                out = _Rectifier.apply(out, getattr(module, "negative_slope", 0.0))
            else:
                out = module(out, y) if isinstance(module, Labels) else module(out)
        largest = out[:, feature].flatten(1).max(1).values  # of equal ones a single position
        return torch.autograd.grad(largest.sum(), image)[0]


def guided(D: Stack, network: Network, images: np.ndarray, labels: np.ndarray | None, features: int, k: int,
           device: Device) -> Guided:
    """All features of D's last convolution with the `k` images of maximal response; gradients of the first `features`.

    Images uint8 (n, c, h, w), labels integers (n,) or None: see `filters.inputs`; the features of a conditional D
    that is conditioned on labels respond to these first. D is in eval mode, with the batch-norm statistics that
    it has, and afterwards what it was. InputError when D has fewer features, or there are fewer images.
    """
    number = last(D)
    found = filters.top(D, network, images, labels, number, k, device)
    if not 1 <= features <= len(found.indices):
        raise InputError(f"{features} features: expected 1 to {len(found.indices)}, those of D's last convolution")
    place, gradients = maps.layers(D)[number], []
    with averaging(D, None), maps.exactly(device):
        for feature, chosen in enumerate(found.indices[:features]):
            y = None if labels is None else labels[chosen]
            parts = [gradient(D, place, x, y, feature).cpu().numpy()
                     for x, y in filters.inputs(images[chosen], y, network, device)]
            gradients.append(np.concatenate(parts))
    return Guided(found.indices, found.responses, np.stack(gradients))


def pictures(gradients: np.ndarray) -> np.ndarray:
    """Gradients (..., c, h, w) as images, float32 in 0..1: each on its own scale, on which 0 is 0.5."""
    flat = gradients.reshape(-1, *gradients.shape[-3:])
    return np.stack([maps.shades(one) for one in flat]).reshape(gradients.shape)
