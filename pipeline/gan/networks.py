"""Networks as data: what a layer is, what a network is, and how wide it is. `build.py` turns them into modules.

Images are (channels, height, width). Discriminators end in a logit.
"""
from dataclasses import dataclass, replace
from typing import Literal

# What becomes of n pixels under stride s. same: Keras' padding, ceil(n / s) for any kernel, the odd pixel of padding
# behind the image. half: PyTorch's and Theano's, (kernel - 1) // 2 pixels on both sides. valid: none.
Padding = Literal["same", "half", "valid"]


@dataclass(frozen=True)
class Dense:
    """(inputs,) -> (units,)."""
    units: int
    bias: bool = True


@dataclass(frozen=True)
class Conv:
    """(c, h, w) -> (channels, h / stride, w / stride), by its padding."""
    channels: int
    kernel: int
    stride: int
    padding: Padding
    bias: bool = True


@dataclass(frozen=True)
class ConvTranspose:
    """(c, h, w) -> (channels, stride * h, stride * w): the transpose of a `Conv` of the same padding.

    With `valid` padding there is no image to shrink to: h pixels become (h - 1) * stride + kernel.
    """
    channels: int
    kernel: int
    stride: int
    padding: Padding
    bias: bool = True


@dataclass(frozen=True)
class Upsample:
    """(c, h, w) -> (c, factor * h, factor * w), each pixel repeated."""
    factor: int


@dataclass(frozen=True)
class MaxPool:
    """(c, h, w) -> (c, ceil(h / size), ceil(w / size)), the largest of each size x size pixels."""
    size: int


@dataclass(frozen=True)
class BatchNorm:
    """Per unit of vectors, per channel of images. Running averages keep `momentum` of themselves per update."""
    momentum: float
    epsilon: float
    affine: bool = True


@dataclass(frozen=True)
class ReLU:
    """max(0, x)."""


@dataclass(frozen=True)
class LeakyReLU:
    """Slope below zero: the run's `leak`."""


@dataclass(frozen=True)
class Dropout:
    """Zeroes values with probability p, in training only."""
    p: float


@dataclass(frozen=True)
class Reshape:
    """(height * width * channels,) -> (channels, height, width)."""
    channels: int
    height: int
    width: int


@dataclass(frozen=True)
class Flatten:
    """(channels, height, width) -> (height * width * channels,)."""


@dataclass(frozen=True)
class Labels:
    """Appends the one-hot label: (inputs,) -> (inputs + classes,), (c, h, w) -> (c + classes, h, w)."""


@dataclass(frozen=True)
class Tanh:
    """Images in -1..1."""


@dataclass(frozen=True)
class Sigmoid:
    """Images in 0..1."""


Layer = (Dense | Conv | ConvTranspose | Upsample | MaxPool | BatchNorm | ReLU | LeakyReLU | Dropout | Reshape | Flatten
         | Labels | Tanh | Sigmoid)
Layers = tuple[Layer, ...]


@dataclass(frozen=True)
class Adam:
    """Kingma & Ba 2015 with the run's lr and beta1, beta2 .999; `weight_decay` is an L2 penalty's gradient."""
    epsilon: float
    weight_decay: float = 0.0


@dataclass(frozen=True)
class SGD:
    """Gradient descent with the run's lr; its beta1 is the momentum."""
    weight_decay: float = 0.0


@dataclass(frozen=True)
class Network:
    """A pair of networks, and what its source fixes about their training.

    `prior` is the distribution of the `z_dim` numbers of z: standard normal, or uniform over -1..1. With `classes`
    both networks are conditioned on the label. `weights` are drawn from Keras' glorot_uniform or from N(0, 0.02), batch
    norm's scales then from N(1, 0.02). `updates` of a mini-batch: both networks at once from one forward pass; D, then
    G against the new D with the same z; or only one of them, G and D alternating. An epoch's last mini-batch of
    real images may be short; then there is `a whole batch` of fakes, or `as many` as real images, which a conditional
    network needs.
    """
    image: tuple[int, int, int]
    z_dim: int
    prior: Literal["normal", "uniform"]
    generator: Layers
    discriminator: Layers
    weights: Literal["glorot", "normal"]
    optimiser: Adam | SGD
    updates: Literal["simultaneous", "D then G", "alternating"]
    classes: int = 0
    last_fakes: Literal["a whole batch", "as many"] = "as many"

    @property
    def low(self) -> float:
        """The value of a black pixel; a white one is 1."""
        return 0.0 if self.generator[-1] == Sigmoid() else -1.0


def scaled(network: Network, width: float) -> Network:
    """`network` with `width` times as many channels and units everywhere but at its ends, rounded, at least 1."""
    return replace(network, generator=_scaled(network.generator, width),
                   discriminator=_scaled(network.discriminator, width))


def _scaled(layers: Layers, width: float) -> Layers:
    def times(count: int) -> int:
        return max(1, round(count * width))

    weighted = [i for i, layer in enumerate(layers) if isinstance(layer, Dense | Conv | ConvTranspose)]
    result = list(layers)
    for i, layer in enumerate(layers):
        shape = next((after for after in layers[i:] if isinstance(after, Reshape | Dense) and after is not layer), None)
        if i == weighted[-1]:
            continue
        if isinstance(layer, Dense) and isinstance(shape, Reshape):
            result[i] = replace(layer, units=times(shape.channels) * shape.height * shape.width)
        elif isinstance(layer, Dense):
            result[i] = replace(layer, units=times(layer.units))
        elif isinstance(layer, Conv | ConvTranspose):
            result[i] = replace(layer, channels=times(layer.channels))
        elif isinstance(layer, Reshape) and i > weighted[0]:  # before it is z itself
            result[i] = replace(layer, channels=times(layer.channels))
    return tuple(result)
