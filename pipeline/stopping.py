"""SIGTERM and Ctrl-C as a polite request: a training ends at its next checkpoint, everything else at once.

Whatever happens, the process has ended EXIT_SECONDS after the first request, with the status that shells give to the
signal: 143, or 130 for Ctrl-C. Batch systems and containers kill what takes longer than 10 to 30 seconds.
"""
import ctypes
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

GRACE_SECONDS = 4.0  # in which a training comes to a checkpoint, or goes without
CLOSE_SECONDS = 3.0  # in which MLflow may take what is left
EXIT_SECONDS = 9.0


class Stopped(KeyboardInterrupt):
    """A signal asked this process to end."""

    def __init__(self, number: int):
        super().__init__(signal.Signals(number).name)
        self.status = 128 + number


@dataclass
class Request:
    """The signal that asked, or 0; whether a training waits for its checkpoint; whether Stopped has been raised."""
    number: int = 0
    patient: bool = False
    raised: bool = False


_request = Request()  # signals are the process's, not anybody's in it


@contextmanager
def listening() -> Iterator[None]:
    """Inside the block SIGTERM and Ctrl-C raise Stopped, once: at once, or as `patiently` says."""
    heard, told = os.pipe()  # Python writes each signal's number at once, whatever the main thread is held by
    os.set_blocking(told, False)

    def handle(number: int, frame: FrameType | None) -> None:
        if _request.raised or (_request.number and number == signal.SIGTERM):
            return  # a batch system may tell the whole group, and the parent's end tells it again
        if not _request.number:
            _request.number = number
            if _request.patient:
                signal.setitimer(signal.ITIMER_REAL, GRACE_SECONDS)
                return
        obey()

    obeyed = [number for number in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM)
              if signal.getsignal(number) != signal.SIG_IGN]  # as the shell's background commands ignore Ctrl-C
    before = {number: signal.signal(number, handle) for number in obeyed}
    wakeup = signal.set_wakeup_fd(told, warn_on_full_buffer=False)
    threading.Thread(target=_end, args=(heard,), name="stopping", daemon=True).start()
    _end_with_dvc()
    try:
        yield
    finally:
        if not _request.number:
            signal.set_wakeup_fd(wakeup)
            os.close(told)
            for number, handler in before.items():
                signal.signal(number, handler)


@contextmanager
def patiently() -> Iterator[None]:
    """Inside the block a request waits until the block asks for it, GRACE_SECONDS at most, or for a second Ctrl-C."""
    _request.patient = True
    try:
        yield
    finally:
        _request.patient = False


def asked() -> bool:
    """Whether this process has been asked to end."""
    return _request.number != 0


def obey() -> None:
    """Raises Stopped."""
    signal.setitimer(signal.ITIMER_REAL, 0)
    _request.raised = True
    raise Stopped(_request.number or signal.SIGTERM)


def _end(heard: int) -> None:
    """Ends the process when it has not ended by itself: a computation, a database or a join may hold it."""
    while number := os.read(heard, 1):
        if number[0] in (signal.SIGTERM, signal.SIGINT):
            time.sleep(EXIT_SECONDS)
            os._exit(128 + number[0])
    os.close(heard)


def _end_with_dvc() -> None:
    """On Linux this process gets SIGTERM when DVC, which started it, has ended; elsewhere it would go on alone."""
    PR_SET_PDEATHSIG = 1  # <linux/prctl.h>
    if sys.platform == "linux" and "DVC_STAGE" in os.environ:
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
