"""What the literature advises or contrasts, each as a change that breaks it alone: Network -> Network.

Radford, Metz & Chintala 2016, arXiv 1511.06434, sec. 3, "Architecture guidelines for stable Deep Convolutional GANs",
and what the other sources do differently.
"""
from collections.abc import Callable
from dataclasses import replace

from pipeline.errors import InputError, suggestion
from pipeline.gan.networks import (SGD, BatchNorm, Conv, ConvTranspose, Dense, Flatten, Layer, Layers, LeakyReLU,
                                   MaxPool, Network, Padding, ReLU, Sigmoid, Tanh, Upsample)

HIDDEN_UNITS = 1024  # of the hidden dense layers in the paper's conditional MNIST networks


def violate(network: Network, guideline: str, name: str) -> Network:
    """`network`, called `name`, with one guideline broken; InputError when there is none of that name to break."""
    if guideline not in VIOLATIONS:
        raise InputError(f"violate: no guideline {guideline!r}{suggestion(guideline, VIOLATIONS)}; there are "
                         f"{', '.join(VIOLATIONS)}")
    broken = VIOLATIONS[guideline](network)
    if broken == network:
        raise InputError(f"violate: {guideline!r} changes nothing in {name}, which does not keep that guideline or has "
                         "no place to break it")
    return broken


def pooling(network: Network) -> Network:
    """D shrinks by max-pooling after each activation, not by strides."""
    layers: list[Layer] = []
    size = 1
    for layer in network.discriminator:
        if isinstance(layer, Conv) and layer.stride > 1:
            layer, size = replace(layer, stride=1, padding=_centred(layer)), layer.stride
        layers.append(layer)
        if size > 1 and isinstance(layer, LeakyReLU | ReLU):
            layers.append(MaxPool(size))
            size = 1
    return replace(network, discriminator=tuple(layers))


def no_batch_norm_G(network: Network) -> Network:
    """G without batch norm; the layers before it get biases in place of its shift."""
    return replace(network, generator=_without_batch_norm(network.generator))


def no_batch_norm_D(network: Network) -> Network:
    """D without batch norm; the layers before it get biases in place of its shift."""
    return replace(network, discriminator=_without_batch_norm(network.discriminator))


def no_batch_norm(network: Network) -> Network:
    """Neither network has batch norm."""
    return no_batch_norm_D(no_batch_norm_G(network))


def batch_norm_everywhere(network: Network) -> Network:
    """Batch norm also at G's output and at D's input, which the paper leaves without."""
    norm = next((layer for layer in network.generator + network.discriminator if isinstance(layer, BatchNorm)), None)
    if norm is None:
        return network

    def normalised(layers: Layers, place: int) -> Layers:
        layer = layers[place]
        if not isinstance(layer, Dense | Conv | ConvTranspose) or isinstance(layers[place + 1], BatchNorm):
            return layers
        return *layers[:place], replace(layer, bias=False), norm, *layers[place + 1:]

    G, D = network.generator, network.discriminator
    last = max(i for i, layer in enumerate(G) if isinstance(layer, Dense | Conv | ConvTranspose))
    first = next(i for i, layer in enumerate(D) if isinstance(layer, Dense | Conv))
    return replace(network, generator=normalised(G, last), discriminator=normalised(D, first))


def hidden_dense(network: Network) -> Network:
    """A hidden fully connected layer at G's beginning and at D's end, normalised as the others are."""
    def hidden(layers: Layers, activation: Layer) -> Layers:
        norm = next(((layer,) for layer in layers if isinstance(layer, BatchNorm)), ())
        return Dense(HIDDEN_UNITS, bias=not norm), *norm, activation

    G, D = network.generator, network.discriminator
    if not (isinstance(G[0], Dense) and D[-2:] == (Flatten(), D[-1]) and isinstance(D[-1], Dense)):
        return network
    slope = next(layer for layer in G if isinstance(layer, LeakyReLU | ReLU))
    return replace(network, generator=hidden(G, slope) + G,
                   discriminator=D[:-1] + hidden(D, LeakyReLU()) + D[-1:])


def relu_D(network: Network) -> Network:
    """D's activations are ReLU, not LeakyReLU."""
    return replace(network, discriminator=_exchanged(network.discriminator, LeakyReLU(), ReLU()))


def leaky_relu_G(network: Network) -> Network:
    """G's activations are LeakyReLU, not ReLU."""
    return replace(network, generator=_exchanged(network.generator, ReLU(), LeakyReLU()))


def sigmoid(network: Network) -> Network:
    """G ends in a sigmoid, not in tanh: images are in 0..1."""
    return replace(network, generator=_exchanged(network.generator, Tanh(), Sigmoid()))


def nearest(network: Network) -> Network:
    """G grows by repeating pixels before a convolution, not by transposed convolutions with strides."""
    layers: list[Layer] = []
    for layer in network.generator:
        if isinstance(layer, ConvTranspose) and layer.stride > 1:
            layers += [Upsample(layer.stride), Conv(layer.channels, layer.kernel, 1, _centred(layer), layer.bias)]
        else:
            layers.append(layer)
    return replace(network, generator=tuple(layers))


def normal_z(network: Network) -> Network:
    """z is standard normal, not uniform."""
    return replace(network, prior="normal")


def sgd(network: Network) -> Network:
    """Gradient descent with momentum, not Adam; the weight decay stays."""
    return replace(network, optimiser=SGD(network.optimiser.weight_decay))


VIOLATIONS: dict[str, Callable[[Network], Network]] = {
    change.__name__: change for change in (pooling, no_batch_norm_G, no_batch_norm_D, no_batch_norm,
                                           batch_norm_everywhere, hidden_dense, relu_D, leaky_relu_G, sigmoid, nearest,
                                           normal_z, sgd)}


def _exchanged(layers: Layers, old: Layer, new: Layer) -> Layers:
    return tuple(new if layer == old else layer for layer in layers)


def _centred(layer: Conv | ConvTranspose) -> Padding:
    """The padding that keeps the size at stride 1: an even kernel has no middle."""
    return layer.padding if layer.kernel % 2 else "same"


def _without_batch_norm(layers: Layers) -> Layers:
    kept: list[Layer] = []
    for layer in layers:
        if isinstance(layer, BatchNorm):
            place, before = [(i, before) for i, before in enumerate(kept)
                             if isinstance(before, Dense | Conv | ConvTranspose)][-1]
            kept[place] = replace(before, bias=True)
        else:
            kept.append(layer)
    return tuple(kept)
