"""Files and folders that are either whole or absent, whenever the process is killed.

A link is followed, and a path keeps its permissions. `temporary` says what stands beside a path until it is whole.
"""
import errno
import fcntl
import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pipeline import temporary
from pipeline.errors import InputError


def read(path: Path) -> bytes:
    """The content of a file; InputError when `path` is something else, such as a pipe, which might never end."""
    if path.exists() and not path.is_file():
        raise InputError(f"{path}: expected a file, found a {'folder' if path.is_dir() else 'pipe or device'}")
    return path.read_bytes()


def write(path: Path, content: bytes) -> None:
    """Replaces `path` by `content` in one step: a reader sees the old file or the new one, on disk, never a part.

    OSError names the path and the bytes; the old file is still there then.
    """
    path = Path(os.path.realpath(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with temporary.file(path) as new:
            with open(new, "wb") as file:
                file.write(content)
                file.flush()
                os.fchmod(file.fileno(), stat.S_IMODE(path.stat().st_mode) if path.exists() else 0o666 & ~_mask())
                os.fsync(file.fileno())
            new.replace(path)
            _sync(path.parent)
    except OSError as error:
        if error.filename is not None:
            raise
        raise OSError(error.errno, f"{error.strerror}, writing {len(content):,} bytes", str(path)) from None


@contextmanager
def replacing(folder: Path) -> Iterator[Path]:
    """Yields an empty folder beside `folder` that takes its place if the block ends well, and vanishes otherwise.

    Whatever interrupts it, the old folder is at its place again or the new one is: at once, or, after a kill between
    two renames, when `folder` is replaced the next time. All of it is on disk at the end.
    """
    folder = Path(os.path.realpath(folder))
    with suppress(FileNotFoundError):
        if not stat.S_ISDIR(folder.stat().st_mode):
            raise NotADirectoryError(errno.ENOTDIR, "found a file, expected a folder or nothing", str(folder))
    folder.parent.mkdir(parents=True, exist_ok=True)
    with temporary.folder(folder) as beside:
        new, old = beside / "new", beside / "old"
        with _renaming(folder.parent):
            _restore(old, folder)  # a process was killed between the renames
        for leftover in (old, new):
            temporary.remove(leftover)
        new.mkdir()
        yield new
        with suppress(FileNotFoundError):
            new.chmod(stat.S_IMODE(folder.stat().st_mode))
        for parent, _, names in os.walk(new, topdown=False):
            for path in (*(Path(parent, name) for name in names), Path(parent)):
                _sync(path)
        with _renaming(folder.parent):
            try:
                if folder.exists():
                    folder.replace(old)
                new.replace(folder)
            finally:
                _restore(old, folder)
        _sync(folder.parent)


def sha256(path: Path) -> str:
    """SHA-256 of the file's content, as 64 hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def _renaming(parent: Path) -> Iterator[None]:
    """Inside the block nobody else renames folders in `parent`: two renames that belong together are seen as one."""
    descriptor = os.open(parent, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _restore(old: Path, folder: Path) -> None:
    """The old folder returns to its place if that is empty."""
    if old.exists() and not folder.exists():
        old.replace(folder)


def _sync(path: Path) -> None:
    """A file's content, or a folder's list of names, is on disk; links are left alone."""
    if path.is_symlink():
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # a file system that syncs no folders
            raise
    finally:
        os.close(descriptor)


def _mask() -> int:
    """The permissions that new files do not get."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
