"""What PyTorch lacks or pads differently: Keras' 'same' convolutions, channels-last reshapes, labels, a cheap dropout.

Keras pads a convolution of kernel k and stride s so that n pixels become ceil(n / s), with the odd pixel of padding
behind the image; PyTorch's symmetric padding shifts the result by one pixel at k = 5, s = 2. Images are (n, channels,
height, width), stored channels last.
"""
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pipeline.gan import fourier


class SameConv2d(nn.Conv2d):
    """Convolution with Keras' 'same' padding: (n, c, h, w) -> (n, out, ceil(h / stride), ceil(w / stride))."""

    def __init__(self, channels: int, out: int, kernel: int, stride: int, bias: bool):
        super().__init__(channels, out, kernel, stride, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        (kernel, _), (stride, _) = self.kernel_size, self.stride
        top, bottom = same_padding(x.shape[2], kernel, stride)
        left, right = same_padding(x.shape[3], kernel, stride)
        if (top, left) == (bottom, right):
            return F.conv2d(x, self.weight, self.bias, stride, (top, left))
        return F.conv2d(F.pad(x, (left, right, top, bottom)), self.weight, self.bias, stride)


class SameConvTranspose2d(nn.ConvTranspose2d):
    """The transpose of `SameConv2d`: (n, c, h, w) -> (n, out, stride * h, stride * w)."""

    def __init__(self, channels: int, out: int, kernel: int, stride: int, bias: bool):
        self.before, _ = same_padding(stride * kernel, kernel, stride)
        super().__init__(channels, out, kernel, stride, self.before, bias=bias)

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        if self.bias is None and self.stride == (1, 1) and fourier.pays(x):
            return fourier.conv_transpose2d(x, self.weight, self.before)
        height, width = (stride * size for stride, size in zip(self.stride, x.shape[2:]))
        # The crop before the image is PyTorch's `padding`; what is too much behind it is cut off here. Batch norm's
        # backward pass is ten times slower on the strides of a cut.
        return super().forward(x)[:, :, :height, :width].contiguous(memory_format=torch.channels_last)


def same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Pixels of padding before and after an axis of `size` pixels."""
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


class Reshape(nn.Module):
    """(n, height * width * channels) -> (n, channels, height, width), in Keras' channels-last order: no copy."""

    def __init__(self, channels: int, height: int, width: int):
        super().__init__()
        self.shape = (height, width, channels)

    def forward(self, x: Tensor) -> Tensor:
        return x.unflatten(1, self.shape).permute(0, 3, 1, 2)


class Flatten(nn.Module):
    """(n, channels, height, width) -> (n, height * width * channels), in Keras' channels-last order: no copy."""

    def forward(self, x: Tensor) -> Tensor:
        return x.permute(0, 2, 3, 1).flatten(1)


class Labels(nn.Module):
    """Appends one-hot labels y (n, classes): (n, c) -> (n, c + classes), (n, c, h, w) -> (n, c + classes, h, w)."""

    def forward(self, x: Tensor, y: Tensor | None) -> Tensor:
        if y is None:
            raise ValueError("a conditional network needs labels")
        if x.dim() == 2:
            return torch.cat([x, y.to(x.dtype)], 1)
        maps = y.to(x.dtype)[:, :, None, None].expand(-1, -1, *x.shape[2:])
        return torch.cat([x, maps], 1).contiguous(memory_format=torch.channels_last)


class Dropout(nn.Module):
    """In training, zeroes each value with probability p and scales the rest by 1 / (1 - p); p is exact to 1/65536.

    On the CPU drawing `bernoulli_` masks is a third of a training step; 64-bit integers seen as four 16-bit ones and
    compared with a threshold cost a quarter of that.
    """

    def __init__(self, p: float, generator: torch.Generator):
        super().__init__()
        self.dropped = round(65536 * p)
        self.generator = generator

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return x
        if x.device.type == "cpu":
            keep = (random_int16(x, self.generator) >= self.dropped - 32768).to(x.dtype)
        else:
            keep = torch.empty_like(x).bernoulli_(1 - self.dropped / 65536, generator=self.generator)
        return x * keep.mul_(65536 / (65536 - self.dropped))


def random_int16(like: Tensor, generator: torch.Generator) -> Tensor:
    """Uniform int16 of the shape and memory order of `like`, on the CPU."""
    words = torch.empty(-(-like.numel() // 4), dtype=torch.int64)
    # The whole range has to be named: a plain random_() leaves the top bit 0, so every fourth number would be >= 0.
    words.random_(-2**63, None, generator=generator)
    return words.view(torch.int16)[:like.numel()].as_strided(like.shape, like.stride())
