"""Fashion-MNIST (Xiao, Rasul & Vollgraf 2017, arXiv 1708.07747): Zalando's articles in MNIST's format and numbers.

It comes from torchvision's mirror, from Debian's package dataset-fashion-mnist where that is installed, or from a local
folder; whatever the source, the four IDX files must have the contents pinned here.
"""
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from torchvision.datasets import FashionMNIST

from pipeline.data import mnist, sources

FACTS = {
    "name": "fashion_mnist",
    "classes": ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag",
                "Ankle boot"],
    "source": "Fashion-MNIST, H. Xiao, K. Rasul and R. Vollgraf, Zalando Research, 2017, arXiv 1708.07747",
    "url": "https://github.com/zalandoresearch/fashion-mnist",
    "licence": "MIT",
}
# SHA-256 of the uncompressed IDX files; they are what the archives hold whose MD5 torchvision and Zalando publish.
DIGESTS = {
    "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}
DEBIAN = Path("/usr/share/datasets/fashion-mnist")


def arrays(folder: Path, directory: Path | None) -> dict[str, np.ndarray]:
    """60,000 training and 10,000 test images, uint8 (n, 1, 28, 28), and labels 0..9; raw files are kept in `folder`."""
    sources.fetch("Fashion-MNIST", DIGESTS, folder, places(directory),
                  f"{mnist.LOCAL} (Debian's package dataset-fashion-mnist brings them)")
    return mnist.read(folder)


def places(directory: Path | None) -> Iterator[tuple[str, sources.Source]]:
    """The sources, in the order in which they are tried."""
    for base in FashionMNIST.mirrors:
        yield base, sources.mirror(base, ".gz")
    if DEBIAN.is_dir():
        yield f"Debian's {DEBIAN}", sources.local(DEBIAN)
    if directory is not None:
        yield f"directory {directory}", sources.local(directory)
