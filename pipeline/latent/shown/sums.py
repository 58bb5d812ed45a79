"""A - B + C: exemplars of three concepts, what their sums make, and how often these are what they should be.

Radford, Metz & Chintala 2016, arXiv 1511.06434, sec. 6.3.2 and fig. 7.
"""
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from pipeline.latent import arithmetic
from pipeline.latent.arithmetic import Agreement
from pipeline.latent.attributes import Candidates, Pair
from pipeline.latent.shown import sheets
from pipeline.latent.shown.concepts import Concepts
from pipeline.latent.shown.sheets import Row

Maker = Callable[[Tensor, int], np.ndarray]  # z (n, z_dim) and the class of all -> uint8 images (n, c, h, w)


@dataclass(frozen=True)
class Group:
    """z (n, z_dim) of exemplars, the clearest first; the class that they are conditioned on, if any; their name."""
    z: Tensor
    label: int
    name: str


def exemplars(found: Candidates, known: Concepts, pair: Pair, count: int) -> list[Group]:
    """A, B and C: X with more of the attribute, X with less, and Y with less; at least `count` of each.

    InputError when there are fewer that are sure.
    """
    attribute = known.attribute
    return [Group(found.extreme(label, high, count), label, f"{known.names[label]}, {way}")
            for label, high, way in ((pair.X, True, attribute.more), (pair.X, False, attribute.less),
                                     (pair.Y, False, attribute.less))]


def agreement(make: Maker, known: Concepts, groups: Sequence[Group], pair: Pair, k: int, trials: int,
              confidence: float, generator: torch.Generator) -> Agreement:
    """How often sums of the means of `k` exemplars, drawn anew each time, are surely Y with enough of the attribute.

    By chance: the same with B in place of A.
    """
    def succeeded(z: Tensor) -> np.ndarray:
        images = make(z, pair.Y)
        labels, confidences = known.judge(images)
        enough = known.attribute.of(images) > pair.least
        return np.asarray((labels == pair.Y) & (confidences >= confidence) & enough)

    A, B, C = (group.z for group in groups)
    results, controls = arithmetic.drawn(A, B, C, k, trials, generator)
    return arithmetic.agreement(succeeded(results), succeeded(controls))


def sheet(make: Maker, groups: Sequence[Group], label: int, count: int, spread: float,
          generator: torch.Generator) -> Image.Image:
    """The first `count` exemplars of A, B and C with their means, the sum amid noise of +-spread, and single sums.

    Sums are made with the class `label`.
    """
    A, B, C = (group.z[:count] for group in groups)
    found = [Row(f"{sign} {group.name}", [make(z, group.label), make(z.mean(0)[None], group.label)])
             for sign, group, z in zip(("   ", "−", "+"), groups, (A, B, C))]
    around = make(arithmetic.around(arithmetic.combine(A, B, C), spread, generator), label)
    for place, part in enumerate(np.split(around, arithmetic.SIDE)):
        found.append(Row("= of the means" if place == 1 else "", [part], apart=not place))
    fewest = min(map(len, (A, B, C)))
    one_each = arithmetic.singles(*(z[:fewest] for z in (A, B, C)))[::fewest ** 2 + fewest + 1]
    found.append(Row("= of single ones", [make(one_each, label)], apart=True))
    return sheets.sheet(found, ["exemplars", "mean"])
