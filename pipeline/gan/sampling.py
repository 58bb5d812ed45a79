"""Images from a trained generator, in eval mode, with the batch-norm statistics of one's choice.

Running averages lag: Keras' momentum .99 leaves .99^n of their initial values after n updates, so that after a short
training they describe networks that are gone. `recomputed` statistics are averages over fresh z with the final
weights ("standing statistics" in Kang et al. 2020, StudioGAN; "precise batch norm" in Wu & Johnson 2021, arXiv
2105.07576).
"""
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import ceil, prod

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm

from pipeline import room
from pipeline.data.pixels import to_uint8
from pipeline.errors import DivergedError
from pipeline.gan.devices import Device
from pipeline.gan.networks import Network
from pipeline.params.sections import Sampling

BATCH = 250  # images at a time at most; recomputed statistics are averages over such batches
SEED = 2**40  # of the z that statistics are recomputed with: no seed of params.yaml reaches so far


def prior(network: Network, count: int, generator: torch.Generator) -> Tensor:
    """z (count, z_dim), drawn as the network wants it, on the generator's device.

    InputError when memory has no room for so many, and for their images.
    """
    room.in_memory(f"{count:,} images", count * (prod(network.image) + 4 * network.z_dim))
    shape, device = (count, network.z_dim), generator.device
    if network.prior == "normal":
        return torch.randn(shape, generator=generator, device=device)
    return torch.rand(shape, generator=generator, device=device) * 2 - 1


def labels(network: Network, count: int) -> Tensor | None:
    """One-hot labels (count, classes), one class after another; None for an unconditional network."""
    if not network.classes:
        return None
    return F.one_hot(torch.arange(count) % network.classes, network.classes).float()


def sample(G: nn.Module, network: Network, z: Tensor, device: Device) -> np.ndarray:
    """uint8 images (n, c, h, w), one for each row of z (n, z_dim), from G in the mode it is in.

    A conditional G generates one class after another. DivergedError when images are not finite.
    """
    images, y = [], labels(network, len(z))
    count = ceil(len(z) / BATCH)
    for part, labelled in zip(z.tensor_split(count), [None] * count if y is None else y.tensor_split(count)):
        with torch.no_grad(), device.arithmetic():
            fake = G(part.to(device.device), None if labelled is None else labelled.to(device.device))
        if not fake.isfinite().all():
            raise DivergedError("the generator makes images that are not finite: lower lr")
        images.append(to_uint8(fake, network.low).cpu().numpy())
    return np.concatenate(images)


def example(network: Network) -> Tensor:
    """Two rows that `by_rows` takes, float32 (2, z_dim + classes)."""
    z, y = prior(network, 2, torch.Generator().manual_seed(0)), labels(network, 2)
    return z if y is None else torch.cat([z, y], 1)


def by_rows(G: nn.Module, network: Network) -> nn.Module:
    """G as a function of one input: rows of z and, for a conditional G, the one-hot label after it."""
    return _ByRows(G, network) if network.classes else G


class _ByRows(nn.Module):
    def __init__(self, G: nn.Module, network: Network):
        super().__init__()
        self.G, self.sizes = G, [network.z_dim, network.classes]

    def forward(self, rows: Tensor) -> Tensor:
        z, y = rows.split(self.sizes, 1)
        return self.G(z, y)


@contextmanager
def evaluating(G: nn.Module, network: Network, sampling: Sampling, device: Device) -> Iterator[nn.Module]:
    """G in eval mode, with the batch-norm statistics that `sampling` asks for; afterwards G is what it was."""
    def feed() -> None:
        sample(G, network, prior(network, sampling.statistics_images, torch.Generator().manual_seed(SEED)), device)

    with averaging(G, feed if sampling.batch_norm == "recomputed" else None):
        yield G


@contextmanager
def averaging(net: nn.Module, feed: Callable[[], object] | None) -> Iterator[None]:
    """`net` in eval mode, its batch norms with the averages over what `feed` passes through it, if there is a `feed`.

    Afterwards `net` is what it was.
    """
    norms = [module for module in net.modules() if isinstance(module, _BatchNorm)]
    before = {key: value.clone() for key, value in net.state_dict().items()}
    momenta, training = [norm.momentum for norm in norms], net.training
    try:
        net.eval()
        if norms and feed:
            for norm in norms:
                norm.reset_running_stats()
                norm.momentum = None  # a cumulative average in place of an exponential one
                norm.train()
            feed()
        net.eval()
        yield
    finally:
        for norm, momentum in zip(norms, momenta):
            norm.momentum = momentum
        net.load_state_dict(before)
        net.train(training)
