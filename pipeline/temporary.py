"""Files and folders beside a path that one process has to itself, until they take the path's place.

They are called .NAME.dcgan-partial, and their writer holds them locked. Whoever finds one without a living owner takes
it over, so that a kill leaves nothing for long, and two writers share nothing. No other name is ever touched.
"""
import fcntl
import itertools
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def file(path: Path) -> Iterator[Path]:
    """Yields an empty file beside `path`, which only its owner may read; it is gone in the end, unless renamed."""
    with _owned(path, os.O_CREAT) as (temporary, descriptor):
        os.fchmod(descriptor, 0o600)
        os.truncate(temporary, 0)
        try:
            yield temporary
        finally:
            if _is(descriptor, temporary):
                temporary.unlink()


@contextmanager
def folder(path: Path) -> Iterator[Path]:
    """Yields a folder beside `path`, with what a killed owner left in it; it is gone in the end."""
    with _owned(path, os.O_DIRECTORY) as (temporary, _):
        try:
            yield temporary
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def remove(path: Path) -> None:
    """`path` is no more, whatever it was."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


@contextmanager
def _owned(path: Path, kind: int) -> Iterator[tuple[Path, int]]:
    """A temporary file or folder and its open descriptor, whose lock is ours until the end."""
    for number in itertools.count(1):
        temporary = path.with_name(f".{path.name}.dcgan-partial{number if number > 1 else ''}")
        if kind == os.O_DIRECTORY:
            with suppress(FileExistsError):
                temporary.mkdir()
        try:
            descriptor = os.open(temporary, os.O_RDONLY | os.O_NOFOLLOW | kind, 0o600)
        except FileNotFoundError:
            if kind != os.O_DIRECTORY:
                raise
            continue  # its owner has just removed the folder
        try:
            if _locked(descriptor) and _is(descriptor, temporary):  # else its owner has just renamed or removed it
                yield temporary, descriptor
                return
        finally:
            os.close(descriptor)


def _locked(descriptor: int) -> bool:
    """Whether what is open was nobody else's; it is ours then until it is closed."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is(descriptor: int, path: Path) -> bool:
    """Whether what is open has the name `path`."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.lstat(path))
    except FileNotFoundError:
        return False
