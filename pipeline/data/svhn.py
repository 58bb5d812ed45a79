"""SVHN's cropped digits (Netzer, Wang, Coates, Bissacco, Wu & Ng 2011, "Reading Digits in Natural Images with
Unsupervised Feature Learning") from Stanford or a local folder; the half million "extra" digits are left out.
"""
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from scipy.io import loadmat
from torchvision.datasets import SVHN

from pipeline.data import sources

FACTS = {
    "name": "svhn",
    "classes": [str(digit) for digit in range(10)],
    "source": "The Street View House Numbers, cropped digits, Y. Netzer, T. Wang, A. Coates, A. Bissacco, B. Wu and "
              "A. Y. Ng, 2011",
    "url": "http://ufldl.stanford.edu/housenumbers/",
    "licence": "non-commercial use only",
}
# SHA-256; torchvision's datasets.SVHN pins the same two files by MD5, its prototype by these.
DIGESTS = {
    "train_32x32.mat": "435e94d69a87fde4fd4d7f3dd208dfc32cb6ae8af2240d066de1df7508d083b8",
    "test_32x32.mat": "cdce80dfb2a2c4c6160906d0bd7c68ec5a99d7ca4831afa54f09182025b6a75b",
}


def arrays(folder: Path, directory: Path | None) -> dict[str, np.ndarray]:
    """73,257 training and 26,032 test images, uint8 (n, 3, 32, 32) in RGB order, and labels 0..9.

    The raw files are kept in `folder`. InputError when no source gives them.
    """
    sources.fetch("SVHN", DIGESTS, folder, places(directory), " and ".join(DIGESTS))
    found: dict[str, np.ndarray] = {}
    for split in ("train", "test"):
        found[f"{split}_images"], found[f"{split}_labels"] = read(folder / f"{split}_32x32.mat")
    return found


def places(directory: Path | None) -> Iterator[tuple[str, sources.Source]]:
    """The sources, in the order in which they are tried."""
    base = SVHN.split_list["train"][0].removesuffix("train_32x32.mat")
    yield base, sources.mirror(base)
    if directory is not None:
        yield f"directory {directory}", sources.local(directory)


def read(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """A MATLAB file's images, uint8 (n, 3, 32, 32), and labels, uint8 (n,); 10, MATLAB's zero, has become 0."""
    content = loadmat(path, variable_names=["X", "y"])
    return content["X"].transpose(3, 2, 0, 1), content["y"][:, 0] % 10
