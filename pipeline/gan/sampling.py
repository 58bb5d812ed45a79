"""Images from a trained generator, in eval mode, with the batch-norm statistics of one's choice.

Running averages lag: Keras' momentum .99 leaves .99^n of their initial values after n updates, so that after a short
training they describe networks that are gone. `recomputed` statistics are averages over fresh z with the final
weights ("standing statistics" in Kang et al. 2020, StudioGAN; "precise batch norm" in Wu & Johnson 2021, arXiv
2105.07576).
"""
from collections.abc import Iterator
from contextlib import contextmanager
from math import ceil

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from pipeline.data.pixels import to_uint8
from pipeline.errors import DivergedError
from pipeline.gan.devices import Device
from pipeline.params import Sampling

BATCH = 250  # images at a time at most; recomputed statistics are averages over such batches
SEED = 2**40  # of the z that statistics are recomputed with: no seed of params.yaml reaches so far


def sample(G: nn.Module, z: Tensor, device: Device) -> np.ndarray:
    """uint8 images (n, c, h, w), one for each row of z (n, z_dim), from G in the mode it is in.

    DivergedError when they are not finite.
    """
    images = []
    for part in z.tensor_split(ceil(len(z) / BATCH)):
        with torch.no_grad(), device.autocast():
            fake = G(part.to(device.device))
        if not fake.isfinite().all():
            raise DivergedError("the generator makes images that are not finite: lower lr")
        images.append(to_uint8(fake).cpu().numpy())
    return np.concatenate(images)


@contextmanager
def evaluating(G: nn.Module, z_dim: int, sampling: Sampling, device: Device) -> Iterator[nn.Module]:
    """G in eval mode, with the batch-norm statistics that `sampling` asks for; afterwards G is what it was."""
    norms = [module for module in G.modules() if isinstance(module, _BatchNorm)]
    before = {key: value.clone() for key, value in G.state_dict().items()}
    momenta, training = [norm.momentum for norm in norms], G.training
    try:
        if sampling.batch_norm == "recomputed":
            for norm in norms:
                norm.reset_running_stats()
                norm.momentum = None  # a cumulative average in place of an exponential one
            z = torch.randn(sampling.statistics_images, z_dim, generator=torch.Generator().manual_seed(SEED))
            G.train()
            sample(G, z, device)
        yield G.eval()
    finally:
        for norm, momentum in zip(norms, momenta):
            norm.momentum = momentum
        G.load_state_dict(before)
        G.train(training)
