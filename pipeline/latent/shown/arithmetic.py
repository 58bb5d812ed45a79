"""Arithmetic with z, and a vector that turns: Radford, Metz & Chintala 2016, arXiv 1511.06434, sec. 6.3.2.

The paper's exemplars, as smiling women, were picked by eye; seeds in `internals.arithmetic` do the same. Without these
the concepts are classes with more or less of an attribute (`concepts.py`).
"""
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean
from typing import Any

import numpy as np
import torch

from pipeline.errors import InputError
from pipeline.gan import sampling
from pipeline.latent import arithmetic, rows
from pipeline.latent.arithmetic import Agreement
from pipeline.latent.attributes import Candidates, Pair
from pipeline.latent.shown import concepts, sheets, sums
from pipeline.latent.shown.concepts import HIGH, Concepts
from pipeline.latent.shown.part import Drawing, Findings, Investigation, Subject
from pipeline.latent.shown.sheets import Row
from pipeline.latent.shown.sums import Group, Maker

TURNED, AMOUNTS = 5, (-1.5, -1, -0.5, 0, 0.5, 1, 1.5)  # samples, and times the turn vector added to each


@dataclass(frozen=True)
class Attempt:
    """What came of a pair: A, B and C, and for each number of exemplars how often it succeeds; `why` there is none."""
    pair: Pair
    groups: list[Group]
    shares: dict[int, Agreement]
    why: str = ""


def look(subject: Subject) -> Findings:
    """Of exemplars that are listed, or else of classes and an attribute; InputError where neither is possible."""
    if subject.params.arithmetic:
        return _listed(subject, subject.params.arithmetic)
    return _measured(subject, concepts.of(subject))


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


def _measured(subject: Subject, known: Concepts) -> Findings:
    params, found, names, attribute = subject.params, candidates(subject, known), known.names, known.attribute
    generator = subject.random()
    attempts = [_attempted(subject, known, found, pair, generator) for pair in known.pairs]
    numbers = {f"arithmetic_{name}_{k}": mean(getattr(attempt.shares[k], name) for attempt in attempts)
               for k in attempts[0].shares for name in ("share", "chance")}
    numbers["arithmetic_gain"] = mean(attempt.shares[params.exemplars].gain for attempt in attempts)
    pictures = [_picture(subject, one.groups, one.pair.Y, f"the most clearly {attribute.less} or {attribute.more} "
                         "among the samples whose class is sure") for one in attempts if one.groups][:1]
    turned, means = _turned(subject, known, found)
    return Findings(
        f"The results should be of C's class and {attribute.more}, which none of C's exemplars is. Sums of single "
        "exemplars are longer than z of the prior, and may look like nothing.",
        [*pictures, *turned], numbers | means,
        f"arithmetic_share: of {params.trials} sums of the means of so many exemplars, drawn anew each time, the share "
        f"that is surely of C's class and has a larger {attribute.name} than {HIGH:.0%} of the training images of that "
        f"class. An image is surely of its class if {known.sure}. arithmetic_chance: the same with B in place of A; "
        f"arithmetic_gain: the difference, for {params.exemplars} exemplars. Each is a mean over pairs of "
        f"{known.chosen}. A and B are of the first class of a pair, C of the second: "
        + ", ".join(pair.named(names) for pair in known.pairs)
        + f". {attribute.name} ({attribute.defined}): the mean of {params.trials} samples, and of these with the turn "
        "vector taken away or added once.", " ".join([_described(attempt, names) for attempt in attempts]))


def _attempted(subject: Subject, known: Concepts, found: Candidates, pair: Pair,
               generator: torch.Generator) -> Attempt:
    """All trials of a pair; each of them fails where a class has too few samples that are sure."""
    params, names = subject.params, known.names
    sizes, counts = dict.fromkeys((1, params.exemplars)), found.counts(len(names))
    if missing := [label for label in (pair.X, pair.Y) if counts[label] < 2 * params.exemplars]:
        few = " and ".join(f"{counts[label]} of class {names[label]}" for label in missing)
        return Attempt(pair, [], dict.fromkeys(sizes, Agreement(0.0, 0.0, params.trials)),
                       f"among {params.candidates:,} samples there are surely {few}; {2 * params.exemplars} of each "
                       "class are needed")
    groups = sums.exemplars(found, known, pair, params.exemplars)
    return Attempt(pair, groups, {k: sums.agreement(_maker(subject), known, groups, pair, k, params.trials,
                                                    params.confidence, generator) for k in sizes})


def _described(attempt: Attempt, names: Sequence[str]) -> str:
    """A sentence on what came of a pair in this run."""
    shares = "; ".join(f"{one.share:.0%} of the sums of {k} succeed, {one.chance:.0%} by chance"
                       for k, one in attempt.shares.items())
    why = f"all trials count as failures, since {attempt.why}"
    return f"Pair {attempt.pair.named(names)}: {why if attempt.why else shares}."


def candidates(subject: Subject, known: Concepts) -> Candidates:
    """Samples, labelled and measured; one of another class than it was conditioned on is never sure."""
    network = subject.trained.network
    z = sampling.prior(network, subject.params.candidates, subject.random())
    images = sampling.sample(subject.trained.G, network, z, subject.device)
    labels, confidences = known.judge(images)
    y = sampling.labels(network, len(z))
    if y is not None:
        confidences = np.where(y.argmax(1).numpy() == labels, confidences, 0)
    return Candidates(z, labels, confidences, known.attribute.of(images), subject.params.confidence)


def _maker(subject: Subject) -> Maker:
    G, network = subject.trained.G, subject.trained.network
    return lambda z, label: rows.images(G, network, rows.joined(z, rows.one_class(network, label, len(z))),
                                        subject.device)


def _picture(subject: Subject, groups: Sequence[Group], label: int, origin: str) -> Drawing:
    params = subject.params
    drawn = sums.sheet(_maker(subject), groups, label, params.exemplars, params.spread, subject.random())
    names = "; ".join(f"{sign} {group.name}" for sign, group in zip(("", "minus", "plus"), groups)).strip()
    return Drawing("arithmetic.png", f"Samples of three concepts and what their sum makes: {names}",
                   f"Exemplars are {origin}. In the middle of 3 x 3 is what the three means make, around it with noise "
                   f"of ±{params.spread:g}; below, what each column's single exemplars make.", sheets.png(drawn))


def _turned(subject: Subject, known: Concepts, found: Candidates) -> tuple[list[Drawing], dict[str, float]]:
    """Samples with a vector added that turns them, and the attribute's mean in more of them before and after.

    Nothing where no class has enough samples that are sure.
    """
    params, network, attribute = subject.params, subject.trained.network, known.attribute
    there = np.flatnonzero(found.counts(len(known.names)) >= 2 * params.exemplars).tolist()
    if not there:
        return [], {}
    vector = torch.stack([arithmetic.turn(found.extreme(label, False, params.exemplars),
                                          found.extreme(label, True, params.exemplars)) for label in there]).mean(0)
    z = sampling.prior(network, params.trials, torch.Generator().manual_seed(params.seed + 1))
    y = sampling.labels(network, len(z))

    def images(amount: float) -> np.ndarray:
        moved = arithmetic.turned(z, vector, [amount])[:, 0]
        return rows.images(subject.trained.G, network, rows.joined(moved, y), subject.device)

    made = {amount: images(amount) for amount in AMOUNTS}
    means = {name: attribute.mean(made[amount]) for name, amount in (
        (attribute.after(attribute.less), -1), (attribute.name, 0), (attribute.after(attribute.more), 1))}
    found_rows = [Row("", [made[amount][at:at + 1] for amount in AMOUNTS]) for at in range(min(TURNED, len(z)))]
    headings = [f"{amount:+g}".replace("-", "−") if amount else "0" for amount in AMOUNTS]
    drawing = Drawing("turn.png", f"Rows of samples, each from {attribute.less} to {attribute.more}",
                      "Samples (middle) with so many times a turn vector added: what leads from samples that are "
                      f"{attribute.less} to those that are {attribute.more}, on average over the classes.",
                      sheets.png(sheets.sheet(found_rows, headings)))
    return [drawing], {name: value for name, value in means.items() if value is not None}


PART = Investigation("arithmetic", "Arithmetic with z", "6.3.2", look)
