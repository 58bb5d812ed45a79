"""A walk from z to z, straight and around the origin: Radford, Metz & Chintala 2016, arXiv 1511.06434, sec. 6.1."""
import numpy as np
import torch
from PIL import Image
from torch import Tensor

from pipeline.data import pixels
from pipeline.gan import sampling
from pipeline.latent import film, rows, walks
from pipeline.latent.shown import sheets
from pipeline.latent.shown.part import Drawing, Findings, Investigation, Subject
from pipeline.latent.shown.sheets import Row

LEGS = 4  # of a walk are drawn at most
FINER = 4  # times as many steps, of which a smooth walk's largest is no larger against the mean
WALKERS = 5  # classes, of a conditional generator's, that walk in the film
MEASURED = ("path_length: the mean squared change along the arcs between random z, per squared share of the way, in "
            "pixels of 0..1 and in features (Karras et al. 2019); compare it within a data set only. largest_step: the "
            "largest of the closed walk's steps in pixels over their mean, with so many from each z to the next: 1 is "
            "an even walk; where a generator jumps it grows with their number.")


def look(subject: Subject) -> Findings:
    """A sheet of the first legs, a film of the closed walk, and how smooth the generator is."""
    params, network = subject.params, subject.trained.network
    points = sampling.prior(network, params.points, subject.random())
    labels = "" if not network.classes else " Each leg has a label of its own, which stays along it."
    return Findings(
        "Every image should look like the data and change gradually: a sudden change is a sign of memorised images. "
        "Half-way on a straight line z are shorter than the prior's.",
        [Drawing("walk.png", "Rows of images that change gradually from left to right",
                 f"From one random z (left) to the next (right) in {params.steps} steps, straight and on an arc around "
                 f"the origin, on which z keep their length.{labels}", sheets.png(_strips(subject, points))),
         Drawing("walk.webp", "An image that changes without end",
                 f"The whole walk on arcs through {params.points} random z and back to the first"
                 + (", with the same z and several labels." if network.classes else "."), _film(subject, points))],
        _numbers(subject, points), MEASURED)


def _strips(subject: Subject, points: Tensor) -> Image.Image:
    params, found = subject.params, []
    for leg, ends in enumerate(zip(points[:LEGS], points[1:])):
        for spherical, label in ((False, "straight"), (True, "arc")):
            frames = walks.path(torch.stack(ends), params.steps, spherical, closed=False)
            found.append(Row(label, [_images(subject, frames, leg)], apart=bool(leg) and not spherical))
    return sheets.sheet(found)


def _film(subject: Subject, points: Tensor) -> bytes:
    params, network = subject.params, subject.trained.network
    frames = walks.path(points, params.steps, spherical=True, closed=True)
    walkers = [_images(subject, frames, label) for label in range(min(network.classes, WALKERS) or 1)]
    wide = [pixels.grid(np.stack(at), len(at)) for at in zip(*walkers)]
    grey = network.image[0] == 1
    large = film.large(wide, grey)
    return film.webp(large, [params.milliseconds] * len(large), grey)


def _images(subject: Subject, z: Tensor, label: int) -> np.ndarray:
    network = subject.trained.network
    y = rows.one_class(network, label % max(network.classes, 1), len(z))
    return rows.images(subject.trained.G, network, rows.joined(z, y), subject.device)


def _numbers(subject: Subject, points: Tensor) -> dict[str, float]:
    params, network, G = subject.params, subject.trained.network, subject.trained.G
    see = rows.pixels(G, network, subject.device)
    seers = {"pixels": see,
             subject.reference.extractor: rows.features(G, network, subject.reference.classifier, subject.device)}
    pairs = sampling.prior(network, 2 * params.path_pairs, subject.random())
    starts, ends = pairs[:params.path_pairs], pairs[params.path_pairs:]
    y = sampling.labels(network, params.path_pairs)
    numbers = {f"path_length_{name}_{params.path_pairs}":
               walks.path_length(seer, starts, ends, y, True, params.epsilon, subject.random())
               for name, seer in seers.items()}
    for steps in (params.steps, FINER * params.steps):
        frames = walks.path(points, steps, spherical=True, closed=True)
        numbers[f"largest_step_pixels_{steps}"] = walks.largest_step(
            see(rows.joined(frames, rows.one_class(network, 0, len(frames)))), closed=True)
    return numbers


PART = Investigation("walk", "Walks through z", "6.1", look)
