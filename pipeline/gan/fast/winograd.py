"""Convolutions whose kernels are twice as wide as their stride, in 9 products where their definition has 16.

Along an axis such a kernel has two taps, t and t', for every phase of the larger map's pixels. Two neighbours y and y'
of the smaller map are made of three cells x, x' and x'' of `stride` pixels of the larger one:

    p = t (x - x')    q = (t + t') x'    r = t' (x'' - x')    y = p + q    y' = q + r

which is three products for four, nine for sixteen in two dimensions, with no other coefficients than 1 and -1
(F(2x2, 2x2) of Winograd 1980; Lavin & Gray 2015, arXiv 1509.09308). It is exact up to rounding; in bfloat16 its error
is 2.3 to 2.6 times the direct convolution's. Its transpose and its gradients are the same steps the other way round.

A batch is worked off in pieces whose factors stay in the processor's caches: fetched from memory they would cost what
the saved multiplications gain.
"""
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from pipeline.gan.fast import switch

PRECISIONS = (torch.bfloat16,)  # in float32 it takes up to twice the time of the direct convolution
LARGEST = 8  # pixels of a side of the smaller map: on larger ones, of fewer channels, the sums cost what products save
CHANNELS = 64  # at least, on either side, for the same reason
TILES = 1024  # squares of 2 x 2 pixels of the smaller map in a piece of the batch


def pays(larger: torch.Size, weight: Tensor, stride: int, padding: int, precision: torch.dtype) -> bool:
    """Whether this beats the direct convolution with weight (c, out, k, k) to or from a map of `larger` pixels."""
    return (precision in PRECISIONS and weight.shape[2] == 2 * stride and min(weight.shape[:2]) >= CHANNELS
            and all(pixels % (2 * stride) == 0 and pixels <= LARGEST * stride for pixels in larger))


def conv2d(x: Tensor, weight: Tensor, stride: int, padding: int) -> Tensor:
    """`F.conv2d` of x (n, c, stride * h, stride * w) with weight (out, c, k, k) -> (n, out, h, w), channels last.

    `padding` pixels are in front of the image, behind it as many as the last pixels need.
    """
    return _convolution(x, weight, stride, padding, True)


def conv_transpose2d(x: Tensor, weight: Tensor, stride: int, padding: int) -> Tensor:
    """The transpose of `conv2d`: x (n, c, h, w), weight (c, out, k, k) -> (n, out, stride * h, stride * w)."""
    return _convolution(x, weight, stride, padding, False)


def _convolution(x: Tensor, weight: Tensor, stride: int, padding: int, down: bool) -> Tensor:
    dtype, learned = switch.precision(x), weight.requires_grad and torch.is_grad_enabled()
    y: Tensor = _Winograd.apply(x.to(dtype), weight.to(dtype), stride, padding, down, learned)
    return y


class _Winograd(torch.autograd.Function):
    """From the larger map to the smaller one, `down`, or back; of `learned` weights the gradient will be asked for."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, stride: int, padding: int, down: bool, learned: bool) -> Tensor:
        n, _, height, width = x.shape
        out, size = ((len(weight), (height // stride, width // stride)) if down
                     else (weight.shape[1], (height * stride, width * stride)))
        y, kernels = _empty(x, (n, out, *size)), _kernels(weight, stride)
        ctx.stride, ctx.padding, ctx.down, ctx.shapes = stride, padding, down, (x.shape, weight.shape)
        ctx.images = max(1, 4 * TILES // (min(height, size[0]) * min(width, size[1])))  # in a piece
        kept = []
        for piece, made in zip(x.split(ctx.images), y.split(ctx.images)):
            factors = _of_larger(piece, stride, padding) if down else _of_smaller(piece)
            if down:
                _to_smaller(torch.bmm(factors, kernels.mT), made)
            else:
                _to_larger(torch.bmm(factors, kernels), made, stride, padding)
            if learned:
                kept.append(factors)
        ctx.save_for_backward(kernels, *kept)
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None, None, None, None]:
        kernels, *kept = ctx.saved_tensors
        for_x = _empty(gradient, ctx.shapes[0]) if ctx.needs_input_grad[0] else None
        for_kernels = None
        for i, piece in enumerate(gradient.split(ctx.images)):
            factors = _of_smaller(piece) if ctx.down else _of_larger(piece, ctx.stride, ctx.padding)
            if for_x is not None:
                made = for_x.split(ctx.images)[i]
                if ctx.down:
                    _to_larger(torch.bmm(factors, kernels), made, ctx.stride, ctx.padding)
                else:
                    _to_smaller(torch.bmm(factors, kernels.mT), made)
            if kept:
                part = torch.bmm(factors.mT, kept[i]) if ctx.down else torch.bmm(kept[i].mT, factors)
                for_kernels = part if for_kernels is None else _add(for_kernels, part)
        for_weight = None if for_kernels is None else _weight(for_kernels, ctx.shapes[1], ctx.stride).to(gradient.dtype)
        return for_x, for_weight, None, None, None, None


def _add(total: Tensor, part: Tensor) -> Tensor:
    """The sum over several pieces, which bfloat16 is too coarse for."""
    return (total.float() if total.dtype == torch.bfloat16 else total).add_(part)


def _empty(like: Tensor, shape: tuple[int, ...]) -> Tensor:
    """A map of `shape` with the precision and device of `like`, channels last, for others to fill."""
    return torch.empty(shape, dtype=like.dtype, device=like.device, memory_format=torch.channels_last)


def _of_larger(x: Tensor, stride: int, padding: int) -> Tensor:
    """x (n, c, h, w) -> (9, tiles, stride ** 2 * c): the differences."""
    x = F.pad(x, (padding, stride - padding) * 2).permute(0, 2, 3, 1)
    cells = x.unflatten(2, (-1, stride)).unflatten(1, (-1, stride))
    n, rows, _, columns, _, c = cells.shape
    factors = x.new_empty(3, 3, n, rows // 2, columns // 2, stride, stride, c)
    first, middle, last = _thirds(cells, 1)
    for row, into in zip((first - middle, middle, last - middle), factors.transpose(4, 5)):
        first, middle, last = _thirds(row, 3)
        torch.sub(first, middle, out=into[0])
        into[1].copy_(middle)
        torch.sub(last, middle, out=into[2])
    return factors.flatten(5).flatten(2, 4).flatten(0, 1)


def _to_larger(products: Tensor, y: Tensor, stride: int, padding: int) -> None:
    """The adjoint of `_of_larger`: products (9, tiles, stride ** 2 * c) make y (n, c, h, w)."""
    n, c, height, width = y.shape
    rows, columns, cell = height // stride, width // stride, (stride, stride, c)
    products = products.view(3, 3, n, rows // 2, columns // 2, stride ** 2 * c)
    whole_rows = products.new_empty(3, n, rows // 2, columns + 1, stride ** 2 * c)
    cells = products.new_empty(n, rows + 1, stride, columns + 1, stride, c)
    for parts, axis, into in ((products.transpose(0, 1), 3, whole_rows),
                              (whole_rows.unflatten(4, cell), 1, cells.transpose(2, 3))):
        first, middle, last = _thirds(into, axis)
        into.select(axis, -1).zero_()
        first.copy_(parts[0])
        last.add_(parts[2])
        torch.sub(parts[1], parts[0], out=middle).sub_(parts[2])
    pixels = cells.flatten(3, 4).flatten(1, 2)
    y.permute(0, 2, 3, 1).copy_(pixels[:, padding:padding + height, padding:padding + width])


def _thirds(x: Tensor, axis: int) -> tuple[Tensor, Tensor, Tensor]:
    """Of an odd number of cells along `axis` each tile's first, middle and last, which is the next one's first."""
    before = (slice(None),) * axis
    return x[(*before, slice(0, -1, 2))], x[(*before, slice(1, None, 2))], x[(*before, slice(2, None, 2))]


def _of_smaller(x: Tensor) -> Tensor:
    """x (n, c, h, w) -> (9, tiles, c): the sums."""
    return _sums(_tiles(x), 2, 3).flatten(2, 4).flatten(0, 1)


def _to_smaller(products: Tensor, y: Tensor) -> None:
    """The adjoint of `_of_smaller`: products (9, tiles, c) make y (n, c, h, w)."""
    n, c, height, width = y.shape
    _sums_back(products.view(3, 3, n, height // 2, width // 2, c), _tiles(y), 2, 3)


def _tiles(x: Tensor) -> Tensor:
    """(n, c, h, w) -> (n, h / 2, 2, w / 2, 2, c)."""
    return x.permute(0, 2, 3, 1).unflatten(2, (-1, 2)).unflatten(1, (-1, 2))


def _kernels(weight: Tensor, stride: int) -> Tensor:
    """weight (small, large, k, k) -> (9, small, stride ** 2 * large)."""
    return _sums(_taps(weight, stride), 1, 2).flatten(3).flatten(0, 1)


def _weight(products: Tensor, shape: torch.Size, stride: int) -> Tensor:
    """The adjoint of `_kernels`: products (9, small, stride ** 2 * large) make a weight of `shape`."""
    weight = _empty(products, shape)
    _sums_back(products.view(3, 3, shape[0], stride, stride, shape[1]), _taps(weight, stride), 1, 2)
    return weight


def _taps(weight: Tensor, stride: int) -> Tensor:
    """(small, large, k, k) -> (small, 2, stride, 2, stride, large)."""
    return weight.permute(0, 2, 3, 1).unflatten(2, (2, stride)).unflatten(1, (2, stride))


def _sums(x: Tensor, axis: int, then: int) -> Tensor:
    """(a, a + b, b) of the two along `axis`, and of these along `then`, an axis of what is left: (3, 3, …)."""
    first, second = x.unbind(axis)
    shape = [length for i, length in enumerate(first.shape) if i != then]
    sums = x.new_empty(3, 3, *shape)
    for rows, into in zip((first, first + second, second), sums):
        first, second = rows.unbind(then)
        into[0].copy_(first)
        torch.add(first, second, out=into[1])
        into[2].copy_(second)
    return sums


def _sums_back(parts: Tensor, y: Tensor, axis: int, then: int) -> None:
    """The adjoint of `_sums`: makes y of parts (3, 3, …)."""
    for rows, part, following in zip(y.unbind(axis), parts, parts[1:]):
        both = part + following
        for pixels, one, other in zip(rows.unbind(then), both, both[1:]):
            torch.add(one, other, out=pixels)
