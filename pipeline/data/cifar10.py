"""CIFAR-10 (Krizhevsky 2009, "Learning Multiple Layers of Features from Tiny Images") from Toronto or a local folder.

The authors publish pickles, and a pickle can run anything. Here the archive's SHA-256 is compared before it is opened,
each batch's MD5 before it is read, and the reader knows nothing but dicts, lists, numbers, strings and uint8 arrays.
"""
import pickle
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torchvision.datasets import CIFAR10

from pipeline.data import sources
from pipeline.errors import InputError

FACTS = {
    "name": "cifar10",
    "classes": ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"],
    "source": "CIFAR-10, A. Krizhevsky, V. Nair and G. Hinton, 2009",
    "url": "https://www.cs.toronto.edu/~kriz/cifar.html",
    "licence": "none stated; the authors ask to cite Krizhevsky 2009",
}
ARCHIVE = "cifar-10-python.tar.gz"
INSIDE = "cifar-10-batches-py"
# The archive's SHA-256 is Keras's pin too (keras/datasets/cifar10.py); the batches' MD5 are torchvision's.
ARCHIVE_DIGEST = "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce"
DIGESTS = {
    "data_batch_1": "c99cafc152244af753f735de768cd75f",
    "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
    "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
    "data_batch_4": "634d18415352ddfa80567beed471001a",
    "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
    "test_batch": "40351d587109b95175f43aff81a1287e",
}


def arrays(folder: Path, directory: Path | None) -> dict[str, np.ndarray]:
    """50,000 training and 10,000 test images, uint8 (n, 3, 32, 32) in RGB order, and labels 0..9.

    The raw batches are kept in `folder`. InputError when no source gives them.
    """
    sources.fetch("CIFAR-10", DIGESTS, folder, places(directory), f"{ARCHIVE} or what it holds, {INSIDE}/")
    found: dict[str, np.ndarray] = {}
    for split, start in {"train": "data_batch_", "test": "test_batch"}.items():
        batches = [read(folder / file) for file in DIGESTS if file.startswith(start)]
        found[f"{split}_images"] = np.concatenate([images for images, _ in batches])
        found[f"{split}_labels"] = np.concatenate([labels for _, labels in batches])
    return found


def places(directory: Path | None) -> Iterator[tuple[str, sources.Source]]:
    """The sources, in the order in which they are tried."""
    yield CIFAR10.url, from_server
    if directory is None:
        return
    if (directory / ARCHIVE).exists():
        yield f"archive {directory / ARCHIVE}", lambda files, scratch: from_archive(directory / ARCHIVE, files, scratch)
    batches = directory / INSIDE if (directory / INSIDE).is_dir() else directory
    yield f"directory {batches}", sources.local(batches)


def from_server(files: Sequence[str], scratch: Path) -> Iterator[str]:
    """Downloads the archive, whichever of its files are missing."""
    sources.download(CIFAR10.url, scratch / ARCHIVE)
    yield from from_archive(scratch / ARCHIVE, files, scratch)


def from_archive(archive: Path, files: Sequence[str], scratch: Path) -> Iterator[str]:
    """Extracts batches of an archive that is the genuine one."""
    sources.check(archive, ARCHIVE_DIGEST)
    yield from sources.extract(archive, f"{INSIDE}/", files, scratch)


def read(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """A batch's images, uint8 (n, 3, 32, 32), and labels, uint8 (n,); InputError when it names anything but arrays."""
    try:
        with open(path, "rb") as file:
            batch = PickledBatch(file, encoding="bytes").load()
    except pickle.UnpicklingError as error:
        raise InputError(f"{path}: not a batch of CIFAR-10 ({error}); it was not read") from None
    return batch[b"data"].reshape(-1, 3, 32, 32), np.array(batch[b"labels"], np.uint8)


class PickledBatch(pickle.Unpickler):
    """Reads the pickles of Python 2 that CIFAR-10 is made of, and refuses every object that they do not contain."""

    def find_class(self, module: str, name: str) -> Any:
        known = {("numpy.core.multiarray", "_reconstruct"): np.empty(0).__reduce__()[0],
                 ("numpy", "ndarray"): np.ndarray, ("numpy", "dtype"): _dtype}
        if (module, name) not in known:
            raise pickle.UnpicklingError(f"it names {module}.{name}, which no genuine one does")
        return known[module, name]


def _dtype(kind: bytes, align: int, copy: int) -> np.dtype:
    if kind != b"u1":
        raise pickle.UnpicklingError(f"it holds numbers of type {kind!r}, expected b'u1'")
    return np.dtype(np.uint8, align=bool(align), copy=bool(copy))  # the pickles' 0 and 1 make NumPy warn
