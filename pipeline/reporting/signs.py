"""The signs of a collapse that trainings recorded in events.csv as they began and ended."""
from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.reporting.results import Result, Training


@dataclass(frozen=True)
class Sign:
    """A sign of one kind, in one training: after how many images it began, each time, and what was found at first.

    `ended` is how many images had been seen when it ended for the last time, None if it did not.
    """
    kind: str
    begins: list[int]
    says: str
    ended: int | None


def found(training: Training) -> list[Sign]:
    """The signs of one training, in the order in which they began."""
    signs = []
    for kind, events in training.events.groupby("sign", sort=False):
        begins = events[events["begins"] == 1]
        last = events.iloc[-1]
        signs.append(Sign(str(kind), begins["images_seen"].astype(int).to_list(), str(begins["says"].iloc[0]),
                          None if last["begins"] else int(last["images_seen"])))
    return signs


def lasts(result: Result) -> bool:
    """Whether a training of the run ended with a sign of a collapse."""
    return any(sign.ended is None for training in result.trainings for sign in found(training))


def sentences(results: list[Result]) -> Iterator[str]:
    """One sentence for each run with a sign: what, after how many images, and whether it recovered."""
    for result in results:
        said = [_described(sign, training, len(result.trainings) > 1)
                for training in result.trainings for sign in found(training)]
        if said:
            yield f"**{result.name}** showed signs of a collapse: {'; '.join(said)}."


def _described(sign: Sign, training: Training, several: bool) -> str:
    times = f", {len(sign.begins)} times" if len(sign.begins) > 1 else ""
    ended = "not recovered" if sign.ended is None else f"recovered at {sign.ended:,}"
    return (f"{f'seed {training.seed}, ' if several else ''}at {sign.begins[0]:,} images{times} ({sign.says}), "
            f"{ended}")
