"""Feature-map ablation: drops the feature maps that draw an object, so that G draws without it.

Radford, Metz & Chintala 2016, arXiv 1511.06434, sec. 6.3.1: 52 windows were boxed in 150 samples; a logistic regression
on the activations of "the second highest convolution layer" separated positions in the boxes from random ones; all maps
of positive weight were dropped from all positions, and new samples made with and without them.

Layers are counted from the image: the one that makes it is the highest, number 1. In the paper 200 maps were dropped,
which its number 2 in fig. 1, of 128 maps, has not got; so either its count begins below the image, where the layer is
number 3 here, or its generator was wider. Departures: random positions lie outside the object and, where ink can be
told from ground, in ink: against the ground a regression learns what draws ink, whatever it shows. The regression is
scikit-learn's, with an L2 penalty. As a control, as many random maps are dropped, many times: the p-value is that of a
permutation test (Phipson & Smyth 2010, "Permutation p-values should never be zero"). Batch norm keeps the statistics
that G has (`gan.sampling.evaluating`), with all maps.
"""
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import ceil

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn
from torch.nn import functional as F

from pipeline.errors import InputError, ScoreError
from pipeline.gan import sampling
from pipeline.gan.build import Stack
from pipeline.gan.devices import Device
from pipeline.gan.networks import Network
from pipeline.latent import maps, objects

Masks = Callable[[np.ndarray], np.ndarray]
Draw = Callable[[np.ndarray], np.ndarray]
ITERATIONS = 10_000  # at most; the fit ends at its tolerance
GREY = 1 / 255  # one grey level


@dataclass(frozen=True)
class Evidence:
    """What each map says about the object: `weights` float64 (c,), positive where it speaks for it.

    `accuracy` is the share of the `positions`, half of them inside the object, that the regression tells right.
    """
    weights: np.ndarray
    accuracy: float
    positions: int

    @property
    def maps(self) -> np.ndarray:
        """int64: the maps of positive weight, in ascending order."""
        return np.flatnonzero(self.weights > 0)


@dataclass(frozen=True)
class Effect:
    """What dropping maps does to images: the `share` of them, 0..1, that have the object without these maps.

    `inside` and `outside`: the mean change of pixels, 0..1, where the object had been and in the rest of the images
    that had it.
    """
    share: float
    inside: float
    outside: float

    @property
    def ratio(self) -> float:
        """The change inside over the change outside, one grey level added to each: 1 where nothing changes."""
        return (self.inside + GREY) / (self.outside + GREY)


@dataclass(frozen=True)
class Comparison:
    """The `share` of images of all maps, 0..1, that have the object; the effect of dropping its maps, and random ones.
    """
    share: float
    dropped: Effect
    random: list[Effect]

    @property
    def ratios(self) -> np.ndarray:
        """float64 (draws,): the ratio of each random draw."""
        return np.array([effect.ratio for effect in self.random])

    @property
    def p(self) -> float:
        """The share of draws, the object's maps counted as one of them, whose ratio is at least that of these."""
        return float((1 + (self.ratios >= self.dropped.ratio).sum()) / (1 + len(self.random)))


class _Drop(nn.Module):
    """(n, c, h, w) -> (n, c, h, w) with some maps 0."""

    def __init__(self, dropped: np.ndarray):
        super().__init__()
        self.dropped = torch.from_numpy(np.asarray(dropped, np.int64))

    def forward(self, x: Tensor) -> Tensor:
        return x.index_fill(1, self.dropped.to(x.device), 0)


def layer(G: Stack, height: int) -> int:
    """The place in G of the activations of its convolution number `height` from the image, 1 being the highest.

    InputError when G has fewer, or it is the highest, which makes the image.
    """
    places = maps.layers(G)
    if not 2 <= height <= len(places):
        raise InputError(f"convolution {height} from the image: expected 2 to {len(places)}, of those that G has")
    return places[-height]


@torch.no_grad()
def activations(G: Stack, network: Network, z: Tensor, place: int, device: Device) -> np.ndarray:
    """float32 (n, c, h, w): what G's module `place` makes for each row of z (n, z_dim), G in the mode it is in.

    A conditional G is conditioned on one class after another, as in `gan.sampling.sample`.
    """
    front, count, y = G[:place + 1], ceil(len(z) / sampling.BATCH), sampling.labels(network, len(z))
    found = []
    with device.arithmetic():
        for part, y_part in zip(z.tensor_split(count), [None] * count if y is None else y.tensor_split(count)):
            out = front(part.to(device.device), None if y_part is None else y_part.to(device.device))
            found.append(out.float().cpu().numpy())
    return np.concatenate(found)


def fit(activations: np.ndarray, inside: np.ndarray, outside: np.ndarray, C: float,
        rng: np.random.Generator) -> Evidence:
    """A logistic regression, with the inverse penalty `C`, that tells positions inside an object from random others.

    Activations (n, c, h, w); `inside` and `outside`, bool (n, height, width): where the object is, and where the others
    are drawn from, as many, in images that have the object. At the layer's resolution a position is inside when half of
    its pixels are, and outside when half are that and none is inside. ScoreError when there is no position of either
    kind.
    """
    has = objects.having(inside)
    x = activations[has].transpose(0, 2, 3, 1)
    share_in, share_out = (_resampled(masks[has], (x.shape[1], x.shape[2])) for masks in (inside, outside))
    there, others = x[share_in >= 0.5], x[(share_in == 0) & (share_out >= 0.5)]
    count = min(len(there), len(others))
    if not count:
        raise ScoreError(f"{has.sum()} of {len(has)} images have the object, in {len(there)} positions of "
                         f"{x.shape[1]} x {x.shape[2]}, with {len(others)} outside it: expected some of both")
    drawn = [part[np.sort(rng.choice(len(part), count, replace=False))] for part in (there, others)]
    positions, labels = np.concatenate(drawn).astype(np.float64), np.repeat([1, 0], count)
    regression = LogisticRegression(C=C, max_iter=ITERATIONS).fit(positions, labels)
    return Evidence(regression.coef_[0], float(regression.score(positions, labels)), 2 * count)


def _resampled(masks: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """float32 (n, h, w): the share of each position's pixels that are in masks (n, height, width)."""
    return F.adaptive_avg_pool2d(torch.from_numpy(masks.astype(np.float32))[:, None], size)[:, 0].numpy()


def drawer(G: Stack, network: Network, z: Tensor, place: int, device: Device) -> Draw:
    """A function: maps, integers (k,), -> uint8 images (n, c, h, w) of z (n, z_dim) with these maps 0 everywhere.

    The maps are those of G's module `place`; what comes before is computed once, and G stays as it is. The function
    raises DivergedError when images are not finite.
    """
    x, others = torch.from_numpy(activations(G, network, z, place, device)), G[place + 1:]
    return lambda dropped: sampling.sample(Stack(_Drop(dropped), *others), network, x, device)


def random_maps(evidence: Evidence, draws: int, rng: np.random.Generator) -> np.ndarray:
    """int64 (draws, k): k maps of the layer, drawn anew each time, k the number that speak for the object.

    The object's maps are among those drawn from.
    """
    count, channels = len(evidence.maps), len(evidence.weights)
    return np.stack([rng.choice(channels, count, replace=False) for _ in range(draws)])


def compare(draw: Draw, dropped: np.ndarray, random: Iterable[np.ndarray], find: Masks, rest: Masks) -> Comparison:
    """What dropping the maps `dropped` does to the images of `draw`, and what dropping each set of `random` maps does.

    Uint8 images (n, c, h, w) -> bool (n, h, w): `find` says where the object is, `rest` which pixels count, as in
    `objects.parted`. Images of one set at a time are in memory.
    """
    images = draw(np.array([], int))
    masks = find(images)
    parts = objects.parted(masks, rest(images))

    def effect(maps_out: np.ndarray) -> Effect:
        made = draw(maps_out)
        # Sums of integers are exact, so that equal changes are ties.
        change = np.abs(made.astype(np.int16) - images).sum(1)
        inside, outside = (float(change[part].sum() / max(1, 255 * images.shape[1] * part.sum())) for part in parts)
        return Effect(float(objects.having(find(made)).mean()), inside, outside)

    share = float(objects.having(masks).mean())
    return Comparison(share, effect(dropped), [effect(maps_out) for maps_out in random])
