"""CIFAR-10 from a small archive of the genuine format, and what becomes of an archive or a pickle that is not."""
import hashlib
import io
import os
import pickle
import struct
import tarfile
from pathlib import Path

import numpy as np
import pytest
from torchvision.datasets import CIFAR10

from pipeline.data import cifar10
from pipeline.errors import InputError
from tests.data.conftest import Server, fetched

SIZES = {"data_batch_1": 4, "data_batch_2": 3, "data_batch_3": 2, "data_batch_4": 1, "data_batch_5": 2, "test_batch": 3}
IMAGES = {name: np.random.default_rng(n).integers(0, 256, (size, 3, 32, 32), np.uint8)
          for n, (name, size) in enumerate(SIZES.items())}
LABELS = {name: [(n + 3 * i) % 10 for i in range(size)] for n, (name, size) in enumerate(SIZES.items())}


def string(text: bytes) -> bytes:
    return b"U" + bytes([len(text)]) + text


def batch(images: np.ndarray, labels: list[int], kind: bytes = b"u1") -> bytes:
    """The pickle that Python 2's cPickle writes, protocol 2, for a batch: opcode for opcode, less the memo."""
    n, pixels = len(images), images.tobytes()
    array = (b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85" + string(b"b") + b"\x87R(K\x01K"
             + bytes([n]) + b"M\x00\x0c\x86cnumpy\ndtype\n" + string(kind) + b"K\x00K\x01\x87R(K\x03" + string(b"|")
             + b"NNN" + b"J\xff\xff\xff\xff" * 2 + b"K\x00tb\x89T" + struct.pack("<I", len(pixels)) + pixels + b"tb")
    names = b"".join(string(b"frog_s_%06d.png" % i) for i in range(n))
    return (b"\x80\x02}(" + string(b"batch_label") + string(b"training batch 1 of 5")
            + string(b"labels") + b"](" + b"".join(b"K" + bytes([label]) for label in labels) + b"e"
            + string(b"data") + array + string(b"filenames") + b"](" + names + b"eu.")


def archive(contents: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content in ({"batches.meta": b"not read", "readme.html": b"nor this"} | contents).items():
            member = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


BATCHES = {name: batch(IMAGES[name], LABELS[name]) for name in SIZES}
ARCHIVE = archive(BATCHES)
PINS = cifar10.DIGESTS


@pytest.fixture(autouse=True)
def pinned(monkeypatch: pytest.MonkeyPatch, server: Server) -> None:
    """The small archive and its batches are what is pinned; the only server is on this machine."""
    monkeypatch.setattr(cifar10, "DIGESTS", {name: hashlib.md5(text).hexdigest() for name, text in BATCHES.items()})
    monkeypatch.setattr(cifar10, "ARCHIVE_DIGEST", hashlib.sha256(ARCHIVE).hexdigest())
    monkeypatch.setattr(CIFAR10, "url", server.url + cifar10.ARCHIVE)


def agrees(arrays: dict[str, np.ndarray]) -> bool:
    train = [name for name in SIZES if name != "test_batch"]
    expected = {"train_images": np.concatenate([IMAGES[name] for name in train]), "test_images": IMAGES["test_batch"],
                "train_labels": sum((LABELS[name] for name in train), []), "test_labels": LABELS["test_batch"]}
    return arrays.keys() == expected.keys() and all(
        array.dtype == np.uint8 and np.array_equal(array, expected[name]) for name, array in arrays.items())


def test_the_archive_is_downloaded_once_and_only_its_batches_are_kept(tmp_path: Path, server: Server) -> None:
    (server.folder / cifar10.ARCHIVE).write_bytes(ARCHIVE)
    assert agrees(cifar10.arrays(tmp_path / "raw", None))
    assert agrees(cifar10.arrays(tmp_path / "raw", None))
    assert len(server.asked) == 1 and {path.name for path in (tmp_path / "raw").iterdir()} == set(SIZES)


def test_red_comes_first_and_rows_before_columns(tmp_path: Path, server: Server) -> None:
    """The genuine layout: 1,024 bytes of red, then green, then blue; the first 32 are the first row."""
    (server.folder / cifar10.ARCHIVE).write_bytes(ARCHIVE)
    image = cifar10.arrays(tmp_path / "raw", None)["train_images"][4]  # the first of data_batch_2
    row = np.frombuffer(BATCHES["data_batch_2"], np.uint8, 3072, BATCHES["data_batch_2"].index(IMAGES["data_batch_2"]))
    assert image[0, 0, 5] == row[5] and image[0, 2, 0] == row[64] and image[2, 0, 0] == row[2048]


@pytest.mark.parametrize("where", ["archive", "folder", "folder itself"])
def test_a_directory_holds_the_archive_or_what_is_in_it(tmp_path: Path, where: str) -> None:
    folder = tmp_path / "local" if where == "folder itself" else tmp_path / "local" / "cifar-10-batches-py"
    if where == "archive":
        (tmp_path / "local").mkdir()
        (tmp_path / "local" / cifar10.ARCHIVE).write_bytes(ARCHIVE)
    else:
        folder.mkdir(parents=True)
        for name, content in BATCHES.items():
            (folder / name).write_bytes(content)
    assert agrees(cifar10.arrays(tmp_path / "raw", tmp_path / "local"))  # the server answers 404


def test_an_archive_with_a_wrong_digest_is_not_even_opened(
        tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    forged = archive(BATCHES | {"test_batch": b"forged"})
    (server.folder / cifar10.ARCHIVE).write_bytes(forged)
    monkeypatch.setattr(tarfile, "open", lambda *words: pytest.fail("the archive was opened"))
    with pytest.raises(InputError, match=f"SHA-256 {hashlib.sha256(forged).hexdigest()[:12]}…, expected "
                                         f"{cifar10.ARCHIVE_DIGEST[:12]}…"):
        cifar10.arrays(tmp_path / "raw", None)
    assert list((tmp_path / "raw").iterdir()) == []


def test_a_cut_archive_or_one_without_a_batch_is_refused(
        tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    (server.folder / cifar10.ARCHIVE).write_bytes(ARCHIVE[:-100])
    with pytest.raises(InputError, match=r"SHA-256 .*a folder with cifar-10-python\.tar\.gz or what it holds"):
        cifar10.arrays(tmp_path / "raw", None)
    partial = archive({name: content for name, content in BATCHES.items() if name != "test_batch"})
    (server.folder / cifar10.ARCHIVE).write_bytes(partial)
    monkeypatch.setattr(cifar10, "ARCHIVE_DIGEST", hashlib.sha256(partial).hexdigest())
    with pytest.raises(InputError, match="test_batch' not found"):
        cifar10.arrays(tmp_path / "raw", None)


class Evil:
    """Unpickled the usual way, it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("protocol", range(5))
def test_a_pickle_that_names_a_function_is_refused_and_runs_nothing(tmp_path: Path, protocol: int) -> None:
    (tmp_path / "batch").write_bytes(pickle.dumps({"data": Evil(tmp_path / "ran")}, protocol))
    with pytest.raises(InputError, match=r"batch: not a batch of CIFAR-10 \(it names (posix|nt)\.mkdir") as error:
        cifar10.read(tmp_path / "batch")
    assert not (tmp_path / "ran").exists() and "\n" not in str(error.value)


@pytest.mark.parametrize("kind", [b"O8", b"f4"])
def test_arrays_of_anything_but_bytes_are_refused(tmp_path: Path, kind: bytes) -> None:
    (tmp_path / "batch").write_bytes(batch(IMAGES["test_batch"], LABELS["test_batch"], kind))
    with pytest.raises(InputError, match="numbers of type b'" + kind.decode()):
        cifar10.read(tmp_path / "batch")


def test_the_pins_of_the_batches_are_torchvisions() -> None:
    assert PINS == dict(CIFAR10.train_list + CIFAR10.test_list)


def test_what_is_pinned_is_cifar10() -> None:
    """The images of the pinned digests, where `dvc repro fetch` has brought them."""
    dataset = fetched("cifar10")
    assert np.bincount(dataset.train_labels).tolist() == [5000] * 10
    assert np.bincount(dataset.test_labels).tolist() == [1000] * 10
    # Mean and standard deviation of red, green and blue of the training images, as published with many examples.
    assert dataset.train_images.mean((0, 2, 3)) / 255 == pytest.approx([0.4914, 0.4822, 0.4465], abs=5e-5)
    assert dataset.train_images.std((0, 2, 3)) / 255 == pytest.approx([0.2470, 0.2435, 0.2616], abs=5e-5)
