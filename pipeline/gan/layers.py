"""What PyTorch lacks or pads differently: Keras' 'same' convolutions, channels-last reshapes, labels, a cheap dropout.

Keras pads a convolution of kernel k and stride s so that n pixels become ceil(n / s), with the odd pixel of padding
behind the image; PyTorch's symmetric padding shifts the result by one pixel at k = 5, s = 2. Images are (n, channels,
height, width), stored channels last.
"""
from types import ModuleType

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pipeline.gan import parallel
from pipeline.gan.fast import fourier, sub_pixel, switch, winograd


def quicker_way(x: Tensor, larger: torch.Size, weight: Tensor, stride: int, padding: int) -> ModuleType | None:
    """What beats the direct convolution of x with weight (c, out, k, k) to or from a map of `larger` pixels, if any.

    None has been measured, or is taken, elsewhere than on the CPU, and all of them want a map of whole strides.
    """
    if switch.enabled() and weight.device.type == "cpu" and not any(pixels % stride for pixels in larger):
        for way in (sub_pixel, winograd, fourier):
            if way.pays(larger, weight, stride, padding, switch.precision(x)):
                return way
    return None


class Conv2d(nn.Conv2d):
    """PyTorch's convolution, padded symmetrically: (n, c, h, w) -> (n, out, ceil(h / stride), ceil(w / stride))."""

    def forward(self, x: Tensor) -> Tensor:
        assert isinstance(self.padding, tuple)
        stride, before = self.stride[0], self.padding[0]
        if quicker := quicker_way(x, x.shape[2:], self.weight, stride, before):
            return biased(quicker.conv2d(x, self.weight, stride, before), self.bias)
        return super().forward(x)


class SameConv2d(nn.Conv2d):
    """Convolution with Keras' 'same' padding: (n, c, h, w) -> (n, out, ceil(h / stride), ceil(w / stride))."""

    def __init__(self, channels: int, out: int, kernel: int, stride: int, bias: bool):
        super().__init__(channels, out, kernel, stride, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        (kernel, _), (stride, _) = self.kernel_size, self.stride
        (top, bottom), (left, right) = (same_padding(size, kernel, stride) for size in x.shape[2:])
        if quicker := quicker_way(x, x.shape[2:], self.weight, stride, top):
            return biased(quicker.conv2d(x, self.weight, stride, top), self.bias)
        if (top, left) == (bottom, right):
            return F.conv2d(x, self.weight, self.bias, stride, (top, left))
        return F.conv2d(F.pad(x, (left, right, top, bottom)), self.weight, self.bias, stride)


class ConvTranspose2d(nn.ConvTranspose2d):
    """The transpose of `Conv2d`: (n, c, h, w) -> (n, out, stride * h, stride * w)."""

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        assert isinstance(self.padding, tuple)
        stride, before = self.stride[0], self.padding[0]
        height, width = size = torch.Size(stride * pixels for pixels in x.shape[2:])
        if quicker := quicker_way(x, size, self.weight, stride, before):
            return biased(quicker.conv_transpose2d(x, self.weight, stride, before), self.bias)
        y = super().forward(x)
        if y.shape[2:] == size:
            return y
        # Batch norm's backward pass is ten times slower on the strides of a cut.
        return y[:, :, :height, :width].contiguous(memory_format=torch.channels_last)


class SameConvTranspose2d(ConvTranspose2d):
    """The transpose of `SameConv2d`: (n, c, h, w) -> (n, out, stride * h, stride * w).

    The crop before the image is PyTorch's `padding`; what is too much behind it is cut off.
    """

    def __init__(self, channels: int, out: int, kernel: int, stride: int, bias: bool):
        before, _ = same_padding(stride * kernel, kernel, stride)
        super().__init__(channels, out, kernel, stride, before, bias=bias)


class MapToPixel(nn.Conv2d):
    """Convolution by a kernel as large as the map: (n, c, k, k) -> (n, out, 1, 1)."""

    def forward(self, x: Tensor) -> Tensor:
        if not switch.enabled():
            return super().forward(x)
        return F.linear(_rows(x), _rows(self.weight), self.bias)[:, :, None, None]


class PixelToMap(nn.ConvTranspose2d):
    """The transpose of `MapToPixel`: (n, c, 1, 1) -> (n, out, k, k)."""

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        if not switch.enabled():
            return super().forward(x)
        y = torch.mm(x.flatten(1), _rows(self.weight)).unflatten(1, (*self.kernel_size, -1))
        return biased(y.permute(0, 3, 1, 2), self.bias)


def _rows(maps: Tensor) -> Tensor:
    """(n, c, h, w) -> (n, h * w * c); of channels-last maps no copy."""
    return maps.permute(0, 2, 3, 1).flatten(1)


def biased(x: Tensor, bias: Tensor | None) -> Tensor:
    """x (n, c, h, w) with `bias` (c,) added, if there is one."""
    return x if bias is None else x + bias.to(x.dtype)[:, None, None]


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

    On the CPU drawing `bernoulli_` masks is a third of a training step; a comparison of 16-bit random numbers costs a
    tenth of that, where nothing is converted.
    """

    def __init__(self, p: float, generator: torch.Generator):
        super().__init__()
        self.dropped = round(65536 * p)
        self.scale = 65536 / (65536 - self.dropped)
        self.generator = generator

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return x
        if x.device.type != "cpu" or not switch.enabled():
            everyones = torch.cat([torch.empty_like(x)] * parallel.count())
            keep = parallel.share(everyones.bernoulli_(1 - self.dropped / 65536, generator=self.generator))
            return x * keep.mul_(self.scale)
        keep = random_int16(x, self.generator).ge_(self.dropped - 32768)  # 1 or 0
        if x.dtype == torch.bfloat16:  # so many times the scale's bits are the scale or zero
            return x * keep.mul_(int(torch.tensor(self.scale, dtype=x.dtype).view(torch.int16))).view(x.dtype)
        return x * keep.to(x.dtype).mul_(self.scale)


def random_int16(like: Tensor, generator: torch.Generator) -> Tensor:
    """Uniform int16 of the shape and memory order of `like`, on the CPU, from SFC64 (Doty-Humphrey) seeded anew.

    Processes that train together have the same `generator` and draw other numbers.
    """
    seed = int(torch.randint(2**63 - 1, (), generator=generator))
    words = np.random.SFC64([seed, parallel.rank()]).random_raw(-(-like.numel() // 4))
    return torch.from_numpy(words.view(np.int16))[:like.numel()].as_strided(like.shape, like.stride())
