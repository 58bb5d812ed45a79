"""Convolution of small maps as one matrix product per frequency.

A 5x5 kernel on a 7x7 map touches 25 weights per pixel; on the 9x9 torus that holds the same result its transform has
41 independent frequencies for all 49 pixels. Counting transforms, that is a fifth of the multiplications, in products
large enough to run at full speed: on two CPU cores the slides' widest layer takes a third of the direct
convolution's time, and it is exact up to rounding (convolution theorem; Mathieu, Henaff & LeCun 2013, arXiv 1312.5851).
"""
from functools import lru_cache

import torch
from torch import Tensor


def pays(x: Tensor) -> bool:
    """Whether this beats the direct convolution of x (n, c, h, w): measured for small maps on the CPU only."""
    return x.device.type == "cpu" and max(x.shape[2:]) <= 8


def conv_transpose2d(x: Tensor, weight: Tensor, padding: int) -> Tensor:
    """`F.conv_transpose2d(x, weight, padding=padding)` at stride 1.

    x (n, c, h, w); weight (c, out, k, k) -> (n, out, h + k - 1 - 2 * padding, w + ...), channels last.
    """
    n, c, *size = x.shape
    out, *kernel = weight.shape[1:]
    height, width = (s + k - 1 - 2 * padding for s, k in zip(size, kernel))
    # Wrapping around may only spoil the `padding` pixels that are cropped before the image.
    torus = tuple(s + k - 1 - padding for s, k in zip(size, kernel))
    analysis, _ = transforms(torus, tuple(size), 0)
    kernels, _ = transforms(torus, tuple(kernel), 0)
    _, synthesis = transforms(torus, (height, width), padding)

    x_hat = torch.matmul(analysis.flatten(0, 1).to(x.dtype), x.permute(0, 2, 3, 1).flatten(1, 2))
    w_hat = torch.matmul(kernels.flatten(0, 1).to(weight.dtype), weight.permute(2, 3, 0, 1).flatten(0, 1).flatten(1))
    # (frequencies, n or c, c or out): the real and the imaginary part of each frequency's matrices.
    x_re, x_im = x_hat.unflatten(1, (2, -1)).permute(1, 2, 0, 3)
    w_re, w_im = w_hat.view(2, -1, c, out)
    y_re = torch.baddbmm(torch.bmm(x_re, w_re), x_im, w_im, alpha=-1)
    y_im = torch.baddbmm(torch.bmm(x_re, w_im), x_im, w_re)
    y_hat = torch.stack([y_re, y_im]).permute(2, 0, 1, 3).flatten(1, 2)
    y = torch.matmul(synthesis.flatten(0, 1).T.to(y_hat.dtype), y_hat)
    return y.unflatten(1, (height, width)).permute(0, 3, 1, 2)


@lru_cache
def transforms(torus: tuple[int, int], size: tuple[int, int], offset: int) -> tuple[Tensor, Tensor]:
    """Real discrete Fourier transform of a map of `size` pixels placed at (offset, offset) of a torus, and its inverse.

    Both (2, frequencies, pixels) in float64: the cosine (real) and minus sine (imaginary) parts, one of each pair of
    conjugate frequencies; a map is the sum over both parts of inverse times coefficient.
    """
    rows, columns = torus
    frequencies = [(u, v) for u in range(rows) for v in range(columns) if (u, v) <= (-u % rows, -v % columns)]
    own_conjugate = torch.tensor([(u, v) == (-u % rows, -v % columns) for u, v in frequencies])
    f = torch.tensor(frequencies, dtype=torch.float64) / torch.tensor(torus)
    pixels = torch.cartesian_prod(*(torch.arange(offset, offset + s, dtype=torch.float64) for s in size))
    angle = 2 * torch.pi * f @ pixels.T
    forward = torch.stack([angle.cos(), -angle.sin()])
    weight = torch.where(own_conjugate, 1.0, 2.0)[:, None] / (rows * columns)
    return forward, forward * weight
