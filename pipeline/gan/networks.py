"""The literature's networks as data, and the builder that turns a description into modules.

`NETWORKS` holds them side by side. Discriminators return logits.
"""
from dataclasses import dataclass
from math import ceil, prod

import torch
from torch import nn

from pipeline.gan import layers


@dataclass(frozen=True)
class Dense:
    """(n, inputs) -> (n, units)."""
    units: int
    bias: bool = True


@dataclass(frozen=True)
class Conv:
    """(c, h, w) -> (channels, ceil(h / stride), ceil(w / stride)), padded as Keras' 'same'."""
    channels: int
    kernel: int
    stride: int
    bias: bool = True


@dataclass(frozen=True)
class ConvTranspose:
    """(c, h, w) -> (channels, stride * h, stride * w), cropped as Keras' 'same'."""
    channels: int
    kernel: int
    stride: int
    bias: bool = True


@dataclass(frozen=True)
class BatchNorm:
    """Per unit before a `Reshape`, per channel after it. Running averages keep `momentum` of themselves per update."""
    momentum: float
    epsilon: float


@dataclass(frozen=True)
class LeakyReLU:
    """Slope below zero: the run's `leak`."""


@dataclass(frozen=True)
class Dropout:
    """Zeroes values with probability p, in training only."""
    p: float


@dataclass(frozen=True)
class Reshape:
    """(n, height * width * channels) -> (n, channels, height, width)."""
    channels: int
    height: int
    width: int


@dataclass(frozen=True)
class Flatten:
    """(n, channels, height, width) -> (n, height * width * channels)."""


@dataclass(frozen=True)
class Tanh:
    """Images in -1..1."""


Layer = Dense | Conv | ConvTranspose | BatchNorm | LeakyReLU | Dropout | Reshape | Flatten | Tanh


@dataclass(frozen=True)
class Network:
    """A generator from z ~ N(0, 1) of `z_dim` numbers to images of shape `image`, its discriminator, Adam's epsilon."""
    z_dim: int
    image: tuple[int, int, int]
    generator: tuple[Layer, ...]
    discriminator: tuple[Layer, ...]
    adam_epsilon: float


KERAS_BATCH_NORM = BatchNorm(momentum=0.99, epsilon=1e-3)

NETWORKS = {
    # D. Nguyen, "DCGAN", slides and notebook, Hochschule Offenburg 2020, after TensorFlow's DCGAN tutorial: LeakyReLU
    # in both networks, dropout and no batch norm in D, Keras' defaults. Departures: running variances carry Bessel's
    # correction in the dense batch norm as well (Keras: in the others only; 1 % at batch 100); Adam adds epsilon after
    # its bias correction, Keras before it (equal after a few thousand updates).
    "slides": Network(
        z_dim=100,
        image=(1, 28, 28),
        generator=(
            Dense(7 * 7 * 256, bias=False), KERAS_BATCH_NORM, LeakyReLU(), Reshape(256, 7, 7),
            ConvTranspose(128, kernel=5, stride=1, bias=False), KERAS_BATCH_NORM, LeakyReLU(),
            ConvTranspose(64, kernel=5, stride=2, bias=False), KERAS_BATCH_NORM, LeakyReLU(),
            ConvTranspose(1, kernel=5, stride=2, bias=False), Tanh()),
        discriminator=(
            Conv(64, kernel=5, stride=2), LeakyReLU(), Dropout(0.3),
            Conv(128, kernel=5, stride=2), LeakyReLU(), Dropout(0.3),
            Flatten(), Dense(1)),
        adam_epsilon=1e-7),
}


def build(network: Network, leak: float, generator: torch.Generator) -> tuple[nn.Sequential, nn.Sequential]:
    """G and D of `network`, initialised from `generator`, from which D's dropout will draw as well.

    G: (n, z_dim) -> (n, *image) in -1..1. D: (n, *image) -> (n, 1) logits.
    """
    G = _stack(network.generator, (network.z_dim,), leak, generator)
    D = _stack(network.discriminator, network.image, leak, generator)
    return G, D


def _stack(description: tuple[Layer, ...], shape: tuple[int, ...], leak: float,
           generator: torch.Generator) -> nn.Sequential:
    modules = []
    for layer in description:
        module, shape = _module(layer, shape, leak, generator)
        modules.append(module)
    stack = nn.Sequential(*modules).to(memory_format=torch.channels_last)
    for parameter in stack.parameters():
        if parameter.dim() > 1:  # Keras' glorot_uniform; biases 0, batch norm's scales 1
            nn.init.xavier_uniform_(parameter, generator=generator)
    for module in stack:
        if isinstance(module, (nn.Linear, nn.Conv2d)) and module.bias is not None:
            nn.init.zeros_(module.bias)
    return stack


def _module(layer: Layer, shape: tuple[int, ...], leak: float,
            generator: torch.Generator) -> tuple[nn.Module, tuple[int, ...]]:
    """The module that `layer` describes, and the shape of one of its outputs, for inputs of `shape`."""
    match layer:
        case Dense(units, bias):
            return nn.Linear(shape[0], units, bias), (units,)
        case Conv(channels, kernel, stride, bias):
            size = tuple(ceil(pixels / stride) for pixels in shape[1:])
            return layers.SameConv2d(shape[0], channels, kernel, stride, bias), (channels, *size)
        case ConvTranspose(channels, kernel, stride, bias):
            size = tuple(pixels * stride for pixels in shape[1:])
            return layers.SameConvTranspose2d(shape[0], channels, kernel, stride, bias), (channels, *size)
        case BatchNorm(momentum, epsilon):
            norm = nn.BatchNorm1d if len(shape) == 1 else nn.BatchNorm2d
            return norm(shape[0], epsilon, 1 - momentum), shape
        case LeakyReLU():
            return nn.LeakyReLU(leak), shape
        case Dropout(p):
            return layers.Dropout(p, generator), shape
        case Reshape(channels, height, width):
            return layers.Reshape(channels, height, width), (channels, height, width)
        case Flatten():
            return layers.Flatten(), (prod(shape),)
        case Tanh():
            return nn.Tanh(), shape
