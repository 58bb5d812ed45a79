"""Convolutions between a map and an image of few channels, where the image is made by whole cells of pixels.

PyTorch's kernels are made for many channels: to make an image's three they take as long as for sixteen. A cell of
stride x stride pixels has stride ** 2 times as many, and a convolution of stride 1 makes it out of a few neighbours of
the map, with no more products where the stride divides the kernel; else the kernel is filled up with zeros. That is
G's last layer, and the gradient that D hands to it.
"""
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from pipeline.gan.fast import switch

CHANNELS = 4  # of an image, at most


def pays(larger: torch.Size, weight: Tensor, stride: int, padding: int, precision: torch.dtype) -> bool:
    """Whether this beats the direct convolution with weight (c, out, k, k) to or from a map of `larger` pixels."""
    return stride > 1 and weight.shape[1] <= CHANNELS and padding <= (weight.shape[2] - 1) // stride * stride


def conv2d(x: Tensor, weight: Tensor, stride: int, padding: int) -> Tensor:
    """`F.conv2d` of x (n, c, stride * h, stride * w) with weight (out, c, k, k) -> (n, out, h, w).

    `padding` pixels are in front of the image, behind it as many as the last pixels need.
    """
    return _convolution(x, weight, stride, padding, True)


def conv_transpose2d(x: Tensor, weight: Tensor, stride: int, padding: int) -> Tensor:
    """The transpose of `conv2d`: x (n, c, h, w), weight (c, out, k, k) -> (n, out, stride * h, stride * w)."""
    return _convolution(x, weight, stride, padding, False)


def _convolution(x: Tensor, weight: Tensor, stride: int, padding: int, down: bool) -> Tensor:
    dtype = switch.precision(x)
    y: Tensor = _Narrow.apply(x.to(dtype), weight.to(dtype), stride, padding, down)
    return y


class _Narrow(torch.autograd.Function):
    """From the image to the map, `down`, or back."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, stride: int, padding: int, down: bool) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.stride, ctx.padding, ctx.down = stride, padding, down
        if down:
            return F.conv2d(_padded(x, weight, stride, padding), weight, None, stride)
        return _image(x, weight, stride, padding)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None, None, None]:
        x, weight = ctx.saved_tensors
        maps, image = (gradient, x) if ctx.down else (x, gradient)
        image = _padded(image, weight, ctx.stride, ctx.padding)
        for_x = for_weight = None
        if ctx.needs_input_grad[0]:
            for_x = (_image(maps, weight, ctx.stride, ctx.padding) if ctx.down
                     else F.conv2d(image, weight, None, ctx.stride))
        if ctx.needs_input_grad[1]:
            _, for_weight, _ = torch.ops.aten.convolution_backward(
                maps, image, weight, None, [ctx.stride] * 2, [0, 0], [1, 1], False, [0, 0], 1, [False, True, False])
        return for_x, for_weight, None, None, None


def _padded(image: Tensor, weight: Tensor, stride: int, padding: int) -> Tensor:
    """The image with all pixels that the map is made of, and no others."""
    return F.pad(image, (padding, weight.shape[2] - stride - padding) * 2)


def _image(maps: Tensor, weight: Tensor, stride: int, padding: int) -> Tensor:
    """maps (n, c, h, w), weight (c, out, k, k) -> (n, out, stride * h, stride * w), channels last."""
    height, width = (stride * pixels for pixels in maps.shape[2:])
    kernel = weight.shape[2]
    taps = -(-kernel // stride)
    cells = F.pad(weight, (0, taps * stride - kernel) * 2).unflatten(3, (taps, stride)).unflatten(2, (taps, stride))
    cells = cells.flip(2, 4).permute(3, 5, 1, 0, 2, 4).flatten(0, 2).contiguous(memory_format=torch.channels_last)
    made = F.conv2d(maps, cells, None, 1, taps - 1).permute(0, 2, 3, 1).unflatten(3, (stride, stride, -1))
    pixels = made.transpose(2, 3).flatten(3, 4).flatten(1, 2)[:, padding:padding + height, padding:padding + width]
    return pixels.permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)
