"""Arithmetic with z, and a vector that slants: Radford, Metz & Chintala 2016, arXiv 1511.06434, sec. 6.3.2.

The paper's exemplars, as smiling women, were picked by eye; seeds in `internals.arithmetic` do the same. Without these,
for bright ink on a dark ground with classes, the concepts are classes that lean to the right or to the left. Which
classes, and from where on an image leans, real images say, so that all runs of a study are measured alike.
"""
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pipeline.errors import InputError
from pipeline.gan import sampling
from pipeline.latent import arithmetic, attributes, rows
from pipeline.latent.arithmetic import Agreement
from pipeline.latent.attributes import Candidates, Pair
from pipeline.latent.shown import sheets
from pipeline.latent.shown.part import Drawing, Findings, Investigation, Subject
from pipeline.latent.shown.sheets import Row

GROUND = 20  # grey levels of noise that generators leave where there is no ink
REAL = 5000  # training images whose slants are measured
LEANING = 0.75  # of a class's training images lean less to the right than one that is said to lean to the right
TURNED, AMOUNTS = 5, (-1.5, -1, -0.5, 0, 0.5, 1, 1.5)  # samples, and times the turn vector added to each
TO_SEE = ("The results should be of C's class and lean to the right, which no exemplar of that class does. Sums of "
          "single exemplars are longer than z of the prior, and may look like nothing.")
EXEMPLARS = "those that lean most among the samples of whose class a classifier is sure"


@dataclass(frozen=True)
class Group:
    """z (n, z_dim) of exemplars, the clearest first; the class that they are conditioned on, if any; their name."""
    z: Tensor
    label: int
    name: str


@dataclass(frozen=True)
class Attempt:
    """What came of a pair: A, B and C, and for each number of exemplars how often it succeeds; `why` there is none."""
    pair: Pair
    groups: list[Group]
    shares: dict[int, Agreement]
    why: str = ""


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
    params, found, names = subject.params, candidates(subject), subject.dataset.meta["classes"]
    real = attributes.measure(subject.dataset.train_images[:REAL], GROUND).slant
    pairs = attributes.pairs(real, subject.dataset.train_labels[:REAL], params.pairs, LEANING)
    generator = subject.random()
    attempts = [_attempted(subject, found, pair, generator) for pair in pairs]
    numbers = {f"arithmetic_{name}_{k}": mean(getattr(attempt.shares[k], name) for attempt in attempts)
               for k in attempts[0].shares for name in ("share", "chance")}
    numbers["arithmetic_gain"] = mean(attempt.shares[params.exemplars].gain for attempt in attempts)
    pictures = [_picture(subject, one.groups, one.pair.Y, EXEMPLARS) for one in attempts if one.groups][:1]
    turned, slants = _turned(subject, found)
    return Findings(
        TO_SEE, [*pictures, *turned], numbers | slants,
        f"arithmetic_share: of {params.trials} sums of the means of so many exemplars, drawn anew each time, the share "
        f"that the classifier gives C's class with a confidence of at least {params.confidence} and that lean further "
        f"to the right than {LEANING:.0%} of the training images of that class; arithmetic_chance: the same with B in "
        f"place of A; arithmetic_gain: the difference, for {params.exemplars} exemplars. Each is a mean over pairs of "
        "classes, which are the same for all runs: the training images of these classes lean most differently. A and "
        "B are of the first class of a pair, C of the second: " + ", ".join(pair.named(names) for pair in pairs)
        + f". slant: the mean tangent of the slant of {params.trials} samples, and of these with the turn vector taken "
        "away or added once.", " ".join([_described(attempt, names) for attempt in attempts]))


def _attempted(subject: Subject, found: Candidates, pair: Pair, generator: torch.Generator) -> Attempt:
    """All trials of a pair; each of them fails where a class has too few samples of which the classifier is sure."""
    params, names = subject.params, subject.dataset.meta["classes"]
    sizes, counts = dict.fromkeys((1, params.exemplars)), found.counts(subject.dataset.classes)
    if missing := [label for label in (pair.X, pair.Y) if counts[label] < 2 * params.exemplars]:
        few = " and ".join(f"{counts[label]} of class {names[label]}" for label in missing)
        return Attempt(pair, [], dict.fromkeys(sizes, Agreement(0.0, 0.0, params.trials)),
                       f"among {params.candidates:,} samples there are {few} with a confidence of at least "
                       f"{params.confidence}; {2 * params.exemplars} of each class are needed")
    groups = [Group(found.leaning(label, right, params.exemplars), label, f"{names[label]}, leaning {way}")
              for label, right, way in ((pair.X, True, "right"), (pair.X, False, "left"), (pair.Y, False, "left"))]
    A, B, C = (group.z for group in groups)
    shares = {}
    for k in sizes:
        results, controls = arithmetic.drawn(A, B, C, k, params.trials, generator)
        shares[k] = arithmetic.agreement(_succeeded(subject, results, pair), _succeeded(subject, controls, pair))
    return Attempt(pair, groups, shares)


def _succeeded(subject: Subject, z: Tensor, pair: Pair) -> np.ndarray:
    """bool (n,): whether what G makes of z (n, z_dim) is surely of the class Y and leans to the right."""
    images = _images(subject, z, pair.Y)
    labels, confidences = attributes.classified(subject.reference(images)[1])
    slants = attributes.measure(images, GROUND).slant
    return np.asarray((labels == pair.Y) & (confidences >= subject.params.confidence) & (slants > pair.least))


def _described(attempt: Attempt, names: Sequence[str]) -> str:
    """A sentence on what came of a pair in this run."""
    shares = "; ".join(f"{one.share:.0%} of the sums of {k} succeed, {one.chance:.0%} by chance"
                       for k, one in attempt.shares.items())
    why = f"all trials count as failures, since {attempt.why}"
    return f"Pair {attempt.pair.named(names)}: {why if attempt.why else shares}."


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


def _turned(subject: Subject, found: Candidates) -> tuple[list[Drawing], dict[str, float]]:
    """Samples with a vector added that turns them, and the mean slants of more of them before and after.

    Nothing where no class has enough samples of which the classifier is sure.
    """
    params, network = subject.params, subject.trained.network
    there = np.flatnonzero(found.counts(subject.dataset.classes) >= 2 * params.exemplars).tolist()
    if not there:
        return [], {}
    vector = torch.stack([arithmetic.turn(found.leaning(label, False, params.exemplars),
                                          found.leaning(label, True, params.exemplars)) for label in there]).mean(0)
    z = sampling.prior(network, params.trials, torch.Generator().manual_seed(params.seed + 1))
    y = sampling.labels(network, len(z))

    def images(amount: float) -> np.ndarray:
        moved = arithmetic.turned(z, vector, [amount])[:, 0]
        return rows.images(subject.trained.G, network, rows.joined(moved, y), subject.device)

    made = {amount: images(amount) for amount in AMOUNTS}
    numbers = {name: attributes.mean_slant(made[amount], GROUND)
               for name, amount in (("slant_turned_left", -1), ("slant", 0), ("slant_turned_right", 1))}
    found_rows = [Row("", [made[amount][at:at + 1] for amount in AMOUNTS]) for at in range(min(TURNED, len(z)))]
    headings = [f"{amount:+g}".replace("-", "−") if amount else "0" for amount in AMOUNTS]
    drawing = Drawing("turn.png", "Rows of samples that lean more and more to the right",
                      "Samples (middle) with so many times a turn vector added: what leads from samples that lean to "
                      "the left to those that lean to the right, on average over the classes.",
                      sheets.png(sheets.sheet(found_rows, headings)))
    return [drawing], {name: slant for name, slant in numbers.items() if slant is not None}


PART = Investigation("arithmetic", "Arithmetic with z", "6.3.2", look)
