"""The files of a folder, a .zip or a .tar: where their bytes are, and the bytes themselves.

Sources are not trusted: nothing is written under a member's name, and a source is refused as a whole, by the name of
the member, for links, devices, encryption, shared bytes, and more bytes than a member declares. Only a compressed .tar,
which cannot be read at random, has its pictures copied, one after the other into one file.
"""
import bz2
import errno
import gzip
import lzma
import os
import shutil
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.errors import InputError

PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")
COMPRESSED: dict[str, Callable[..., Any]] = {
    ".tar.gz": gzip.open, ".tgz": gzip.open, ".tar.bz2": bz2.open, ".tbz2": bz2.open, ".tar.xz": lzma.open,
    ".txz": lzma.open}
EXPECTED = "expected a folder, .zip or .tar (.gz, .bz2, .xz) of pictures (png, jpg, webp, bmp, tiff)"
NOT_ZIP = -1
HEADER = 30  # bytes before a member's name in a .zip, at least
LONGEST = 1 << 20  # bytes of a long name, or of other facts, in a .tar
EXPANSION = 50  # times its own bytes that a compressed .tar may hold
PADDING = 1 << 20  # bytes after the end of a .tar, at most

# What reading a damaged archive can raise, and for what of it the disk is to blame.
DAMAGE = (OSError, EOFError, ValueError, NotImplementedError, RecursionError, struct.error, zlib.error, lzma.LZMAError,
          zipfile.BadZipFile, tarfile.TarError)
OF_THE_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


class Member(NamedTuple):
    """A file of a source: `stored` bytes of `file` from `offset` on, which are `size` bytes when uncompressed.

    With a `method` of the .zip format, `offset` is that of the member's header; with NOT_ZIP, of the bytes themselves.
    """
    name: str
    file: str
    offset: int
    stored: int
    size: int
    method: int = NOT_ZIP
    crc: int = 0


Entry = tuple[str, Member | None]  # a file, or the name of a folder


def entries(source: Path, spool: Path) -> Iterator[Entry]:
    """Every file and folder of `source`, in its own order; pictures of a compressed .tar are copied into file `spool`.

    InputError when `source` is nothing of the kind or not to be trusted; one of DAMAGE when it is damaged.
    """
    if not source.exists():
        raise InputError(f"data.directory: {source} does not exist; {EXPECTED}")
    name = source.name.lower()
    if source.is_dir():
        return _folder(source)
    if not source.is_file():
        raise InputError(f"data.directory: {source} is a pipe or a device; {EXPECTED}")
    if name.endswith(".zip"):
        return _zip(source)
    if name.endswith((".tar", *COMPRESSED)):
        return _tar(source, spool)
    raise InputError(f"data.directory: {source} is a file of another type; {EXPECTED}")


def read(member: Member) -> bytes:
    """The bytes of a file; ValueError or OSError when damaged, InputError when there are more than it declares."""
    with open(member.file, "rb", buffering=0) as file:
        file.seek(member.offset)
        if member.method == NOT_ZIP:
            content = file.read(member.size)
        else:
            header = file.read(HEADER)
            if len(header) < HEADER or header[:4] != b"PK\3\4":
                raise ValueError("not where the archive's directory says")
            file.seek(sum(struct.unpack("<HH", header[26:])), os.SEEK_CUR)
            content = _inflate(file.read(member.stored), member)
    if len(content) > member.size:
        raise InputError(f"data.directory: {member.file}: {member.name!r} has more than the {member.size:,} bytes "
                         "that it declares")
    if len(content) < member.size:
        raise ValueError(f"{len(content):,} bytes of {member.size:,}")
    if member.method != NOT_ZIP and zlib.crc32(content) != member.crc:
        raise ValueError("its bytes do not have the checksum that the archive says")
    return content


def is_picture(name: str) -> bool:
    """Whether a file is a picture, by its suffix."""
    return name.lower().endswith(PICTURES)


def refused(source: Path, name: str, why: str) -> InputError:
    """The error that refuses a whole source because of one member."""
    return InputError(f"data.directory: {source}: {name!r} {why}")


def _inflate(content: bytes, member: Member) -> bytes:
    """Uncompresses, but no more than one byte above what is declared."""
    if member.method == zipfile.ZIP_DEFLATED:
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(content, member.size + 1)
    if member.method == zipfile.ZIP_BZIP2:
        return bz2.BZ2Decompressor().decompress(content, member.size + 1)
    return content


def _folder(source: Path) -> Iterator[Entry]:
    def stop(error: OSError) -> None:
        raise error

    inside = Path(os.path.realpath(source))
    for folder, folders, names in os.walk(source, onerror=stop):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for path in (Path(folder, name) for name in folders + names if not name.startswith(".")):
            name = path.relative_to(source).as_posix()
            if path.is_symlink() and not Path(os.path.realpath(path)).is_relative_to(inside):
                raise refused(source, name, "is a link that leads outside; expected files and folders inside it")
            status = path.stat()
            if stat.S_ISREG(status.st_mode):
                yield name, Member(name, str(path), 0, status.st_size, status.st_size)
            elif stat.S_ISDIR(status.st_mode) and not path.is_symlink():
                yield name, None
            else:
                raise refused(source, name, "is a link to a folder, or a device; expected files and folders")


def _zip(source: Path) -> Iterator[Entry]:
    with zipfile.ZipFile(source) as archive:
        for info in archive.infolist():
            if stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise refused(source, info.filename, "is a link or a device; expected files and folders")
            if info.flag_bits & 1:
                raise refused(source, info.filename, "is encrypted; expected an archive without a password")
            if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2):
                raise refused(source, info.filename, f"is compressed by method {info.compress_type} of the .zip "
                                                     "format; expected stored, deflated or bzip2")
            yield info.filename, None if info.is_dir() else Member(
                info.filename, str(source), info.header_offset, info.compress_size, info.file_size,
                info.compress_type, info.CRC)
        end = 0
        for info in sorted(archive.infolist(), key=lambda one: one.header_offset):
            if info.header_offset < end:
                raise refused(source, info.filename, "shares bytes with another member; expected each of its own")
            end = info.header_offset + HEADER + info.compress_size


def _tar(source: Path, spool: Path) -> Iterator[Entry]:
    unpack = next((unpack for end, unpack in COMPRESSED.items() if source.name.lower().endswith(end)), None)
    most = EXPANSION * source.stat().st_size + PADDING
    with (unpack or open)(source, "rb") as file, open(spool, "wb") as copy, \
            tarfile.open(fileobj=file, mode="r|" if unpack else "r:", tarinfo=_Header) as archive:
        while info := archive.next():
            archive.members.clear()  # type: ignore[attr-defined]  # it would keep them all
            if unpack and info.offset_data + info.size > most:
                raise refused(source, info.name, f"ends more than {EXPANSION} times the archive's bytes after its "
                                                 "beginning; expected pictures, which hardly shrink")
            if info.isdir():
                yield info.name, None
            elif not info.isreg() or info.issparse() or info.size < 0:
                raise refused(source, info.name, "is a link, a device or a sparse file; expected files and folders")
            elif unpack:
                # Who takes this member refuses it, if at all, before a byte of it is uncompressed.
                yield info.name, Member(info.name, str(spool), copy.tell(), info.size, info.size)
                content = archive.extractfile(info)
                if content and is_picture(info.name):
                    shutil.copyfileobj(content, copy)
            else:
                yield info.name, Member(info.name, str(source), info.offset_data, info.size, info.size)
        if unpack:
            file.read(PADDING)  # behind it is the checksum of all


class _Header(tarfile.TarInfo):
    """A member's header, of which tarfile itself takes a damaged one for the archive's end, and any size for sane."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> "_Header":
        try:
            header = super().frombuf(buf, encoding, errors)
        except tarfile.HeaderError as error:
            if len(buf) == tarfile.BLOCKSIZE and not any(buf):  # the archive's end
                raise
            raise tarfile.ReadError(str(error)) from None
        if header.size < 0 or header.size > LONGEST and not header.isfile():
            raise tarfile.ReadError(f"a header of type {header.type!r} declares {header.size:,} bytes")
        return header
