"""Verdicts on claims: rules that were set before, applied to the trainings that are there.

A claim holds when the interval of its effect lies wholly on the claimed side of its bound, is reversed when wholly on
the other side, and has no effect when the interval lies wholly between; else it is undecided, and says why. Claims of
one family are corrected together.
"""
import math
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from pipeline.evidence import intervals, trainings
from pipeline.evidence.intervals import Estimate
from pipeline.evidence.trainings import Finished
from pipeline.params.claiming import Claim

Verdict = Literal["holds", "reversed", "no effect", "undecided"]
Trainings = Mapping[str, Mapping[int, Finished]]  # of every run, by seed
ALPHA = 1 - intervals.LEVEL


@dataclass(frozen=True)
class Ruling:
    """A claim, its verdict, and what the verdict rests on.

    `values` has one number for each pair of trainings of equal seed, ln of the ratio, or for each training, the number
    less the bound; above 0 it speaks for the claim. `seeds` of `planned` are there. `p` is two-sided, after the
    corrections for looks and for the family. `reason` says why a claim is undecided, `more` how many seeds more would
    decide it. With `test_images` the single value was measured on so many, which leave it the standard `error`, and not
    over trainings.
    """
    name: str
    claim: Claim
    planned: int
    seeds: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    machines: list[str] = field(default_factory=list)
    collapsed: int = 0
    verdict: Verdict = "undecided"
    p: float = 1.0
    reason: str = ""
    more: int | None = None
    error: float = 0.0
    test_images: int = 0

    @property
    def effect(self) -> Estimate | None:
        """The mean of the values and its interval."""
        if self.test_images:
            return intervals.measured(self.values[0], self.error)
        return intervals.effect(self.values) if self.values else None

    @property
    def stated(self) -> Estimate | None:
        """The second run's number over the first's, or the number that is bounded, with its interval."""
        if self.effect is None:
            return None
        if self.claim.better:
            return Estimate(*(math.exp(value) if value < 700 else math.inf for value in self.effect))
        if self.claim.at_least is not None:
            return Estimate(*(value + self.claim.at_least for value in self.effect))
        mean, low, high = ((self.claim.at_most or 0.0) - value for value in self.effect)
        return Estimate(mean, high, low)

    @property
    def bounds(self) -> tuple[float, float]:
        """Between which values there is no effect: ±ln of the least ratio, or nothing."""
        return (-math.log(self.claim.by), math.log(self.claim.by)) if self.claim.better else (0.0, 0.0)


def rule(claims: Mapping[str, Claim], found: Trainings, seeds: Sequence[int],
         transfers: Mapping[str, Mapping[str, Any]] | None = None) -> list[Ruling]:
    """The verdict on every claim, of trainings of the planned `seeds` and of the scores of transfers."""
    gathered = [gather(name, claim, found, seeds, transfers or {}) for name, claim in claims.items()]
    families: dict[str, list[Ruling]] = defaultdict(list)
    for one in gathered:
        families[one.claim.family or f"\0{one.name}"].append(one)
    decided = {one.name: one for family in families.values() for one in corrected(family)}
    return [decided[one.name] for one in gathered]


def corrected(family: list[Ruling]) -> list[Ruling]:
    """The verdicts on a family of claims, with Holm's correction. Those without an experiment count, with p = 1.

    A claim whose trainings were looked at several times has only a share of the level for each look (Bonferroni).
    """
    decisions = [intervals.side(one.values[0], one.error) if one.test_images else
                 intervals.decide(one.values, *one.bounds) for one in family]
    ruled = []
    looked = [min(1.0, one.claim.looks * decision.p) for one, decision in zip(family, decisions)]
    for one, decision, p in zip(family, decisions, intervals.holm(looked)):
        names: dict[str, Verdict] = {"above": "holds", "below": "reversed", "between": "no effect"}
        if one.reason or p > ALPHA:
            correction = "Holm's correction" if one.claim.looks == 1 else "the corrections for looks and family"
            reason = one.reason or ("the interval leaves more than one answer" if decision.p > ALPHA else
                                    f"decided by its own interval, but not after {correction}")
            ruled.append(replace(one, p=p, reason=reason, more=intervals.more(one.values, *one.bounds)))
        else:
            ruled.append(replace(one, p=p, verdict=names[decision.region]))
    return ruled


def gather(name: str, claim: Claim, found: Trainings, seeds: Sequence[int],
           transfers: Mapping[str, Mapping[str, Any]]) -> Ruling:
    """The numbers of trainings of `seeds`, or of the claim's share of them, that decide it; a reason where they cannot.
    """
    empty = Ruling(name, claim, claim.seeds or len(seeds))
    found = {run: {seed: ones[seed] for seed in seeds[:claim.seeds] if seed in ones} for run, ones in found.items()}
    if claim.better:
        return _compared(empty, *(found[run] for run in claim.better))
    if claim.runs:
        return _bounded(empty, {(run, seed): one for run in claim.runs for seed, one in found[run].items()})
    if claim.transfer:
        return _transferred(replace(empty, planned=1), transfers.get(claim.transfer))
    return replace(empty, planned=0, reason=claim.needs or "no experiment")


def _compared(empty: Ruling, one: Mapping[int, Finished], other: Mapping[int, Finished]) -> Ruling:
    """ln of the other's number over the one's, by pairs of trainings of equal seed."""
    claim, seeds, values, reasons = empty.claim, [], [], []
    for seed in sorted(one.keys() & other.keys()):
        if difference := trainings.differing(one[seed], other[seed], claim.equal):
            reasons.append(f"the trainings of seed {seed} are no fair pair: {difference}")
            continue
        numbers = [training.value(claim.of) for training in (one[seed], other[seed])]
        if None in numbers or min(number for number in numbers if number is not None) <= 0:
            reasons.append(f"{claim.of} of seed {seed}: expected a number above 0, found "
                           f"{' and '.join('none' if number is None else f'{number:g}' for number in numbers)}")
            continue
        first, second = (number for number in numbers if number is not None)
        seeds.append(seed)
        values.append(math.log(second / first))
    used = [training[seed] for training in (one, other) for seed in seeds]
    return _with(empty, seeds, values, used, reasons)


def _bounded(empty: Ruling, found: Mapping[tuple[str, int], Finished]) -> Ruling:
    """How far the number of each training is on the claimed side of its bound."""
    claim, values, used, reasons = empty.claim, [], [], []
    inside = any(claim.of in training.inside for training in found.values())  # which has looked into one of each run
    empty = replace(empty, planned=len(claim.runs) * (1 if inside else empty.planned))
    found = {key: training for key, training in found.items() if not inside or training.inside}
    for (run, seed), training in found.items():
        numbers = [training.value(name) for name in (claim.of, claim.minus or claim.over) if name]
        if None in numbers:
            reasons.append(f"{run} seed {seed} lacks {' or '.join(filter(None, (claim.of, claim.minus, claim.over)))}")
            continue
        number, *less = (one for one in numbers if one is not None)
        if less:
            number = number - less[0] if claim.minus else number / less[0] if less[0] else math.inf
        if not math.isfinite(number):
            reasons.append(f"{run} seed {seed}: {claim.over} is 0")
            continue
        values.append(number - claim.at_least if claim.at_least is not None else (claim.at_most or 0.0) - number)
        used.append((seed, training))
    return _with(empty, [seed for seed, _ in used], values, [training for _, training in used], reasons)


def _transferred(empty: Ruling, scores: Mapping[str, Any] | None) -> Ruling:
    """How far the accuracy that a transfer has, or its gain over another one, is on the claimed side of the bound.

    Of a D without its last layers the accuracies are those of the layers that there are; their names say so. Both are
    shares of the same test images; the error takes them for independent, which is on the safe side.
    """
    claim = empty.claim
    if not scores:
        return replace(empty, reason=f"run `dvc repro transfer@{claim.transfer}`, then `dcgan claims`")
    named = {re.sub(r"^probe_of_\d+_layers", "probe", name): name for name in scores}
    claim = replace(claim, of=named.get(claim.of, claim.of), minus=named.get(claim.minus or "", claim.minus))
    names = [name for name in (claim.of, claim.minus) if name]
    if lacking := [name for name in (*names, "test_images") if name not in scores]:
        return replace(empty, reason=f"transfer {claim.transfer} lacks {' and '.join(lacking)}")
    shares, images = [float(scores[name]) for name in names], int(scores["test_images"])
    number = shares[0] - sum(shares[1:])
    value = number - claim.at_least if claim.at_least is not None else (claim.at_most or 0.0) - number
    error = max(1 / images, math.sqrt(sum(share * (1 - share) for share in shares) / images))
    return replace(empty, claim=claim, values=[value], error=error, test_images=images)


def _with(empty: Ruling, seeds: list[int], values: list[float], used: list[Finished], reasons: list[str]) -> Ruling:
    """The ruling with its numbers; undecided where fewer than two, or not all that are planned, are there."""
    reason = "; ".join(reasons[:1])
    if not reason and len(values) < empty.planned:
        reason = f"{len(values)} of {empty.planned} {'pairs of ' if empty.claim.better else ''}trainings are there"
    if not reason and len(values) < 2:
        reason = "one seed decides nothing"
    machines = sorted({f"{one.facts.get('device', '?')}, {one.facts.get('dtype', '?')}" for one in used})
    return replace(empty, seeds=seeds, values=values, machines=machines, reason=reason,
                   collapsed=sum(bool(one.signs) for one in used))
