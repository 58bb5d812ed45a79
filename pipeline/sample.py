"""`dcgan sample`: images of a trained generator, as one picture, as a folder of pictures, or as arrays."""
import argparse
import io
import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pipeline import files, trained
from pipeline.data import pixels
from pipeline.errors import InputError
from pipeline.gan import sampling
from pipeline.latent import rows

EXAMPLE = "example: dcgan sample models/test4 --n 64 --seed 7 samples.png"
OUT = "a .png with all of them or an .npz with their pixels and z, which are overwritten, or a new folder of .png"


def main(words: list[str]) -> None:
    """Runs `dcgan sample` with `words`."""
    parser = argparse.ArgumentParser(prog="dcgan sample", description=__doc__, epilog=EXAMPLE)
    parser.add_argument("model", help=trained.MODEL)
    parser.add_argument("out", type=Path, help=OUT)
    parser.add_argument("--n", type=int, default=64, help="so many images; 64 if not given")
    parser.add_argument("--seed", type=trained.seed, default=0, help="of their z; 0 if not given")
    parser.add_argument("--label", type=int, help="the class of all, for a conditional generator; else all in turns")
    given = parser.parse_args(words)
    if given.n < 1:
        raise InputError(f"--n {given.n}: expected at least 1")
    check(given.out)
    with trained.opened(given.model) as model:
        z = sampling.prior(model.network, given.n, torch.Generator().manual_seed(given.seed))
        y = trained.told(model.network, given.n, given.label)
        write(given.out, model.images(rows.joined(z, y)), z, y, given.label is None)
    print(f"{given.n} images: {given.out}")


def check(out: Path) -> None:
    """InputError when images cannot be written to `out`."""
    if not out.name or out.suffix not in ("", ".png", ".npz"):
        raise InputError(f"{out}: expected {OUT}")
    if not out.suffix and out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise InputError(f"{out}: is there already; expected a new folder")


def write(out: Path, images: np.ndarray, z: Tensor, y: Tensor | None, in_turns: bool) -> None:
    """Writes uint8 `images` (n, c, h, w), of z (n, z_dim) and one-hot labels y (n, classes) or None, to `out`.

    In one picture of all classes `in_turns` each has a column.
    """
    labels = None if y is None else y.argmax(1).numpy()
    if out.suffix == ".png":
        columns = math.ceil(math.sqrt(len(images))) if y is None or not in_turns else min(y.shape[1], len(images))
        files.write(out, pixels.png(pixels.grid(images, columns)))
    elif out.suffix == ".npz":
        arrays: dict[str, Any] = {"images": images, "z": z.numpy()} | ({} if labels is None else {"labels": labels})
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **arrays)
        files.write(out, buffer.getvalue())
    else:
        with files.replacing(out) as temporary:
            for i, image in enumerate(images):
                name = f"{i:0{len(str(len(images) - 1))}}" + ("" if labels is None else f"-class{labels[i]}")
                files.write(temporary / f"{name}.png", pixels.png(pixels.grid(image[None], 1)))
