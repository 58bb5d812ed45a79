"""The image contract: a folder of uint8 arrays that are memory-mapped, never pickled, and checked by digest.

    {train,test}_images.npy   uint8 (n, channels, height, width)
    {train,test}_labels.npy   uint8 (n,), or uint16 with more than 256 classes
    meta.json                 name, classes, counts, source, licence, SHA-256 of each array file and of all four
"""
import hashlib
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import numpy as np
from pydantic import Field
from typing_extensions import TypedDict

from pipeline import files, records
from pipeline.errors import InputError

ARRAYS = ("train_images", "train_labels", "test_images", "test_labels")
BATCH_BYTES = 1 << 24


class Meta(TypedDict):
    """What meta.json has at least: `files` are digests of the arrays, `sha256` is that of all."""
    name: str
    classes: Annotated[list[str], Field(min_length=1)]
    counts: dict[str, int]
    files: dict[str, str]
    sha256: str


@dataclass(frozen=True)
class Dataset:
    """One data set, memory-mapped: images uint8 (n, c, h, w), labels uint8 or uint16 (n,), and what meta.json says."""
    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray
    meta: dict[str, Any]

    @property
    def shape(self) -> tuple[int, int, int]:
        """(channels, height, width) of an image."""
        channels, height, width = self.train_images.shape[1:]
        return channels, height, width

    @property
    def classes(self) -> int:
        return len(self.meta["classes"])

    @property
    def digest(self) -> str:
        """SHA-256 over the digests of the four arrays."""
        return self.meta["sha256"]


def save(folder: Path, arrays: dict[str, np.ndarray], facts: dict[str, Any]) -> None:
    """Writes the four `arrays` (keys: ARRAYS) and meta.json, which holds `facts` (name, classes, source, licence)."""
    with files.replacing(folder) as temporary:
        for name in ARRAYS:
            kind = label_type(len(facts["classes"])) if name.endswith("labels") else np.dtype(np.uint8)
            np.save(temporary / f"{name}.npy", np.ascontiguousarray(arrays[name], kind), allow_pickle=False)
        describe(temporary, facts)


def label_type(classes: int) -> np.dtype:
    """uint8, or uint16 with more than 256 classes."""
    return np.dtype(np.uint8 if classes <= 256 else np.uint16)


def describe(folder: Path, facts: dict[str, Any]) -> None:
    """Completes a folder that holds the four arrays with meta.json: `facts`, counts and digests."""
    digests = {f"{name}.npy": files.sha256(folder / f"{name}.npy") for name in ARRAYS}
    counts = {split: len(np.load(folder / f"{split}_labels.npy", mmap_mode="r")) for split in ("train", "test")}
    meta = facts | {"counts": counts, "files": digests, "sha256": _overall(digests)}
    files.write(folder / "meta.json", (json.dumps(meta, indent=2) + "\n").encode())


def allocate(path: Path, shape: tuple[int, ...]) -> int:
    """Makes a .npy file of uint8 zeros that no memory holds; returns the byte at which its first row begins."""
    with open(path, "wb") as file:
        _header(file, shape)
        begin = file.tell()
        file.truncate(begin + math.prod(shape))
    return begin


def keep(path: Path, wanted: np.ndarray) -> None:
    """Leaves in a uint8 .npy file the rows that are True in `wanted`, bool (n,), in their order; batch by batch."""
    with open(path, "r+b") as file:
        np.lib.format.read_magic(file)
        shape, _, _ = np.lib.format.read_array_header_1_0(file)
        if wanted.shape != shape[:1]:
            raise ValueError(f"{path}: {wanted.shape} flags for {shape[:1]} rows")
        row = math.prod(shape[1:])
        source = target = begin = file.tell()
        step = max(1, BATCH_BYTES // row)
        for first in range(0, len(wanted), step):
            file.seek(source)
            rows = np.frombuffer(file.read(step * row), np.uint8).reshape(-1, row)
            source = file.tell()
            file.seek(target)
            file.write(rows[wanted[first:first + step]].tobytes())
            target = file.tell()
        file.truncate(target)
        file.seek(0)
        _header(file, (int(wanted.sum()), *shape[1:]))  # as long as the old one: NumPy leaves room for any first axis
        assert file.tell() == begin


def load(folder: Path) -> Dataset:
    """The data set in `folder`; InputError when a file is missing, truncated or not what meta.json says."""
    again = f"delete {folder} and run `dvc repro fetch`"
    meta = records.read(folder / "meta.json", Meta, "run `dvc repro fetch`")
    if set(meta["files"]) != {f"{name}.npy" for name in ARRAYS} or _overall(meta["files"]) != meta["sha256"]:
        raise InputError(f"{folder / 'meta.json'}: its digests do not fit together; {again}")
    try:
        for file, expected in meta["files"].items():
            if (found := files.sha256(folder / file)) != expected:
                raise InputError(f"{folder / file}: SHA-256 is {found[:12]}…, meta.json says {expected[:12]}…; "
                                 f"the file is damaged: {again}")
        dataset = Dataset(**{name: np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)
                             for name in ARRAYS}, meta=meta)
    except FileNotFoundError as error:
        raise InputError(f"{error.filename}: not found; run `dvc repro fetch`") from None
    except ValueError as error:
        raise InputError(f"{folder}: not a data set of this project ({error}); run `dvc repro fetch`") from None
    if problem := _problem(dataset):
        raise InputError(f"{folder}: {problem}; {again}")
    return dataset


def _problem(dataset: Dataset) -> str:
    """What of the image contract does not hold, or ''."""
    for split, shape in (("train", dataset.train_images.shape[1:]), ("test", dataset.train_images.shape[1:])):
        images, labels = (getattr(dataset, f"{split}_{kind}") for kind in ("images", "labels"))
        if images.dtype != np.uint8 or images.ndim != 4 or images.shape[1:] != shape or not len(images):
            return f"{split}_images are {images.dtype} {images.shape}; expected uint8 (n, channels, height, width)"
        if labels.shape != images.shape[:1] or labels.dtype != label_type(dataset.classes):
            return (f"{split}_labels are {labels.dtype} {labels.shape}; expected {label_type(dataset.classes)}, one "
                    f"for each of {len(images):,} images")
        if labels.max() >= dataset.classes:
            return f"{split}_labels reach {labels.max()}; expected less than {dataset.classes}, the number of classes"
    return ""


def _header(file: BinaryIO, shape: tuple[int, ...]) -> None:
    """What np.save writes before the values of a uint8 array."""
    np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})


def _overall(digests: dict[str, str]) -> str:
    return hashlib.sha256("".join(digests[file] for file in sorted(digests)).encode()).hexdigest()
