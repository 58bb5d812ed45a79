"""The switch between the quicker of two equal ways and the plain one, which `hardware.fast` sets and tests compare.

Who has two ways asks `enabled`; networks and the training loop need not know.
"""
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

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
