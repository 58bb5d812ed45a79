"""What one mini-batch does to both networks, in the three orders that the literature has.

simultaneous   both at once from one forward pass, G's gradient taken through D before its update (TensorFlow's DCGAN
               tutorial, the slides, the article)
D then G       D first, then G against the new D, with the same z (Udacity; PyTorch's example)
alternating    one mini-batch updates G, the next D (Newmu/dcgan_code)

Of d_steps mini-batches in a row (alternating: of d_steps + 1) one updates G; the others update D only. Every rule
returns (loss_D, loss_G) as they were when their batch was seen. Batch norm in D takes its statistics of the real images
first, then of the fakes.
"""
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim import Optimizer

from pipeline.gan import losses, networks
from pipeline.gan.build import Stack
from pipeline.gan.devices import Device
from pipeline.gan.networks import Network
from pipeline.params.sections import Run


@dataclass
class State:
    """Everything that training changes: the networks, their optimisers, the random numbers, and how far it is.

    `average` is the exponential average of G's weights, if the run has one; its batch norms have no averages of their
    own, so it samples with recomputed statistics.
    """
    G: Stack
    D: Stack
    optimiser_G: Optimizer
    optimiser_D: Optimizer
    generator: torch.Generator
    network: Network
    run: Run
    average: Stack | None = None
    images_seen: int = 0


@dataclass(frozen=True)
class Batch:
    """Real images (n, c, h, w), one-hot labels (n, classes) or None, and z (m, z_dim), with labels m = n."""
    real: Tensor
    y: Tensor | None
    z: Tensor


def optimisers(network: Network, G: Stack, D: Stack, run: Run) -> tuple[Optimizer, Optimizer]:
    """The network's optimisers for the weights of G and of D, with the run's learning rates and beta1."""
    def of(net: Stack, lr: float) -> Optimizer:
        match network.optimiser:
            case networks.Adam(epsilon, weight_decay):
                return torch.optim.Adam(net.parameters(), lr, (run.beta1, 0.999), epsilon, weight_decay, fused=True)
            case networks.SGD(weight_decay):
                return torch.optim.SGD(net.parameters(), lr, run.beta1, weight_decay=weight_decay)

    return of(G, run.rates[0]), of(D, run.rates[1])


def set_rate(state: State, factor: float) -> None:
    """The learning rate of either network is the run's times `factor`."""
    for chosen, lr in zip((state.optimiser_G, state.optimiser_D), state.run.rates):
        for group in chosen.param_groups:
            group["lr"] = lr * factor


@torch.no_grad()
def follow(average: Stack, G: Stack, decay: float, turn: int) -> None:
    """Moves the weights of `average` towards G's after mini-batch `turn`, counted from 0.

    The average keeps `decay` of itself, and less at the beginning, (1 + turn) / (10 + turn), so that a short training
    is not an average of what it began with (as TensorFlow's ExponentialMovingAverage has it).
    """
    kept = min(decay, (1 + turn) / (10 + turn))
    torch._foreach_lerp_([*average.parameters()], [*G.parameters()], 1 - kept)


def simultaneous(state: State, batch: Batch, turn: int, device: Device) -> Tensor:
    """For a D that judges each image by itself one backward pass through D serves both networks
    (`losses.gradient_ratio`), which saves a tenth of the time.
    """
    if (turn + 1) % state.run.d_steps:
        return D_only(state, batch, device)
    G, D = state.G, state.D
    at_once = device.fast and not any(isinstance(module, _BatchNorm) for module in D)
    with device.arithmetic():
        fake = G(batch.z, batch.y)
        seen_by_D = fake.detach().requires_grad_()
        logits_real, logits_fake = (together if at_once else apart)(D, batch, seen_by_D)
    loss_D = losses.loss_D(logits_real, logits_fake, state.run.label_smoothing)
    loss_G = losses.loss_G(logits_fake)
    state.optimiser_D.zero_grad()
    state.optimiser_G.zero_grad()
    if at_once:
        loss_D.backward(inputs=[*D.parameters(), seen_by_D])
        gradient = seen_by_D.grad * losses.gradient_ratio(logits_fake.detach())[:, :, None, None]
    else:
        loss_G.backward(inputs=[seen_by_D], retain_graph=True)
        gradient = seen_by_D.grad
        loss_D.backward(inputs=[*D.parameters()])
    fake.backward(gradient)
    state.optimiser_D.step()
    state.optimiser_G.step()
    return torch.stack([loss_D.detach(), loss_G.detach()])


def D_then_G(state: State, batch: Batch, turn: int, device: Device) -> Tensor:
    """The fakes that D was trained against are those that G is judged by."""
    if (turn + 1) % state.run.d_steps:
        return D_only(state, batch, device)
    with device.arithmetic():
        fake = state.G(batch.z, batch.y)
    loss_D = losses.loss_D(*update_D(state, batch, fake.detach(), device), state.run.label_smoothing)
    return torch.stack([loss_D, losses.loss_G(update_G(state, batch, fake, device))])


def alternating(state: State, batch: Batch, turn: int, device: Device) -> Tensor:
    """Even turns are G's, odd ones D's, or every third, of two steps of D; at G's real images D only looks."""
    if turn % (state.run.d_steps + 1):
        return D_only(state, batch, device)
    with device.arithmetic():
        fake = state.G(batch.z, batch.y)
        with torch.no_grad():
            logits_real = state.D(batch.real, batch.y).float()
    logits_fake = update_G(state, batch, fake, device)
    return _both(state, logits_real, logits_fake)


def D_only(state: State, batch: Batch, device: Device) -> Tensor:
    """D is updated against fakes of a G that stays as it is, but for its batch norms' averages."""
    with torch.no_grad(), device.arithmetic():
        fake = state.G(batch.z, batch.y)
    return _both(state, *update_D(state, batch, fake, device))


def _both(state: State, logits_real: Tensor, logits_fake: Tensor) -> Tensor:
    return torch.stack([losses.loss_D(logits_real, logits_fake, state.run.label_smoothing), losses.loss_G(logits_fake)])


def apart(D: Stack, batch: Batch, fake: Tensor) -> tuple[Tensor, Tensor]:
    """D's logits of the real images and of `fake`, in two passes."""
    return D(batch.real, batch.y).float(), D(fake, batch.y).float()


def together(D: Stack, batch: Batch, fake: Tensor) -> tuple[Tensor, Tensor]:
    """The same in one pass, which is quicker."""
    halves = [len(batch.real), len(fake)]
    # The first layer sees them apart: where the gradient of fakes is asked for, that of real images is not.
    maps = torch.cat([D[:1](images, batch.y) for images in (batch.real, fake)])
    y = None if batch.y is None else torch.cat([batch.y, batch.y])
    logits_real, logits_fake = D[1:](maps, y, halves).float().split(halves)
    return logits_real, logits_fake


def update_D(state: State, batch: Batch, fake: Tensor, device: Device) -> tuple[Tensor, Tensor]:
    """One update of D; returns its logits of real and fake before it."""
    with device.arithmetic():
        logits_real, logits_fake = (together if device.fast else apart)(state.D, batch, fake)
    state.optimiser_D.zero_grad()
    losses.loss_D(logits_real, logits_fake, state.run.label_smoothing).backward()
    state.optimiser_D.step()
    return logits_real.detach(), logits_fake.detach()


def update_G(state: State, batch: Batch, fake: Tensor, device: Device) -> Tensor:
    """One update of G through D, which stays as it is; returns D's logits of `fake` before it."""
    state.D.requires_grad_(False)  # the quicker convolutions cannot see that nobody asks for gradients of its weights
    try:
        with device.arithmetic():
            logits_fake = state.D(fake, batch.y).float()
    finally:
        state.D.requires_grad_(True)
    state.optimiser_G.zero_grad()
    losses.loss_G(logits_fake).backward()
    state.optimiser_G.step()
    return logits_fake.detach()


RULES: dict[str, Callable[[State, Batch, int, Device], Tensor]] = {
    "simultaneous": simultaneous, "D then G": D_then_G, "alternating": alternating}
