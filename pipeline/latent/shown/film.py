"""The training as a film: Radford, Metz & Chintala 2016, arXiv 1511.06434, sec. 4.1, show two of its moments."""
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from pipeline.errors import InputError
from pipeline.latent import film

FRAMES = 40  # at most
SIDE = 270  # pixels of a grid at most: rows and columns beyond are left out
SECONDS = 12  # a film lasts at most, unless its frames are shorter than internals.milliseconds then


def training_film(folder: Path, shape: tuple[int, int], grey: bool, milliseconds: int, steps: int) -> bytes:
    """A WebP of the sample grids of one training, over the distance so far; `folder` is what stage train reports.

    Images are of `shape` (h, w). A frame stays for `milliseconds`, or up to `steps` times as long in a short film.
    InputError when a grid or the curve is missing.
    """
    seen, distances, name, grids = _history(folder, shape)
    frames = film.film(grids, seen, distances, name)
    wait = max(milliseconds, min(milliseconds * steps, 1000 * SECONDS // len(frames)))
    return film.webp(frames, [wait] * (len(frames) - 1) + [2 * wait], grey)


def _history(folder: Path, shape: tuple[int, int]) -> tuple[list[float], list[float], str, list[np.ndarray]]:
    """Images seen, distances and their name, and grids uint8; InputError when something is not there."""
    try:
        table = pd.read_csv(folder / "fid.csv")
        files = sorted((folder / "samples").glob("*.png"))
        if "images_seen" not in table or len(table.columns) < 2 or len(files) != len(table) or not files:
            raise InputError(f"{folder}: {len(files)} grids of samples, and fid.csv has {len(table)} rows of "
                             f"{', '.join(table.columns)}; expected as many, of images_seen and a distance")
        table.insert(0, "file", files)
        chosen = table.iloc[np.unique(np.linspace(0, len(table) - 1, FRAMES).round().astype(int))]
        grids = [_cropped(np.asarray(Image.open(file)), shape) for file in chosen["file"]]
    except (FileNotFoundError, pd.errors.EmptyDataError):
        raise InputError(f"{folder}: no fid.csv with grids of samples of the training; run `dvc repro`") from None
    return chosen["images_seen"].tolist(), chosen.iloc[:, 2].tolist(), str(table.columns[2]), grids


def _cropped(grid: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """As many whole rows and columns of images as fit."""
    height, width = (max(1, (SIDE + 1) // (size + 1)) * (size + 1) - 1 for size in shape)
    return grid[:height, :width]
