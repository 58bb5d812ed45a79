"""Whether there is room, on disk and in memory, for what is about to be made: said before hours are spent on it."""
import shutil
from pathlib import Path

import psutil

from pipeline.errors import InputError

SMALL = 1 << 26  # bytes of memory that need no question


def on_disk(path: Path, size: int) -> None:
    """InputError when the disk that `path` is to be on has fewer than `size` bytes left."""
    there = next(parent for parent in (path, *path.absolute().parents) if parent.exists())
    if size > (free := shutil.disk_usage(there).free):
        raise InputError(f"{path}: needs {_gb(size)} of disk, {_gb(free)} are free")


def in_memory(what: str, size: int) -> None:
    """InputError when fewer than `size` bytes of memory can be had for `what`."""
    if size > SMALL and size > (free := psutil.virtual_memory().available):
        raise InputError(f"{what}: needs {_gb(size)} of memory, {_gb(free)} are free")


def _gb(size: int) -> str:
    return f"{size / 1e9:,.3g} GB"
