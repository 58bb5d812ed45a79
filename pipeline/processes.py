"""Which process did something, and whether it lives: it holds the lock of a file that is called like it.

Hosts' names, process numbers and starting times prove nothing: containers share them, hosts are renamed, clocks are
set. The system gives the lock back however the process ends, and knows of it in every container on the machine.
"""
import fcntl
import os
import socket
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from pipeline import folders

FORGOTTEN_SECONDS = 30 * 86400.0  # after which the file of a process that has ended may go


def me() -> str:
    """This process, as host:number:UUID, of which the last part alone decides; its life shows from now on."""
    return _named(os.getpid(), folders.work("processes"))  # a forked process is another one


def gone(name: str) -> bool:
    """Whether the process `name` has ended, or never was one of this repository on this machine."""
    return name in gone_of([name])


def gone_of(names: Iterable[str]) -> set[str]:
    """Those of `names` that are gone."""
    folder = folders.work("processes")
    return {name for name in names if not _held(_file(name, folder))}


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Of processes and threads that ask for the same file one at a time is inside; the next is waked at once."""
    with open(path, "a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def left(name: str) -> bool:
    """Whether the process `name` was one of this repository on this machine, and has ended."""
    return _file(name, folders.work("processes")).is_file() and gone(name)


@cache
def _named(number: int, folder: Path) -> str:
    name = f"{socket.gethostname()}:{number}:{uuid.uuid4().hex}"
    folder.mkdir(parents=True, exist_ok=True)
    for file in folder.iterdir():
        if time.time() - file.stat().st_mtime > FORGOTTEN_SECONDS and not _held(file):
            file.unlink(missing_ok=True)
    held = os.open(_file(name, folder), os.O_CREAT | os.O_RDWR)  # until the process ends
    fcntl.flock(held, fcntl.LOCK_EX)
    return name


def _held(path: Path) -> bool:
    try:
        with open(path) as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except (FileNotFoundError, IsADirectoryError, ValueError):
        pass
    return False


def _file(name: str, folder: Path) -> Path:
    return folder / Path(name).name.rpartition(":")[2]
