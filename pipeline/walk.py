"""`dcgan walk`: a walk through the latent space of a trained generator, as a strip or as a film that loops."""
import argparse
from pathlib import Path

import numpy as np
import torch

from pipeline import files, trained
from pipeline.data import pixels
from pipeline.errors import InputError
from pipeline.gan import sampling
from pipeline.latent import film, rows, walks

EXAMPLE = "example: dcgan walk models/test4 --points 5 --steps 12 --seed 7 walk.webp"
OUT = "a .png with a row from each z to the next, or a .webp or .gif that goes on to the first z and loops"
MILLISECONDS = 60  # of a frame


def main(words: list[str]) -> None:
    """Runs `dcgan walk` with `words`."""
    parser = argparse.ArgumentParser(prog="dcgan walk", description=__doc__, epilog=EXAMPLE)
    parser.add_argument("model", help=trained.MODEL)
    parser.add_argument("out", type=Path, help=OUT)
    parser.add_argument("--points", type=int, default=6, help="so many random z; 6 if not given")
    parser.add_argument("--steps", type=int, default=10, help="from each to the next; 10 if not given")
    parser.add_argument("--seed", type=trained.seed, default=0, help="of the z; 0 if not given")
    parser.add_argument("--straight", action="store_true", help="on straight lines; else on arcs around the origin")
    parser.add_argument("--label", type=int, help="the class, for a conditional generator; 0 if not given")
    given = parser.parse_args(words)
    if given.out.suffix not in (".png", ".webp", ".gif"):
        raise InputError(f"{given.out}: expected {OUT}")
    still = given.out.suffix == ".png"
    with trained.opened(given.model) as model:
        points = sampling.prior(model.network, max(given.points, 0), torch.Generator().manual_seed(given.seed))
        z = walks.path(points, given.steps, spherical=not given.straight, closed=not still)
        label = 0 if given.label is None and model.network.classes else given.label
        images = model.images(rows.joined(z, trained.told(model.network, len(z), label)))
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
