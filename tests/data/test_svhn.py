"""SVHN from small MATLAB files of the genuine format."""
import hashlib
import io
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat
from torchvision.datasets import SVHN

from pipeline.data import svhn
from pipeline.errors import InputError
from tests.data.conftest import Server, fetched

PICTURES = {split: np.random.default_rng(n).integers(0, 256, (n, 32, 32, 3), np.uint8)  # rows, columns, RGB
            for split, n in {"train": 12, "test": 5}.items()}
LABELS = {"train": [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 10, 1], "test": [10, 9, 1, 5, 2]}  # 10 is the digit 0


def mat(split: str) -> bytes:
    """MATLAB 5, compressed, as published: X (32, 32, 3, n) and y (n, 1), both uint8."""
    buffer = io.BytesIO()
    savemat(buffer, {"X": PICTURES[split].transpose(1, 2, 3, 0), "y": np.array(LABELS[split], np.uint8)[:, None]},
            do_compression=True)
    return buffer.getvalue()


FILES = {f"{split}_32x32.mat": mat(split) for split in PICTURES}


@pytest.fixture(autouse=True)
def pinned(monkeypatch: pytest.MonkeyPatch, server: Server) -> None:
    """The small files are what is pinned; the only server is on this machine."""
    monkeypatch.setattr(svhn, "DIGESTS", {name: hashlib.sha256(text).hexdigest() for name, text in FILES.items()})
    monkeypatch.setattr(SVHN, "split_list", {"train": [server.url + "train_32x32.mat", "", ""]})


def put(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    for name, content in FILES.items():
        (folder / name).write_bytes(content)
    return folder


def test_a_server_gives_the_arrays_once(tmp_path: Path, server: Server) -> None:
    put(server.folder)
    arrays = svhn.arrays(tmp_path / "raw", None)
    assert {name: (array.shape, array.dtype) for name, array in arrays.items()} == {
        "train_images": ((12, 3, 32, 32), np.uint8), "train_labels": ((12,), np.uint8),
        "test_images": ((5, 3, 32, 32), np.uint8), "test_labels": ((5,), np.uint8)}
    svhn.arrays(tmp_path / "raw", None)
    assert server.asked == ["/train_32x32.mat", "/test_32x32.mat"]


def test_images_labels_channels_rows_and_columns_are_where_they_belong(tmp_path: Path) -> None:
    arrays = svhn.arrays(tmp_path / "raw", put(tmp_path / "local"))  # the server answers 404
    for split, pictures in PICTURES.items():
        assert np.array_equal(arrays[f"{split}_images"], np.stack([picture.transpose(2, 0, 1) for picture in pictures]))
    assert arrays["train_images"][3, 2, 7, 20] == PICTURES["train"][3, 7, 20, 2]
    assert arrays["train_labels"].tolist() == [1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 0, 1]
    assert arrays["test_labels"].tolist() == [0, 9, 1, 5, 2]


def test_a_wrong_or_cut_file_is_refused(tmp_path: Path, server: Server) -> None:
    put(server.folder)
    (server.folder / "test_32x32.mat").write_bytes(FILES["test_32x32.mat"][:-5])
    with pytest.raises(InputError, match=r"test_32x32\.mat: [\d,]+ bytes with SHA-256 .*train_32x32\.mat and test_"):
        svhn.arrays(tmp_path / "raw", None)
    assert [path.name for path in (tmp_path / "raw").iterdir()] == ["train_32x32.mat"]


def test_what_is_pinned_is_svhn() -> None:
    """The images of the pinned digests, where `dvc repro fetch` has brought them."""
    dataset = fetched("svhn")
    assert len(dataset.test_labels) == 26032
    # As published with many examples; zeros are counted as 0, not as 10.
    assert np.bincount(dataset.train_labels).tolist() == [4948, 13861, 10585, 8497, 7458, 6882, 5727, 5595, 5045, 4659]
