"""Signs that a training has collapsed or diverges, read from its curves so far.

A run sets the bands that it may leave: its distance is compared with its own best, the variance of its samples with the
largest that they had. Only losses have fixed bands, because a D that is sure of every image teaches G nothing
(Arjovsky & Bottou 2017, arXiv 1701.04862).
"""
import math
from collections.abc import Iterator, Sequence

Row = dict[str, float]

WON = 0.02  # of 2 log 2, the loss of a D that cannot tell; below it D is sure of nearly every image
WON_REPORTS = 3  # reports of the losses in a row
LOST = 20.0  # nats: D gives a fake one chance in 500 million to be real
WORSE = 3.0  # times its best distance
FLAT = 0.1  # of the largest variance that samples of this training had


def signs(losses: Sequence[Row], distances: Sequence[float], variances: Sequence[float],
          floor: float = 0.0) -> dict[str, str]:
    """The signs that are there now, by their kind, with one clause that says what was found.

    `losses` are rows with loss_D and loss_G in nats; `distances` and `variances`, positive, are those of the snapshots
    so far. `floor` is the smallest loss of D, which label smoothing raises above 0.
    """
    return dict(_found(losses, distances, variances, floor))


def _found(losses: Sequence[Row], distances: Sequence[float], variances: Sequence[float],
           floor: float) -> Iterator[tuple[str, str]]:
    last = [row["loss_D"] - floor for row in losses[-WON_REPORTS:]]
    if len(last) == WON_REPORTS and max(last) < WON * 2 * math.log(2):
        yield "losses", f"the loss of D stays below {floor + WON * 2 * math.log(2):.2g} nats: it is sure of every image"
    elif losses and losses[-1]["loss_G"] > LOST:
        yield "losses", f"the loss of G is {losses[-1]['loss_G']:.3g} nats: D is sure of every fake"
    if distances and distances[-1] > WORSE * min(distances):
        yield "distance", f"the distance is {distances[-1] / min(distances):.1f} times its best"
    if variances and variances[-1] < FLAT * max(variances):
        yield "variance", f"the samples' variance is {variances[-1] / max(variances):.1%} of the largest it was"
