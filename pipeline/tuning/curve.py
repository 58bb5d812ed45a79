"""The curve of a trial: a training that is scored at the rungs of the search."""
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline import observing
from pipeline.gan import training
from pipeline.gan.updates import State
from pipeline.observing import Curves, Observer
from pipeline.params.sections import Run
from pipeline.tracking.tracker import Tracker
from pipeline.tuning.rungs import Course
from pipeline.tuning.setup import Setup


@dataclass(frozen=True)
class Point:
    """One distance on the curve of a trial: that of the average of G's weights, where the run has one, and else of G.

    Trials of all batch sizes have the same rungs as their steps; the images that were seen are up to a batch more. A
    training that shows signs of a `collapse` may have `stopped` on it, between two rungs.
    """
    step: int
    images_seen: int
    fid: float
    collapse: str = ""
    stopped: bool = False
    rung: bool = True


def points(setup: Setup, state: State, run: Run, course: Course, seed: int, scratch: Path,
           tracking: Tracker) -> Iterator[Point]:
    """Trains `state` to the end of `course`; yields a point at each place of it, and where the training stops early.

    What an earlier attempt has already seen comes first.
    """
    curves, yielded, steps = Curves(), 0, list(course.places.values())
    score = f"{setup.score}{observing.OF_AVERAGE}" if run.ema else setup.score

    def due(images_seen: float, before: list[observing.Row]) -> bool:
        return course.passed(images_seen) > (course.passed(before[-1]["images_seen"]) if before else 0)

    observer = Observer(setup.reference, setup.train, setup.device, scratch, tracking, course.length + 1,
                        lambda progress: due(progress.images_seen, curves.fid))
    curves = observer.resume(state)

    def fresh() -> Iterator[Point]:
        nonlocal yielded
        for place, row in enumerate(curves.fid[yielded:], yielded):
            seen, rung = int(row["images_seen"]), due(row["images_seen"], curves.fid[:place])
            between = seen if setup.search.equal == "images" else math.ceil(seen / run.batch)
            says = collapse(curves, seen)
            yield Point(steps[course.passed(seen) - 1] if rung else between, seen, row[score], says,
                        bool(says) and run.on_collapse == "stop", rung)
        yielded = len(curves.fid)

    yield from fresh()
    every = math.gcd(*course.places, setup.train.report_images)
    for _ in observer.observe(training.train(state, setup.train_images, setup.train_labels, run.batch, course.length,
                                             seed, every, setup.device, course.decay), state, curves):
        yield from fresh()


def collapse(curves: Curves, images_seen: int) -> str:
    """The sign of a collapse that a training showed when it had seen so many images, or ''."""
    last = {event["sign"]: event for event in curves.events if int(event["images_seen"]) <= images_seen}
    found = [event for event in last.values() if event["begins"]]
    return f"collapsed at {found[-1]['images_seen']:,} images: {found[-1]['says']}" if found else ""
