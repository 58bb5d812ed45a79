"""The textbook's PyTorch: float32, a DataLoader over tensors, D's step as two backward passes, then G's.

After the method of the public DCGAN example (pytorch/examples, dcgan/main.py), with the order of updates that the
network's source has: `simultaneous` is done as that example does it, D first.
"""
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

from pipeline.gan.networks import (BatchNorm, Conv, ConvTranspose, Dense, Dropout, Flatten, Layers, LeakyReLU, Network,
                                   ReLU, Reshape, Tanh)


def trainer(network: Network, images: np.ndarray, batch: int) -> Callable[[], None]:
    """A function that takes one training step on uint8 `images`."""
    torch.manual_seed(0)
    G, D = plain(network.generator), plain(network.discriminator)
    D(G(torch.randn(2, network.z_dim)))  # lazy layers learn their shapes
    adam_G, adam_D = (torch.optim.Adam(net.parameters(), 2e-4, (0.5, 0.999)) for net in (G, D))
    source = batches(images, batch)
    bce, turn = F.binary_cross_entropy_with_logits, 0

    def update_D(real: Tensor, fake: Tensor) -> None:
        adam_D.zero_grad()
        bce(D(real), torch.ones(batch, 1)).backward()
        bce(D(fake.detach()), torch.zeros(batch, 1)).backward()
        adam_D.step()

    def update_G(fake: Tensor) -> None:
        adam_G.zero_grad()
        bce(D(fake), torch.ones(batch, 1)).backward()
        adam_G.step()

    def step() -> None:
        nonlocal turn
        real, fake = next(source), G(torch.randn(batch, network.z_dim))
        if network.updates != "in turns" or turn % 2:
            update_D(real, fake)
        if network.updates != "in turns" or turn % 2 == 0:
            update_G(fake)
        turn += 1

    return step


def sampler(network: Network, count: int) -> Callable[[], None]:
    """A function that makes `count` images with batch norm's averages, a thousand at a time."""
    G = plain(network.generator)
    G(torch.randn(2, network.z_dim))
    G.eval()

    def sample() -> None:
        with torch.no_grad():
            for _ in range(count // 1000):
                G(torch.randn(1000, network.z_dim))

    return sample


def batches(images: np.ndarray, batch: int) -> Iterator[Tensor]:
    """Shuffled batches without end."""
    dataset = TensorDataset(torch.from_numpy(images).float() / 127.5 - 1)
    while True:
        for real, in DataLoader(dataset, batch, shuffle=True, drop_last=True):
            yield real


def plain(layers: Layers) -> nn.Sequential:
    """PyTorch's own layers; Keras' padding becomes the symmetric one, which is as much work."""
    modules: list[nn.Module] = []
    image = not isinstance(layers[0], Dense)
    for layer in layers:
        match layer:
            case Dense(units, bias):
                modules.append(nn.LazyLinear(units, bias))
            case Conv(channels, kernel, stride, padding, bias):
                modules.append(nn.LazyConv2d(channels, kernel, stride, _around(kernel, padding), bias=bias))
            case ConvTranspose(channels, kernel, stride, padding, bias):
                around = _around(kernel, padding)
                behind = 0 if padding == "valid" else stride + 2 * around - kernel
                modules.append(nn.LazyConvTranspose2d(channels, kernel, stride, around, behind, bias=bias))
            case BatchNorm(momentum, epsilon, affine):
                norm = nn.LazyBatchNorm2d if image else nn.LazyBatchNorm1d
                modules.append(norm(epsilon, 1 - momentum, affine))
            case ReLU():
                modules.append(nn.ReLU(True))
            case LeakyReLU():
                modules.append(nn.LeakyReLU(0.2, True))
            case Dropout(p):
                modules.append(nn.Dropout(p))
            case Reshape(channels, height, width):
                modules.append(nn.Unflatten(1, (channels, height, width)))
                image = True
            case Flatten():
                modules.append(nn.Flatten())
            case Tanh():
                modules.append(nn.Tanh())
            case _:
                raise ValueError(f"no textbook has {layer}")
    return nn.Sequential(*modules)


def _around(kernel: int, padding: str) -> int:
    return 0 if padding == "valid" else (kernel - 1) // 2
