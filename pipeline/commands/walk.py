"""dcgan walk: a walk through the latent space of a trained generator, as a strip or as a film that loops."""
import argparse
from math import prod
from pathlib import Path

from pipeline import files, room
from pipeline.commands import models
from pipeline.errors import InputError

EXAMPLE = "example: dcgan walk models/test4 walk.webp --points 5 --steps 12 --seed 7"
OUT = "a .png with a row from each z to the next, or a .webp or .gif that returns to the first z and loops"
MILLISECONDS = 60  # of a frame


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `dcgan walk` takes."""
    parser.add_argument("model", help=models.MODEL)
    parser.add_argument("out", type=Path, help=OUT)
    parser.add_argument("--points", type=int, default=6, help="how many random z; default 6")
    parser.add_argument("--steps", type=int, default=10, help="frames from each to the next; default 10")
    parser.add_argument("--seed", type=models.seed, default=0, help="of the z; default 0")
    parser.add_argument("--straight", action="store_true", help="straight lines; default: arcs around the origin")
    parser.add_argument("--label", type=int, help="the class, for a conditional generator; default 0")
    parser.add_argument("--generator", choices=models.GENERATORS, default="last", help=models.GENERATOR)


def run(given: argparse.Namespace) -> None:
    """Generates the walk and writes it."""
    if given.out.suffix not in (".png", ".webp", ".gif"):
        raise InputError(f"{given.out}: expected {OUT}")
    import numpy as np
    import torch

    from pipeline.data import pixels
    from pipeline.gan import sampling
    from pipeline.latent import film, rows, walks
    still = given.out.suffix == ".png"
    with models.opened(given.model, given.generator) as model:
        count, (_, height, width) = max(given.points, 0) * max(given.steps, 0), model.network.image
        times = 0 if still else -(-film.WIDE // width)  # frames of a film are enlarged, in RGB, and Pillow has copies
        room.in_memory(f"a walk of {count:,} images", count * (
            8 * prod(model.network.image) + 24 * model.network.z_dim + 6 * times ** 2 * height * width))
        points = sampling.prior(model.network, max(given.points, 0), torch.Generator().manual_seed(given.seed))
        z = walks.path(points, given.steps, spherical=not given.straight, closed=not still)
        label = 0 if given.label is None and model.network.classes else given.label
        images = model.images(rows.joined(z, models.conditions(model.network, len(z), label)))
    if still:
        legs = [images[start:start + given.steps + 1] for start in range(0, len(images) - 1, given.steps)]
        content = pixels.png(pixels.grid(np.concatenate(legs), given.steps + 1))
    else:
        grey = images.shape[1] == 1
        frames = film.large([pixels.grid(image[None], 1) for image in images], grey)
        content = (film.webp(frames, [MILLISECONDS] * len(frames), grey) if given.out.suffix == ".webp"
                   else film.gif(frames, MILLISECONDS))
    files.write(given.out, content)
    print(f"{len(images)} images: {given.out}")
