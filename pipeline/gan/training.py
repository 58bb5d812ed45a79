"""The training loop: a generator of progress, exactly resumable from its state.

One step as the slides' code does it: one z batch, one forward pass, G and D updated simultaneously, G's gradient
taken through D before its update. For a D that judges each image by itself one backward pass through D serves both
(`losses.gradient_ratio`), which saves a tenth of the time. The last batch of an epoch, or of the training, has fewer
real images and as many fakes as any other.
"""
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Adam

from pipeline.data.pixels import to_signed
from pipeline.errors import DivergedError
from pipeline.gan import losses
from pipeline.gan.devices import Device
from pipeline.gan.layers import Dropout
from pipeline.gan.networks import BatchNorm, Network, build
from pipeline.params import Run


@dataclass
class State:
    """Everything that training changes: the networks, their optimisers, the random numbers, and how far it is."""
    G: nn.Sequential
    D: nn.Sequential
    adam_G: Adam
    adam_D: Adam
    generator: torch.Generator
    z_dim: int
    images_seen: int = 0


@dataclass(frozen=True)
class Progress:
    """Where training is: images seen, whether an epoch ended, and the mean losses since the last progress."""
    images_seen: int
    epoch_ended: bool
    loss_D: float
    loss_G: float


def start(network: Network, run: Run, seed: int, device: Device) -> State:
    """An untrained state on `device`; every random number of the training follows from `seed`."""
    if any(isinstance(layer, BatchNorm) for layer in network.discriminator):
        raise ValueError("a simultaneous update needs a discriminator that judges each image by itself: no batch norm")
    initial = torch.Generator().manual_seed(seed)
    generator = initial if device.device.type == "cpu" else torch.Generator(device.device).manual_seed(seed)
    G, D = build(network, run.leak, initial)
    for module in D:
        if isinstance(module, Dropout):
            module.generator = generator
    G, D = G.to(device.device), D.to(device.device)
    adam_G, adam_D = (Adam(net.parameters(), run.lr, (run.beta1, 0.999), network.adam_epsilon, fused=True)
                      for net in (G, D))
    return State(G, D, adam_G, adam_D, generator, network.z_dim)


def train(state: State, images: np.ndarray, batch: int, total: int, seed: int, every: int,
          device: Device) -> Iterator[Progress]:
    """Trains `state` on uint8 `images` (n, c, h, w), in a new order every epoch, until it has seen `total` of them.

    Yields at every multiple of `every` images, or with the batch that passes it, and at the end of each epoch. A state
    that was saved at a yield goes on as if it had never stopped. DivergedError when a loss is not finite.
    """
    n, z_dim = len(images), state.z_dim
    state.G.train()
    state.D.train()
    while state.images_seen < total:
        epoch, done = divmod(state.images_seen, n)
        order = np.random.default_rng([seed, epoch]).permutation(n)
        stop = min(n, total - epoch * n)
        losses_seen, steps = torch.zeros(2, device=device.device), 0
        for begin in range(done, stop, batch):
            real = load(images, order[begin:min(begin + batch, stop)], device)
            z = torch.randn(batch, z_dim, generator=state.generator, device=device.device)
            losses_seen += step(state, real, z, device)
            steps += 1
            before, state.images_seen = state.images_seen, state.images_seen + len(real)
            if begin + batch >= stop or state.images_seen // every > before // every:
                yield progress(state.images_seen, state.images_seen % n == 0, losses_seen / steps)
                losses_seen, steps = torch.zeros_like(losses_seen), 0


def step(state: State, real: Tensor, z: Tensor, device: Device) -> Tensor:
    """One simultaneous update of both networks on `real` (n, c, h, w) and `z`; returns (loss_D, loss_G), before it."""
    G, D = state.G, state.D
    with device.autocast():
        fake = G(z)
        seen_by_D = fake.detach().requires_grad_()
        logits_real, logits_fake = D(real).float(), D(seen_by_D).float()
    loss_D, loss_G = losses.loss_D(logits_real, logits_fake), losses.loss_G(logits_fake)
    state.adam_D.zero_grad()
    state.adam_G.zero_grad()
    loss_D.backward(inputs=[*D.parameters(), seen_by_D])
    fake.backward(seen_by_D.grad * losses.gradient_ratio(logits_fake.detach())[:, :, None, None])
    state.adam_D.step()
    state.adam_G.step()
    return torch.stack([loss_D.detach(), loss_G.detach()])


def load(images: np.ndarray, index: np.ndarray, device: Device) -> Tensor:
    """The images at `index` on `device`, in -1..1; the copy to a GPU does not wait for it."""
    pixels = torch.from_numpy(images[index])
    if device.device.type == "cuda":
        pixels = pixels.pin_memory().to(device.device, non_blocking=True)
    return to_signed(pixels.to(device.device))


def progress(images_seen: int, epoch_ended: bool, mean: Tensor) -> Progress:
    """The progress with `mean` (loss_D, loss_G); DivergedError when they are not finite."""
    loss_D, loss_G = mean.tolist()
    if not (math.isfinite(loss_D) and math.isfinite(loss_G)):
        raise DivergedError(f"the losses left the finite numbers before image {images_seen:,} (loss_D {loss_D}, "
                            f"loss_G {loss_G}): lower lr")
    return Progress(images_seen, epoch_ended, loss_D, loss_G)
