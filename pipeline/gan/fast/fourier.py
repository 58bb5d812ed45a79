"""Convolutions of small maps as one matrix product per frequency.

A 5x5 kernel of stride 2 that makes 7x7 pixels out of 14x14 multiplies 25 weights for each of them. On the torus of
8x8 that holds the same result, with the input's four phases (the pixels of even and odd rows and columns) as channels,
94 products make all 49: less than half of the multiplications, the transforms included, and all of them in matrix
products large enough to run at full speed. It is exact up to rounding (convolution theorem; Mathieu, Henaff & LeCun
2013, arXiv 1312.5851; a complex product as three real ones is Gauss's).

The pixels of the larger map are `stride` times those of the smaller one: a tap of the kernel connects pixel p of the
smaller map with pixel stride * (p + shift) + phase of the larger one.
"""
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

GAIN = 1.6  # with less than that the copies cost more than the multiplications that are saved
LARGEST = 16  # pixels of a side: with more the transforms, which grow with its fourth power, never pay


def pays(larger: torch.Size, weight: Tensor, stride: int, padding: int, precision: torch.dtype) -> bool:
    """Whether this beats the direct convolution with weight (c, out, k, k) to or from a map of `larger` pixels.

    Where the multiplications for an image fall to less than 1 / GAIN of the direct ones.
    """
    height, width = size = larger[0] // stride, larger[1] // stride
    if max(size) > LARGEST:
        return False
    c, out, kernel, _ = weight.shape
    products = len(transforms(size, kernel, stride, padding)[0])
    ours = products * (stride ** 2 * c * out + height * width * (c + stride ** 2 * out))
    return GAIN * ours < height * width * kernel ** 2 * c * out


def conv2d(x: Tensor, weight: Tensor, stride: int, padding: int) -> Tensor:
    """`F.conv2d` of x (n, c, stride * h, stride * w) with weight (out, c, k, k) -> (n, out, h, w), channels last.

    `padding` pixels are in front of the image, behind it as many as the last pixels need.
    """
    height, width = (pixels // stride for pixels in x.shape[2:])
    small, kernels, large = transforms((height, width), weight.shape[2], stride, padding)
    phases = _Compact.apply(x).permute(0, 2, 3, 1).unflatten(2, (width, stride)).unflatten(1, (height, stride))
    phases = phases.permute(1, 3, 0, 2, 4, 5).flatten(3).flatten(0, 1)
    y_hat = _Transposed.apply(_multiply(large.T, phases), _kernels(kernels, weight, stride, padding))
    y = _multiply(small.T, y_hat).unflatten(0, (height, width))
    return y.permute(2, 3, 0, 1).contiguous(memory_format=torch.channels_last)


def conv_transpose2d(x: Tensor, weight: Tensor, stride: int, padding: int) -> Tensor:
    """The transpose of `conv2d`: x (n, c, h, w), weight (c, out, k, k) -> (n, out, stride * h, stride * w)."""
    height, width = x.shape[2:]
    small, kernels, large = transforms((height, width), weight.shape[2], stride, padding)
    x_hat = _multiply(small, _Compact.apply(x).permute(2, 3, 0, 1).flatten(0, 1))
    y_hat = torch.bmm(x_hat, _kernels(kernels, weight, stride, padding))
    phases = _multiply(large, y_hat).unflatten(2, (stride, stride, -1)).unflatten(0, (height, width))
    y = phases.permute(2, 0, 3, 1, 4, 5).flatten(3, 4).flatten(1, 2)
    return y.permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)


class _Compact(torch.autograd.Function):
    """The same map, whose gradient arrives compact and channels last: on the strides that the permutations here leave,
    other layers' backward passes are ten times slower.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return gradient.contiguous(memory_format=torch.channels_last)


class _Transposed(torch.autograd.Function):
    """a (p, n, k) times the transposes of b (p, m, k) -> (p, n, m), whose gradients arrive compact: from `torch.bmm`
    that of b comes transposed, and the largest array of a step is copied.
    """

    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor) -> Tensor:
        ctx.save_for_backward(a, b)
        return torch.bmm(a, b.transpose(1, 2))

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None]:
        a, b = ctx.saved_tensors
        for_a, for_b = ctx.needs_input_grad
        return (torch.bmm(gradient, b) if for_a else None,
                torch.bmm(gradient.transpose(1, 2), a) if for_b else None)


def _multiply(matrix: Tensor, x: Tensor) -> Tensor:
    """matrix (a, b) times x (b, n, c) -> (a, n, c)."""
    return torch.mm(matrix.to(x.dtype), x.flatten(1)).unflatten(1, x.shape[1:])


def _kernels(kernels: Tensor, weight: Tensor, stride: int, padding: int) -> Tensor:
    """weight (c, out, k, k) -> (products, c, phases * out)."""
    c, out, kernel, _ = weight.shape
    first, last = _shifts(kernel, stride, padding)
    before, behind = -padding - stride * first, stride * (last + 1) - (kernel - padding)
    taps = F.pad(_Compact.apply(weight).permute(2, 3, 0, 1), (0, 0, 0, 0, before, behind, before, behind))
    taps = taps.unflatten(1, (-1, stride)).unflatten(0, (-1, stride)).permute(0, 2, 4, 1, 3, 5).flatten(0, 1)
    return torch.mm(kernels.to(weight.dtype), taps.flatten(1)).view(-1, c, stride ** 2 * out)


def _shifts(kernel: int, stride: int, padding: int) -> tuple[int, int]:
    """The first and the last shift of the kernel's taps."""
    return -padding // stride, (kernel - 1 - padding) // stride


@lru_cache
def transforms(size: tuple[int, int], kernel: int, stride: int, padding: int) -> tuple[Tensor, Tensor, Tensor]:
    """What makes the products of the smaller map, of `size` pixels, and of kernels, and the larger map of both.

    float64 (products, pixels), (products, shifts) and (pixels, products).
    """
    first, last = _shifts(kernel, stride, padding)
    shift = torch.cartesian_prod(*[torch.arange(first, last + 1)] * 2).double()
    # Wrapping around may only reach pixels where there is no map.
    rows, columns = (pixels + max(-first, last) for pixels in size)
    pixels = torch.cartesian_prod(*map(torch.arange, size)).double()

    small: list[Tensor] = []
    kernels: list[Tensor] = []
    large: list[Tensor] = []
    for u, v in ((u, v) for u in range(rows) for v in range(columns) if (u, v) <= (-u % rows, -v % columns)):
        turns = 2 * torch.pi * torch.tensor([u / rows, v / columns], dtype=torch.float64)
        cos, sin = (pixels @ turns).cos() / (rows * columns) ** 0.5, (pixels @ turns).sin() / (rows * columns) ** 0.5
        re, im = (shift @ turns).cos(), -(shift @ turns).sin()
        if (u, v) == (-u % rows, -v % columns):  # its own conjugate: a real number
            small += [cos]
            kernels += [re]
            large += [cos]
        else:  # each other one stands for its conjugate as well
            small += [cos - sin, cos, -sin]
            kernels += [re, im - re, re + im]
            large += [2 * (cos - sin), -2 * sin, -2 * cos]
    return torch.stack(small), torch.stack(kernels), torch.stack(large, 1)
