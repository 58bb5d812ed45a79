"""dcgan sample: images of a trained generator, as one picture, a folder of pictures, or arrays."""
import argparse
import io
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline import files, room
from pipeline.commands import models
from pipeline.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

EXAMPLE = "example: dcgan sample models/test4 --n 64 --seed 7 samples.png"
OUT = "a .png with all of them or an .npz with their pixels and z, which are overwritten, or a new folder of .png"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `dcgan sample` takes."""
    parser.add_argument("model", help=models.MODEL)
    parser.add_argument("out", type=Path, help=OUT)
    parser.add_argument("--n", type=int, default=64, help="how many images; default 64")
    parser.add_argument("--seed", type=models.seed, default=0, help="of their z; default 0")
    parser.add_argument("--label", type=int, help="the class, for a conditional generator; default: one after another")
    parser.add_argument("--generator", choices=models.GENERATORS, default="last", help=models.GENERATOR)


def run(given: argparse.Namespace) -> None:
    """Generates the images and writes them."""
    if given.n < 1:
        raise InputError(f"--n {given.n}: expected at least 1")
    check(given.out)
    import torch

    from pipeline.gan import sampling
    from pipeline.latent import rows
    with models.opened(given.model, given.generator) as model:
        room.in_memory(f"--n {given.n}", given.n * (2 * math.prod(model.network.image) + 8 * model.network.z_dim))
        z = sampling.prior(model.network, given.n, torch.Generator().manual_seed(given.seed))
        y = models.conditions(model.network, given.n, given.label)
        write(given.out, model.images(rows.joined(z, y)), z, y, given.label is None)
    print(f"{given.n} images: {given.out}")


def check(out: Path) -> None:
    """InputError when images cannot be written to `out`."""
    if not out.name or out.suffix not in ("", ".png", ".npz"):
        raise InputError(f"{out}: expected {OUT}")
    if not out.suffix and out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise InputError(f"{out}: is there already; expected a new folder")


def write(out: Path, images: "np.ndarray", z: "Tensor", y: "Tensor | None", all_classes: bool) -> None:
    """Writes uint8 `images` (n, c, h, w), of z (n, z_dim) and one-hot labels y (n, classes) or None, to `out`.

    In one picture of `all_classes` each class has a column.
    """
    import numpy as np

    from pipeline.data import pixels
    labels = None if y is None else y.argmax(1).numpy()
    if out.suffix == ".png":
        columns = min(y.shape[1], len(images)) if y is not None and all_classes else math.ceil(math.sqrt(len(images)))
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
