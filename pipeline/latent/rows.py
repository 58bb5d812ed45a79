"""Chosen z and, for a conditional generator, chosen labels, as images and as features.

`gan.sampling.sample` gives a conditional generator one class after the other; along a walk (Radford, Metz & Chintala
2016, arXiv 1511.06434, sec. 6.1) or in arithmetic (sec. 6.3.2) the label must stay. So z and label are one row here, as
for `gan.sampling.by_rows`.
"""
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn
from torch.backends import cudnn
from torch.nn import functional as F

from pipeline.errors import DivergedError, InputError
from pipeline.gan import sampling
from pipeline.gan.devices import Device
from pipeline.gan.networks import Network
from pipeline.scores.classifier import Classifier

See = Callable[[Tensor], Tensor]  # rows (n, z_dim + classes) -> features (n, d)


class _Alone(nn.Module):
    """A generator of rows, which may be conditioned on labels beside them."""

    def __init__(self, G: nn.Module, network: Network):
        super().__init__()
        self.G = sampling.by_rows(G, network)

    def forward(self, rows: Tensor, y: None = None) -> Tensor:
        return self.G(rows)


def one_class(network: Network, label: int, count: int) -> Tensor | None:
    """One-hot labels (count, classes), all of the class `label`; None for a network that takes none.

    InputError when the network has no such class.
    """
    if not network.classes:
        return None
    if not 0 <= label < network.classes:
        raise InputError(f"class {label}: the generator has {network.classes}, from 0 to {network.classes - 1}")
    return F.one_hot(torch.full((count,), label), network.classes).float()


def joined(z: Tensor, y: Tensor | None) -> Tensor:
    """Rows (n, z_dim + classes): z (n, z_dim) and the one-hot labels y (n, classes) after it, or z alone."""
    return z if y is None else torch.cat([z, y.to(z)], 1)


def images(G: nn.Module, network: Network, rows: Tensor, device: Device) -> np.ndarray:
    """uint8 images (n, c, h, w), one for each row (n, z_dim + classes), from G in the mode it is in.

    DivergedError when images are not finite.
    """
    return sampling.sample(_Alone(G, network), replace(network, classes=0), rows, device)


def features(G: nn.Module, network: Network, classifier: Classifier, device: Device) -> See:
    """The classifier's features, float32 (n, 128) on the CPU, of what G, in the mode it is in, makes of rows.

    Everything is float32 and pixels are not rounded to grey levels, so that the smallest steps of z are seen.
    DivergedError when images are not finite.
    """
    @torch.no_grad()
    def see(rows: Tensor) -> Tensor:
        return torch.cat([classifier.features(part) for part in _exact(G, network, rows, device)])

    return see


def pixels(G: nn.Module, network: Network, device: Device) -> See:
    """As `features`, but the pixels themselves, float32 (n, c * h * w) in 0..1."""
    def see(rows: Tensor) -> Tensor:
        return torch.cat([(part.flatten(1) + 1) / 2 for part in _exact(G, network, rows, device)])

    return see


def _exact(G: nn.Module, network: Network, rows: Tensor, device: Device) -> Iterator[Tensor]:
    """Images float32 (n, c, h, w) in -1..1 on the CPU, at most BATCH of the rows at a time."""
    by_rows, exact = sampling.by_rows(G, network), replace(device, dtype=torch.float32)
    for part in rows.split(sampling.BATCH):
        # TF32 has ten bits: rounding would outweigh a step of 1e-4.
        with (torch.no_grad(), exact.arithmetic(),
              cudnn.flags(enabled=cudnn.enabled, deterministic=True, allow_tf32=False)):
            fake = by_rows(part.to(device.device, torch.float32)).cpu()
        if not fake.isfinite().all():
            raise DivergedError("the generator makes images that are not finite: lower lr")
        yield ((fake - network.low) * (2 / (1 - network.low)) - 1).contiguous(memory_format=torch.channels_last)
