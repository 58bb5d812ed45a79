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


def autocast(x: Tensor) -> Tensor:
    """x in the precision that `torch.autocast` gives to a convolution on the CPU: what is written as a function with
    gradients of its own does not get it by itself.
    """
    return x.to(torch.get_autocast_dtype("cpu")) if torch.is_autocast_enabled("cpu") else x
