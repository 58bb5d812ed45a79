"""The image contract: digests, refusal of damaged files, exactness of the pixel door."""
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.data import digits, images, pixels
from pipeline.errors import InputError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    images.save(tmp_path / "digits", digits.arrays(), digits.FACTS)
    return tmp_path / "digits"


def test_saving_twice_gives_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    images.save(tmp_path / "again", digits.arrays(), digits.FACTS)
    for file in folder.iterdir():
        assert file.read_bytes() == (tmp_path / "again" / file.name).read_bytes()


def test_what_is_loaded_is_what_was_saved_and_memory_mapped(folder: Path) -> None:
    dataset, arrays = images.load(folder), digits.arrays()
    assert isinstance(dataset.train_images, np.memmap) and dataset.train_images.dtype == np.uint8
    for name in images.ARRAYS:
        assert np.array_equal(getattr(dataset, name), arrays[name])
    assert dataset.meta["counts"] == {"train": 1437, "test": 360} and dataset.shape == (1, 28, 28)


def test_labels_of_more_than_256_classes_need_16_bits(tmp_path: Path) -> None:
    for count, kind in ((256, np.uint8), (257, np.uint16)):
        labels = np.arange(count)
        arrays = {f"{split}_{what}": labels if what == "labels" else np.zeros((count, 1, 2, 2))
                  for split in ("train", "test") for what in ("images", "labels")}
        images.save(tmp_path / "many", arrays, {"name": "many", "classes": [str(label) for label in labels]})
        dataset = images.load(tmp_path / "many")
        assert dataset.train_labels.dtype == kind and np.array_equal(dataset.test_labels, labels)
        assert dataset.train_images.dtype == np.uint8 and dataset.meta["counts"] == {"train": count, "test": count}


@pytest.mark.parametrize("batch", [1, 100, 1 << 24])
@pytest.mark.parametrize("kept", [0, 1, 7, 1000])
def test_rows_are_removed_from_a_file_as_if_they_had_never_been_there(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batch: int, kept: int) -> None:
    rows = np.random.default_rng(0).integers(0, 256, (1000, 3, 2, 2), np.uint8)
    wanted = np.zeros(1000, bool)
    wanted[np.random.default_rng(1).permutation(1000)[:kept]] = True
    begin = images.allocate(tmp_path / "a.npy", rows.shape)
    with open(tmp_path / "a.npy", "r+b") as file:
        file.seek(begin)
        file.write(rows.tobytes())
    np.save(tmp_path / "b.npy", rows)
    assert (tmp_path / "a.npy").read_bytes() == (tmp_path / "b.npy").read_bytes()
    monkeypatch.setattr(images, "BATCH_BYTES", batch)
    images.keep(tmp_path / "a.npy", wanted)
    np.save(tmp_path / "b.npy", rows[wanted])
    assert (tmp_path / "a.npy").read_bytes() == (tmp_path / "b.npy").read_bytes()
    with pytest.raises(ValueError, match=r"b.npy: \(999,\) flags for"):
        images.keep(tmp_path / "b.npy", wanted[1:])


@pytest.mark.parametrize("damage", ["truncate", "flip", "remove", "meta"])
def test_a_damaged_file_is_refused_by_name(folder: Path, damage: str) -> None:
    path = folder / ("meta.json" if damage == "meta" else "train_images.npy")
    content = path.read_bytes()
    if damage == "remove":
        path.unlink()
    else:
        path.write_bytes(content[:-7] if damage in ("truncate", "meta") else content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(InputError, match="digits") as error:
        images.load(folder)
    assert "\n" not in str(error.value) and "dvc repro fetch" in str(error.value)


def test_digits_are_the_images_of_scikit_learn_enlarged() -> None:
    arrays = digits.arrays()
    everything = np.concatenate([arrays["train_images"], arrays["test_images"]])
    assert everything.min() == 0 and everything.max() == 255 and len(everything) == 1797
    counts = np.bincount(arrays["test_labels"], minlength=10)
    assert counts.min() >= 35 and counts.max() <= 37  # stratified


def test_every_grey_level_survives_the_door() -> None:
    levels = torch.arange(256, dtype=torch.uint8)
    signed = pixels.to_float(levels)
    assert signed[0] == -1 and signed[255] == 1 and signed.dtype == torch.float32
    assert torch.equal(pixels.to_uint8(signed), levels)


def test_the_door_rounds_to_the_nearest_level_and_clips() -> None:
    near = torch.tensor([-1.2, 1.2, (100.4 / 127.5) - 1, (100.6 / 127.5) - 1])
    assert pixels.to_uint8(near).tolist() == [0, 255, 100, 101]


def test_a_grid_goes_row_by_row() -> None:
    tiles = np.stack([np.full((1, 2, 3), value, np.uint8) for value in (10, 20, 30)])
    sheet = np.asarray(pixels.grid(tiles, columns=2))
    assert sheet.shape == (2 * 2 + 1, 2 * 3 + 1)
    assert sheet[0, 0] == 10 and sheet[0, -1] == 20 and sheet[-1, 0] == 30 and sheet[0, 3] == 32
