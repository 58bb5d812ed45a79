"""The switch between the quicker of two equal ways and the plain one, which `hardware.fast` sets and tests compare.

Who has two ways asks `enabled`; networks and the training loop need not know.
"""
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch
from torch import Tensor

_enabled = ContextVar("fast", default=True)


def enabled() -> bool:
    """Whether the quicker way is wanted here."""
    return _enabled.get()


@contextmanager
def switched(on: bool) -> Iterator[None]:
    """`enabled()` is `on` inside this context."""
    token = _enabled.set(on)
    try:
        yield
    finally:
        _enabled.reset(token)


def precision(x: Tensor) -> torch.dtype:
    """That of a convolution of x on the CPU, where `torch.autocast` may lower it.

    Functions that define their own gradients have to ask.
    """
    lowered = torch.is_autocast_enabled("cpu") and x.dtype == torch.float32
    return torch.get_autocast_dtype("cpu") if lowered else x.dtype
