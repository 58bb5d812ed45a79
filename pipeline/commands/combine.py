"""dcgan combine: adds and subtracts the z of exemplars, which are picked by measurement.

Ink is measured by its slant and thickness, colour by brightness and warmth; the quantiles of the samples say what
counts as bold or warm. See Radford, Metz & Chintala 2016, arXiv 1511.06434, sec. 6.3.2.
"""
import argparse
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline import files, room
from pipeline.commands import models
from pipeline.errors import InputError

if TYPE_CHECKING:
    import numpy as np

EXAMPLE = "example: dcgan combine published:radford-svhn sums.png --exemplars 3 --seed 7"
SPREAD, TRIALS, SURE = 0.25, 200, 0.5  # noise around the sum, sums that are counted, and between sure and not


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `dcgan combine` takes."""
    parser.add_argument("model", help=models.MODEL)
    parser.add_argument("out", type=Path, help="a .png with exemplars of A, B and C, and what A - B + C makes")
    parser.add_argument("--exemplars", type=int, default=3, help="whose mean each concept is; default 3")
    parser.add_argument("--candidates", type=int, default=5000, help="samples among which they are found; default 5000")
    parser.add_argument("--seed", type=models.seed, default=0, help="of the samples; default 0")
    parser.add_argument("--label", type=int, default=None, help="the class, for a conditional generator; default 0")
    parser.add_argument("--generator", choices=models.GENERATORS, default="last", help=models.GENERATOR)


def run(given: argparse.Namespace) -> None:
    """Finds the concepts, adds them, and writes the picture."""
    if given.out.suffix != ".png":
        raise InputError(f"{given.out}: expected a .png")
    if not 1 <= given.exemplars <= given.candidates:
        raise InputError(f"--exemplars {given.exemplars}: expected 1 to {given.candidates}, the candidates")
    import torch

    from pipeline.gan import sampling
    from pipeline.latent import rows
    from pipeline.latent.attributes import Candidates
    from pipeline.latent.shown import concepts, sheets, sums
    with models.opened(given.model, given.generator) as model:
        network = model.network
        room.in_memory(f"{given.candidates:,} images", given.candidates * (9 * prod(network.image) + 4 * network.z_dim))
        generator = torch.Generator().manual_seed(given.seed)
        z = sampling.prior(network, given.candidates, generator)
        label = 0 if given.label is None and network.classes else given.label

        def make(z: torch.Tensor, _: int) -> "np.ndarray":
            return model.images(rows.joined(z, models.conditions(network, len(z), label)))

        images = make(z, 0)
        known = concepts.sided(images, "samples")
        found = Candidates(z, *known.judge(images), known.attribute.of(images), SURE)
        pair, = known.pairs
        if (fewest := found.counts(2).min()) < 2 * given.exemplars:
            raise InputError(f"of {given.candidates} samples {fewest} are clearly {' or '.join(known.names)}, "
                             f"whichever are fewer; expected {2 * given.exemplars} for --exemplars "
                             f"{given.exemplars}: raise --candidates")
        groups = sums.exemplars(found, known, pair, given.exemplars)
        seen = sums.agreement(make, known, groups, pair, given.exemplars, TRIALS, SURE, generator)
        drawn = sums.sheet(make, groups, pair.Y, given.exemplars, SPREAD, generator)
    files.write(given.out, sheets.png(drawn))
    A, B, C = (group.name for group in groups)
    print(f"({A}) - ({B}) + ({C}): {seen.share:.0%} of {TRIALS} sums are {known.names[pair.Y]} and "
          f"{known.attribute.more}, {seen.chance:.0%} with B in place of A: {given.out}")
