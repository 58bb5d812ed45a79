"""The image contract: a folder of uint8 arrays that are memory-mapped, never pickled, and checked by digest.

    {train,test}_images.npy   uint8 (n, channels, height, width)
    {train,test}_labels.npy   uint8 (n,)
    meta.json                 name, classes, counts, source, licence, SHA-256 of each array file and of all four
"""
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline import files
from pipeline.errors import InputError

ARRAYS = ("train_images", "train_labels", "test_images", "test_labels")


@dataclass(frozen=True)
class Dataset:
    """One data set, memory-mapped: images uint8 (n, c, h, w), labels uint8 (n,), and what meta.json says."""
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
            np.save(temporary / f"{name}.npy", np.ascontiguousarray(arrays[name], np.uint8), allow_pickle=False)
        digests = {f"{name}.npy": files.sha256(temporary / f"{name}.npy") for name in ARRAYS}
        counts = {"train": len(arrays["train_images"]), "test": len(arrays["test_images"])}
        meta = facts | {"counts": counts, "files": digests, "sha256": _overall(digests)}
        files.write(temporary / "meta.json", (json.dumps(meta, indent=2) + "\n").encode())


def load(folder: Path) -> Dataset:
    """The data set in `folder`; InputError when a file is missing, truncated or not what meta.json says."""
    try:
        meta = json.loads((folder / "meta.json").read_text())
        digests = meta["files"]
        for file, expected in digests.items():
            if (found := files.sha256(folder / file)) != expected:
                raise InputError(f"{folder / file}: SHA-256 is {found[:12]}…, meta.json says {expected[:12]}…; "
                                 f"the file is damaged: delete {folder} and run `dvc repro fetch`")
        arrays = {name: np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False) for name in ARRAYS}
    except FileNotFoundError as error:
        raise InputError(f"{error.filename}: not found; run `dvc repro fetch`") from None
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{folder}: not a data set of this project ({error}); run `dvc repro fetch`") from None
    return Dataset(**arrays, meta=meta)


def _overall(digests: dict[str, str]) -> str:
    return hashlib.sha256("".join(digests[file] for file in sorted(digests)).encode()).hexdigest()
