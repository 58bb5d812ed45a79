"""The only door to MLflow. Nothing that happens behind it can stop or slow a training: `background` sees to that.

DCGAN_TRACKING=off keeps MLflow out of it.
"""
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL.Image import Image
from torch import nn

from pipeline.tracking.descriptions import Description


@contextmanager
def run(description: Description) -> Iterator["Tracker"]:
    """A tracker for one run, which is FINISHED, KILLED or FAILED as the block ends."""
    if os.environ.get("DCGAN_TRACKING") == "off":
        yield Tracker()
        return
    from pipeline.tracking import background, descriptions
    from pipeline.tracking.store import Store
    tracker = background.BackgroundTracker(Store(descriptions.opening(description)))
    status = "FAILED"
    try:
        yield tracker
        status = "FINISHED"
    except KeyboardInterrupt:
        status = "KILLED"
        raise
    finally:
        tracker.close(status)


class Tracker:
    """What a stage can report about its run; this one forgets it. Everything is placed by the images seen so far."""

    def metrics(self, values: dict[str, float], images_seen: int) -> None:
        """Numbers for the run's curves."""

    def image(self, key: str, picture: Image, images_seen: int) -> None:
        """A picture in the series `key`."""

    def tags(self, tags: dict[str, str]) -> None:
        """Facts that the run is found by."""

    def model(self, G: nn.Module, network: dict[str, Any], scores: dict[str, float], images_seen: int) -> None:
        """The generator that was scored, as `generators.export` takes it, and the scores that go with it."""

    def file(self, path: Path) -> None:
        """A file that stays where it is until the run is closed."""

    @property
    def address(self) -> str:
        """Where the MLflow page of the run is, below the server's address; '' when MLflow has no such run."""
        return ""
