"""The builder: descriptions of networks -> modules, with the weights that training starts from."""
from dataclasses import replace
from math import ceil, prod

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from pipeline.errors import InputError
from pipeline.gan import layers
from pipeline.gan.networks import (BatchNorm, Conv, ConvTranspose, Dense, Dropout, Flatten, Labels, Layer, Layers,
                                   LeakyReLU, MaxPool, Network, ReLU, Reshape, Sigmoid, Tanh, Upsample)

Shape = tuple[int, ...]


class Stack(nn.Sequential):
    """Modules in a row; `y`, one-hot labels (n, classes), goes to those that append it.

    Batch norm takes the statistics of each of the `parts`, so many images, by itself, one after the other.
    """

    def forward(self, x: Tensor, y: Tensor | None = None, parts: list[int] | None = None) -> Tensor:
        for module in self:
            if isinstance(module, layers.Labels):
                x = module(x, y)
            elif isinstance(module, _BatchNorm) and parts:
                x = torch.cat([module(part) for part in x.split(parts)])
            else:
                x = module(x)
        return x


def build(network: Network, leak: float, generator: torch.Generator) -> tuple[Stack, Stack]:
    """G and D of `network`, initialised from `generator`, from which D's dropout will draw as well.

    G: (n, z_dim) -> (n, *image) in network.low..1. D: (n, *image) -> (n, 1) logits. InputError when the layers do not
    fit together.
    """
    G = _stack("generator", network.generator, (network.z_dim,), network.image, network, leak, generator)
    D = _stack("discriminator", network.discriminator, network.image, (1,), network, leak, generator)
    return G, D


def classifier(network: Network, classes: int, leak: float, generator: torch.Generator) -> Stack:
    """D's layers with a logit for each class in place of one: (n, *image) -> (n, classes)."""
    layers = list(network.discriminator)
    last = max(i for i, layer in enumerate(layers) if isinstance(layer, Dense | Conv))
    match layers[last]:
        case Dense() as dense:
            layers[last] = replace(dense, units=classes)
        case Conv() as conv:
            layers[last] = replace(conv, channels=classes)
    return _stack("classifier", tuple(layers), network.image, (classes,), network, leak, generator)


def _stack(name: str, description: Layers, shape: Shape, wanted: Shape, network: Network, leak: float,
           generator: torch.Generator) -> Stack:
    modules = []
    with torch.device("meta"):
        for place, layer in enumerate(description):
            if problem := _problem(layer, shape, network.classes):
                raise InputError(f"{name}, layer {place}, {layer}: {shape} arrives, it wants {problem}")
            module, shape = _module(layer, shape, network.classes, leak, generator)
            modules.append(module)
    if shape != wanted:
        raise InputError(f"{name}: makes {shape} in the end, after {description[-1]}; expected {wanted}")
    stack = Stack(*modules).to_empty(device="cpu").to(memory_format=torch.channels_last)
    _initialise(stack, network.weights, generator)
    return stack


def _initialise(stack: Stack, weights: str, generator: torch.Generator) -> None:
    """Draws all weights; biases are 0."""
    for norm in stack:
        if isinstance(norm, _BatchNorm):
            norm.reset_parameters()
    for parameter in stack.parameters():
        if parameter.dim() > 1 and weights == "glorot":
            nn.init.xavier_uniform_(parameter, generator=generator)
        elif parameter.dim() > 1:
            # In the order of its memory, channels last, which is four times as fast as any other.
            memory = parameter.detach().permute(0, 2, 3, 1) if parameter.dim() == 4 else parameter
            nn.init.normal_(memory, 0.0, 0.02, generator=generator)
    for module in stack:
        if isinstance(module, _BatchNorm) and module.affine and weights == "normal":
            nn.init.normal_(module.weight, 1.0, 0.02, generator=generator)
        elif isinstance(module, nn.Linear | nn.Conv2d | nn.ConvTranspose2d) and module.bias is not None:
            nn.init.zeros_(module.bias)


def _problem(layer: Layer, shape: Shape, classes: int) -> str:
    """What `layer` wants instead of an input of `shape`, or ''."""
    match layer:
        case Dense() if len(shape) != 1:
            return "(inputs,): a Flatten before it"
        case Conv() | ConvTranspose() | Upsample() | MaxPool() | Flatten() if len(shape) != 3:
            return "(channels, height, width): a Reshape before it"
        case Conv(kernel=kernel, padding="valid") if min(shape[1:]) < kernel:
            return f"at least {kernel} x {kernel} pixels"
        case (Conv(kernel=kernel, stride=1, padding="half") | ConvTranspose(kernel=kernel, stride=1, padding="half")
              ) if kernel % 2 == 0:
            return "an odd kernel: with half padding an even one changes the size"
        case Reshape(channels, height, width) if shape != (channels * height * width,):
            return f"({channels * height * width},)"
        case Labels() if not classes:
            return "a network with classes"
    return ""


def _module(layer: Layer, shape: Shape, classes: int, leak: float, generator: torch.Generator,
            ) -> tuple[nn.Module, Shape]:
    """The module that `layer` describes, and the shape of one of its outputs, for inputs of `shape`."""
    match layer:
        case Dense(units, bias):
            return nn.Linear(shape[0], units, bias), (units,)
        case Conv() | ConvTranspose():
            return _convolution(layer, shape)
        case Upsample(factor):
            return nn.Upsample(scale_factor=factor), (shape[0], factor * shape[1], factor * shape[2])
        case MaxPool(size):
            return nn.MaxPool2d(size, ceil_mode=True), (shape[0], ceil(shape[1] / size), ceil(shape[2] / size))
        case BatchNorm(momentum, epsilon, affine):
            norm = nn.BatchNorm1d if len(shape) == 1 else nn.BatchNorm2d
            return norm(shape[0], epsilon, 1 - momentum, affine), shape
        case ReLU():
            return nn.ReLU(), shape
        case LeakyReLU():
            return nn.LeakyReLU(leak), shape
        case Dropout(p):
            return layers.Dropout(p, generator), shape
        case Reshape(channels, height, width):
            return layers.Reshape(channels, height, width), (channels, height, width)
        case Flatten():
            return layers.Flatten(), (prod(shape),)
        case Labels():
            return layers.Labels(), (shape[0] + classes, *shape[1:])
        case Tanh():
            return nn.Tanh(), shape
        case Sigmoid():
            return nn.Sigmoid(), shape


def _convolution(layer: Conv | ConvTranspose, shape: Shape) -> tuple[nn.Module, Shape]:
    """The convolution that `layer` describes, and the shape of one of its outputs."""
    down, kernel, stride = isinstance(layer, Conv), layer.kernel, layer.stride
    if layer.padding == "same":
        same = layers.SameConv2d if down else layers.SameConvTranspose2d
        size = [ceil(pixels / stride) if down else pixels * stride for pixels in shape[1:]]
        return same(shape[0], layer.channels, kernel, stride, layer.bias), (layer.channels, *size)
    half = layer.padding == "half"
    padding = (kernel - 1) // 2 if half else 0
    if down:
        size = [(pixels + 2 * padding - kernel) // stride + 1 for pixels in shape[1:]]
        conv = layers.Conv2d if half else layers.MapToPixel if shape[1:] == (kernel, kernel) else nn.Conv2d
        return conv(shape[0], layer.channels, kernel, stride, padding, bias=layer.bias), (layer.channels, *size)
    behind = stride + 2 * padding - kernel if half else 0
    size = [(pixels - 1) * stride + kernel - 2 * padding + behind for pixels in shape[1:]]
    transpose = layers.ConvTranspose2d if half else layers.PixelToMap if shape[1:] == (1, 1) else nn.ConvTranspose2d
    return (transpose(shape[0], layer.channels, kernel, stride, padding, behind, bias=layer.bias),
            (layer.channels, *size))
