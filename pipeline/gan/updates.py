"""What one mini-batch does to both networks, in the three orders that the literature has.

simultaneous   both at once from one forward pass, G's gradient taken through D before its update (TensorFlow's DCGAN
               tutorial, the slides, the article)
D then G       D first, then G against the new D, with the same z (Udacity; PyTorch's example)
alternating    one mini-batch updates G, the next D (Newmu/dcgan_code)

Every rule returns (loss_D, loss_G) as they were when their batch was seen. Batch norm in D takes its statistics of the
real images first, then of the fakes.
"""
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim import Optimizer

from pipeline.gan import losses, networks
from pipeline.gan.build import Stack
from pipeline.gan.devices import Device
from pipeline.gan.networks import Network
from pipeline.params.sections import Run


@dataclass
class State:
    """Everything that training changes: the networks, their optimisers, the random numbers, and how far it is."""
    G: Stack
    D: Stack
    optimiser_G: Optimizer
    optimiser_D: Optimizer
    generator: torch.Generator
    network: Network
    lr: float
    images_seen: int = 0


@dataclass(frozen=True)
class Batch:
    """Real images (n, c, h, w), one-hot labels (n, classes) or None, and z (m, z_dim), with labels m = n."""
    real: Tensor
    y: Tensor | None
    z: Tensor


def optimiser(network: Network, net: nn.Module, run: Run) -> Optimizer:
    """The network's optimiser for the weights of `net`, with the run's learning rate and beta1."""
    match network.optimiser:
        case networks.Adam(epsilon, weight_decay):
            return torch.optim.Adam(net.parameters(), run.lr, (run.beta1, 0.999), epsilon, weight_decay, fused=True)
        case networks.SGD(weight_decay):
            return torch.optim.SGD(net.parameters(), run.lr, run.beta1, weight_decay=weight_decay)


def set_rate(state: State, factor: float) -> None:
    """The learning rate of both networks is the run's times `factor`."""
    for chosen in (state.optimiser_G, state.optimiser_D):
        for group in chosen.param_groups:
            group["lr"] = state.lr * factor


def simultaneous(state: State, batch: Batch, turn: int, device: Device) -> Tensor:
    """For a D that judges each image by itself one backward pass through D serves both networks
    (`losses.gradient_ratio`), which saves a tenth of the time.
    """
    G, D = state.G, state.D
    at_once = device.fast and not any(isinstance(module, _BatchNorm) for module in D)
    with device.arithmetic():
        fake = G(batch.z, batch.y)
        seen_by_D = fake.detach().requires_grad_()
        logits_real, logits_fake = (together if at_once else apart)(D, batch, seen_by_D)
    loss_D, loss_G = losses.loss_D(logits_real, logits_fake), losses.loss_G(logits_fake)
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
    with device.arithmetic():
        fake = state.G(batch.z, batch.y)
    loss_D = losses.loss_D(*update_D(state, batch, fake.detach(), device))
    return torch.stack([loss_D, losses.loss_G(update_G(state, batch, fake, device))])


def alternating(state: State, batch: Batch, turn: int, device: Device) -> Tensor:
    """Even turns are G's, odd ones D's; at the real images of G's turns D only looks."""
    if turn % 2:
        with torch.no_grad(), device.arithmetic():
            fake = state.G(batch.z, batch.y)
        logits_real, logits_fake = update_D(state, batch, fake, device)
    else:
        with device.arithmetic():
            fake = state.G(batch.z, batch.y)
            with torch.no_grad():
                logits_real = state.D(batch.real, batch.y).float()
        logits_fake = update_G(state, batch, fake, device)
    return torch.stack([losses.loss_D(logits_real, logits_fake), losses.loss_G(logits_fake)])


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
    losses.loss_D(logits_real, logits_fake).backward()
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
