"""Data-parallel training under torchrun: every process sees its share of each mini-batch, and all update alike.

Gradients are averaged before each optimiser's step, and batch norm takes the statistics of the whole batch, so that
processes together do what one does with the same batch, up to the order of sums; dropout draws other masks. Both talk
over gloo on CPUs and over nccl on GPUs. DistributedDataParallel is not used, because it hangs on the backward pass of
one loss, and the simultaneous update of G has none (`updates.simultaneous`); nor SyncBatchNorm, which knows no CPU.
"""
import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, distributed, nn
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim import Optimizer

from pipeline.errors import InputError

_alone = ContextVar("alone", default=False)
Rows = TypeVar("Rows", Tensor, np.ndarray)


@contextmanager
def group() -> Iterator[None]:
    """The processes that torchrun has started talk to each other inside this context; one that runs alone does not."""
    if _number("WORLD_SIZE", "1") == 1:
        yield
        return
    for name in ("RANK", "MASTER_PORT"):
        _number(name, "")
    if torch.cuda.is_available():
        torch.cuda.set_device(_number("LOCAL_RANK", ""))
    try:
        distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    except ValueError as error:  # MASTER_ADDR is not there
        raise InputError(f"WORLD_SIZE is in the environment, the rest is not as torchrun sets it: {error}") from None
    try:
        yield
    finally:
        distributed.destroy_process_group()


def _number(name: str, default: str) -> int:
    """A number that torchrun puts into the environment; InputError when it is none."""
    word = os.environ.get(name, default)
    if not (word.isascii() and word.isdecimal() and len(word) < 10):
        raise InputError(f"{name} = {word!r} in the environment: expected a number, as torchrun sets it; for one "
                         "process, unset WORLD_SIZE")
    return int(word)


def count() -> int:
    """How many processes train together here."""
    return distributed.get_world_size() if distributed.is_initialized() and not _alone.get() else 1


def rank() -> int:
    """The number of this process, from 0 on; 0 is the one that logs and saves."""
    return distributed.get_rank() if distributed.is_initialized() else 0


@contextmanager
def alone() -> Iterator[None]:
    """Inside this context the process works for itself: nothing is waited for."""
    token = _alone.set(True)
    try:
        yield
    finally:
        _alone.reset(token)


def share(rows: Rows) -> Rows:
    """This process's part of `rows`; the parts of all together are all rows, without overlap."""
    return rows[rank()::count()] if count() > 1 else rows


def check(n: int, batch: int, total: int) -> None:
    """InputError when a mini-batch of `batch` out of `n` images, up to `total`, cannot be divided evenly."""
    if batch < count():
        raise InputError(f"{count()} processes share batches of {batch}: expected at most as many processes as images")
    sizes = {"a batch": batch, "the last batch of an epoch": n % batch, "the last batch": total % n % batch}
    for what, size in sizes.items():
        if size % count():
            raise InputError(f"{what} has {size} images, which do not divide among {count()} processes: choose a batch "
                             "size, and a number of images, that do")


def mean(values: Tensor) -> Tensor:
    """The mean of `values` over all processes."""
    if count() > 1:
        values = values.clone()
        distributed.all_reduce(values)
        values /= count()
    return values


def gathered(mine: Any) -> list[Any]:
    """What every process has, in the order of their ranks."""
    if count() == 1:
        return [mine]
    everyones: list[Any] = [None] * count()
    distributed.all_gather_object(everyones, mine)
    return everyones


def join(nets: list[nn.Sequential], optimisers: list[Optimizer]) -> None:
    """Networks and optimisers that were built alike in all processes stay alike from here on."""
    if count() == 1:
        return
    for net in nets:
        for place, module in enumerate(net):
            if isinstance(module, _BatchNorm):
                net[place] = SynchronisedBatchNorm.of(module)
    for optimiser in optimisers:
        optimiser.register_step_pre_hook(_average)


def _average(optimiser: Optimizer, args: Any, kwargs: Any) -> None:
    """Replaces the gradients by their means over all processes, in one message."""
    gradients = [p.grad for group in optimiser.param_groups for p in group["params"] if p.grad is not None]
    flat = mean(torch.cat([gradient.flatten() for gradient in gradients]))
    for gradient, averaged in zip(gradients, flat.split([gradient.numel() for gradient in gradients])):
        gradient.copy_(averaged.view(gradient.shape))


class SynchronisedBatchNorm(_BatchNorm):
    """Batch norm with the statistics of all processes' images, of which each has as many; vectors or maps."""

    @classmethod
    def of(cls, norm: _BatchNorm) -> "SynchronisedBatchNorm":
        """`norm`, with its own parameters and averages, synchronised."""
        new = cls(norm.num_features, norm.eps, norm.momentum, norm.affine)
        new.weight, new.bias = norm.weight, norm.bias
        for name, buffer in norm.named_buffers():
            setattr(new, name, buffer)
        return new

    def _check_input_dim(self, input: Tensor) -> None:
        """Vectors and maps alike."""

    def forward(self, x: Tensor) -> Tensor:
        if count() == 1 or not self.training:
            return super().forward(x)
        assert self.running_mean is not None and self.running_var is not None and self.momentum is not None
        weight = torch.ones_like(self.running_mean) if self.weight is None else self.weight
        bias = torch.zeros_like(self.running_mean) if self.bias is None else self.bias
        y, mean, variance = _Normalised.apply(x, weight, bias, self.eps)
        n = x.numel() // x.shape[1] * count()
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance * (n / (n - 1)), self.momentum)
        return y


class _Normalised(torch.autograd.Function):
    """x (n, c, …) normalised by the means and variances (c,) over all processes, and these, which have no gradients.

    PyTorch's own kernels do the work; each way takes one message, of means and variances or of sums.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> tuple[Tensor, Tensor, Tensor]:
        _, mine, scale = torch.native_batch_norm(x, weight, bias, None, None, True, 0.0, eps)
        means, variances = _everyones(torch.stack([mine, scale ** -2 - eps])).unbind(1)
        mean = means.mean(0)
        variance = variances.mean(0) + (means - mean).square().mean(0)
        ctx.save_for_backward(x, weight, mean, variance)
        ctx.eps = eps
        ctx.mark_non_differentiable(mean, variance)
        return F.batch_norm(x, mean, variance, weight, bias, eps=eps), mean, variance

    @staticmethod
    def backward(ctx: Any, gradient: Tensor, *_: Any) -> tuple[Tensor, Tensor, Tensor, None]:
        x, weight, mean, variance = ctx.saved_tensors
        scale = (variance + ctx.eps).rsqrt()
        for_x, for_weight, for_bias = torch.ops.aten.native_batch_norm_backward(
            gradient, x, weight, None, None, mean, scale, True, ctx.eps, [True, True, True])
        # The kernel took the means of this process' sums; all processes' are meant. The difference is linear in x.
        sums = torch.stack([for_weight, for_bias])
        weights, biases = weight * scale * (sums - _everyones(sums).mean(0)) / (x.numel() // x.shape[1])
        return for_x.add_(F.batch_norm(x, mean, variance, weights, biases, eps=ctx.eps)), for_weight, for_bias, None


def _everyones(values: Tensor) -> Tensor:
    """(processes, n, …): the `values` (n, …) of each."""
    found = values.new_empty(count() * len(values), *values.shape[1:])
    distributed.all_gather_into_tensor(found, values)
    return found.unflatten(0, (count(), -1))
