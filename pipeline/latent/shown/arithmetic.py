"""Arithmetic with z, and a vector that slants: Radford, Metz & Chintala 2016, arXiv 1511.06434, sec. 6.3.2.

The paper's exemplars, as smiling women, were picked by eye; seeds in `internals.arithmetic` do the same. Without these,
for bright ink on a dark ground with classes, the concepts are classes that lean to the right or to the left.
"""
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pipeline.errors import InputError, ScoreError
from pipeline.gan import sampling
from pipeline.latent import arithmetic, attributes, rows
from pipeline.latent.shown import sheets
from pipeline.latent.shown.part import Drawing, Findings, Investigation, Subject
from pipeline.latent.shown.sheets import Row

GROUND = 20  # grey levels of noise that generators leave where there is no ink
POOL = 10  # one of so many samples of a class, those that lean most, is an exemplar that is drawn from
LEANING = 0.75  # of all samples of a class lean less to the right than one that is said to lean to the right
TURNED, AMOUNTS = 5, (-1.5, -1, -0.5, 0, 0.5, 1, 1.5)  # samples, and times the turn vector added to each


@dataclass(frozen=True)
class Group:
    """z (n, z_dim) of exemplars, the clearest first; the class that they are conditioned on, if any; their name."""
    z: Tensor
    label: int
    name: str


@dataclass(frozen=True)
class Candidates:
    """Samples: z (n, z_dim), labels (n,) and slants (n,), and which are `sure`, of the label the classifier gives."""
    z: Tensor
    labels: np.ndarray
    confidences: np.ndarray
    slants: np.ndarray
    least: float

    @property
    def sure(self) -> np.ndarray:
        return np.isfinite(self.slants) & (self.confidences >= self.least)

    def leaning(self, label: int, right: bool, exemplars: int) -> Tensor:
        """The z of a class's samples that lean most: one in POOL, and at least so many."""
        count = max(exemplars, int((self.sure & (self.labels == label)).sum()) // POOL)
        return self.z[attributes.exemplars(self.slants, self.labels, self.confidences, label, self.least, right, count)]


def look(subject: Subject) -> Findings:
    """Of exemplars that are listed, or else of classes that lean; InputError where neither is possible."""
    if subject.params.arithmetic:
        return _listed(subject, subject.params.arithmetic)
    if subject.dataset.classes < 2 or subject.dataset.shape[0] != 1:
        raise InputError("concepts are found by themselves only in images of one channel with classes; for others list "
                         "seeds of samples, chosen by eye, in internals.arithmetic")
    return _leaning(subject)


def _listed(subject: Subject, seeds: Mapping[Any, list[int]]) -> Findings:
    network = subject.trained.network
    groups = []
    for letter in "abc":
        if letter not in seeds:
            raise InputError(f"internals.arithmetic lists no {letter}; expected seeds of samples for a, b and c")
        z = [sampling.prior(network, 1, torch.Generator().manual_seed(seed)) for seed in seeds[letter]]
        groups.append(Group(torch.cat(z), 0, letter.upper()))
    return Findings("The nine results should show what A has and B has not, with what else C has.",
                    [_picture(subject, groups, 0, "samples whose seeds internals.arithmetic lists")], {},
                    unmeasured="Exemplars were chosen by eye, so no attribute says whether a result is right.")


def _leaning(subject: Subject) -> Findings:
    params, found = subject.params, candidates(subject)
    counts = np.bincount(found.labels[found.sure], minlength=subject.dataset.classes)
    X, Y = np.argsort(-counts, kind="stable")[:2].tolist()
    names = subject.dataset.meta["classes"]
    if counts[Y] < 2 * params.exemplars:
        raise InputError(f"two classes are to lean; of class {names[Y]} there are {counts[Y]} samples, among "
                         f"{params.candidates}, with a confidence of at least {params.confidence}; expected "
                         f"{2 * params.exemplars}: take more samples or a lower confidence")
    A, B, C = (Group(found.leaning(label, right, params.exemplars), label, f"{names[label]}, leaning {way}")
               for label, right, way in ((X, True, "right"), (X, False, "left"), (Y, False, "left")))
    least = float(np.quantile(found.slants[found.sure & (found.labels == Y)], LEANING))
    numbers: dict[str, float] = {}
    generator = subject.random()

    def right(z: Tensor) -> np.ndarray:
        labels, slants = _seen(subject, z, Y)
        return (labels == Y) & (slants > least)

    for k in dict.fromkeys((1, params.exemplars)):
        results, control = (arithmetic.drawn(start, B.z, C.z, k, params.trials, generator) for start in (A.z, B.z))
        shares = arithmetic.agreement(right(results), right(control))
        numbers |= {f"arithmetic_share_{k}": shares.share, f"arithmetic_chance_{k}": shares.chance}
    pool = "those that lean most among the samples of whose class a classifier is sure"
    turned, slants = _turned(subject, found, counts)
    return Findings(
        f"The results should be of class {names[Y]} and lean to the right, which no exemplar of that class does. Sums "
        "of single exemplars are longer than z of the prior, and may look like nothing.",
        [_picture(subject, [A, B, C], Y, pool), turned], numbers | slants,
        f"arithmetic_share: of {params.trials} sums of the means of so many exemplars, drawn anew each time, the share "
        f"that the classifier gives class {names[Y]} and that lean further to the right than {LEANING:.0%} of its "
        "samples; arithmetic_chance: the same with B in place of A. slant: the mean tangent of the slant of "
        f"{params.trials} samples, and of these with the turn vector taken away or added once.")


def candidates(subject: Subject) -> Candidates:
    """Samples, labelled and measured; one of another class than it was conditioned on is never sure."""
    network = subject.trained.network
    z = sampling.prior(network, subject.params.candidates, subject.random())
    images = sampling.sample(subject.trained.G, network, z, subject.device)
    labels, confidences = attributes.classified(subject.reference(images)[1])
    y = sampling.labels(network, len(z))
    if y is not None:
        confidences = np.where(y.argmax(1).numpy() == labels, confidences, 0)
    return Candidates(z, labels, confidences, attributes.measure(images, GROUND).slant, subject.params.confidence)


def _seen(subject: Subject, z: Tensor, label: int) -> tuple[np.ndarray, np.ndarray]:
    """The classes and slants of what G makes of z."""
    images = _images(subject, z, label)
    return attributes.classified(subject.reference(images)[1])[0], attributes.measure(images, GROUND).slant


def _images(subject: Subject, z: Tensor, label: int) -> np.ndarray:
    network = subject.trained.network
    return rows.images(subject.trained.G, network, rows.joined(z, rows.one_class(network, label, len(z))),
                       subject.device)


def _picture(subject: Subject, groups: Sequence[Group], label: int, origin: str) -> Drawing:
    params = subject.params
    A, B, C = (group.z[:params.exemplars] for group in groups)
    found = [Row(f"{sign} {group.name}",
                 [_images(subject, z, group.label), _images(subject, z.mean(0)[None], group.label)])
             for sign, group, z in zip(("   ", "−", "+"), groups, (A, B, C))]
    around = _images(subject, arithmetic.around(arithmetic.combine(A, B, C), params.spread, subject.random()), label)
    for place, part in enumerate(np.split(around, arithmetic.SIDE)):
        found.append(Row("= of the means" if place == 1 else "", [part], apart=not place))
    fewest = min(map(len, (A, B, C)))
    one_each = arithmetic.singles(*(z[:fewest] for z in (A, B, C)))[::fewest ** 2 + fewest + 1]
    found.append(Row("= of single ones", [_images(subject, one_each, label)], apart=True))
    names = "; ".join(f"{sign} {group.name}" for sign, group in zip(("", "minus", "plus"), groups)).strip()
    return Drawing("arithmetic.png", f"Samples of three concepts and what their sum makes: {names}",
                   f"Exemplars are {origin}. In the middle of 3 x 3 is what the three means make, around it with noise "
                   f"of ±{params.spread:g}; below, what each column's single exemplars make.",
                   sheets.png(sheets.sheet(found, ["exemplars", "mean"])))


def _turned(subject: Subject, found: Candidates, counts: np.ndarray) -> tuple[Drawing, dict[str, float]]:
    """Samples with a vector added that turns them, and the mean slants of more of them before and after."""
    params, network = subject.params, subject.trained.network
    there = np.flatnonzero(counts >= 2 * params.exemplars).tolist()
    vector = torch.stack([arithmetic.turn(found.leaning(label, False, params.exemplars),
                                          found.leaning(label, True, params.exemplars)) for label in there]).mean(0)
    z = sampling.prior(network, params.trials, torch.Generator().manual_seed(params.seed + 1))
    y = sampling.labels(network, len(z))

    def images(amount: float) -> np.ndarray:
        moved = arithmetic.turned(z, vector, [amount])[:, 0]
        return rows.images(subject.trained.G, network, rows.joined(moved, y), subject.device)

    made = {amount: images(amount) for amount in AMOUNTS}
    numbers = {name: _slant(made[amount])
               for name, amount in (("slant_turned_left", -1), ("slant", 0), ("slant_turned_right", 1))}
    found_rows = [Row("", [made[amount][at:at + 1] for amount in AMOUNTS]) for at in range(min(TURNED, len(z)))]
    return Drawing("turn.png", "Rows of samples that lean more and more to the right",
                   "Samples (middle) with so many times a turn vector added: what leads from samples that lean to the "
                   "left to those that lean to the right, on average over the classes.",
                   sheets.png(sheets.sheet(found_rows, [f"{amount:+g}".replace("-", "−") if amount else "0"
                                                        for amount in AMOUNTS]))), numbers


def _slant(images: np.ndarray) -> float:
    """The mean slant of those images that have any."""
    slants = attributes.measure(images, GROUND).slant
    if not np.isfinite(slants).any():
        raise ScoreError(f"none of {len(images)} samples has ink, whose slant could be measured")
    return float(slants[np.isfinite(slants)].mean())


PART = Investigation("arithmetic", "Arithmetic with z", "6.3.2", look)
