"""Which pictures a folder, .zip or .tar holds: all, in the order of their names, or one line that says why none.

Names that lead out of the source, and members larger than any picture should be, have it refused as a whole.
"""
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from pipeline.data.pictures import containers
from pipeline.data.pictures.containers import EXPECTED, Member
from pipeline.errors import InputError

LARGEST = 64 << 20  # bytes of one picture
TOTAL = 1 << 40  # bytes of all pictures

Folder = tuple[str, ...]  # ("a", "b") is a/b


class Contents(NamedTuple):
    """The pictures of a source in the order of their names, and all its folders."""
    pictures: list[Member]
    folders: set[Folder]


def contents(source: Path, spool: Path) -> Contents:
    """The pictures of `source`, without hidden ones; those of a compressed .tar are copied into the file `spool`.

    InputError when it is damaged, without pictures, or not to be trusted.
    """
    pictures, total = [], 0
    folders: set[Folder] = {()}
    try:
        for parts, member in _visible(source, spool):
            folder = parts if member is None else parts[:-1]
            while folder not in folders:
                folders.add(folder)
                folder = folder[:-1]
            if member and containers.is_picture(member.name):
                total += member.size
                _check_size(source, member, total)
                pictures.append(member._replace(name="/".join(parts)))
    except containers.DAMAGE as error:
        if isinstance(error, OSError) and error.errno in containers.OF_THE_DISK:
            raise OSError(error.errno, f"{error.strerror}, unpacking {source}", str(spool)) from None
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(f"data.directory: {source} is damaged or not what its name says ({reason}); "
                         f"{EXPECTED}") from None
    if not pictures:
        raise InputError(f"data.directory: {source} holds no pictures; {EXPECTED}")
    pictures.sort(key=order)
    for member, after in zip(pictures, pictures[1:]):
        if member.name == after.name:
            raise containers.refused(source, member.name, "is there twice; expected every name once")
    return Contents(pictures, folders - {()})


def order(member: Member) -> str:
    """What members are sorted by: folder by folder, then file."""
    return member.name.replace("/", "\0")


def _visible(source: Path, spool: Path) -> Iterator[tuple[Folder, Member | None]]:
    """Every file and folder that is not hidden, under its folders and its own name."""
    for name, member in containers.entries(source, spool):
        plain = name.replace("\\", "/")  # Windows' separators are separators too
        parts = tuple(part for part in plain.split("/") if part not in ("", "."))
        if plain.startswith("/") or re.match("[A-Za-z]:/", plain) or ".." in parts:
            raise containers.refused(source, name, "leads out of the archive; expected names of files inside it")
        if any(part.startswith(".") or part == "__MACOSX" for part in parts):
            continue
        # Classes are called after folders, in terminals, tables and plots.
        if not all(part.isprintable() for part in (parts if member is None else parts[:-1])):
            raise containers.refused(source, name, "is in a folder whose name is not UTF-8 or cannot be printed; "
                                     "expected another name")
        yield parts, member


def _check_size(source: Path, member: Member, total: int) -> None:
    if max(member.size, member.stored) > LARGEST:
        raise containers.refused(source, member.name, f"is declared as {member.size:,} bytes, {member.stored:,} in "
                                 f"the archive; expected at most {LARGEST:,} for a picture")
    if total > TOTAL:
        raise containers.refused(source, member.name, f"and the pictures before it are declared as {total:,} bytes; "
                                 f"expected at most {TOTAL:,}")
