"""The only door to MLflow. Nothing that happens behind it can stop or slow a training.

A background thread hands what a stage reports to the store. What MLflow does not take, being slow, locked or away, is
tried again; what is left at the end is written to `.work/tracking/`, with a warning. DCGAN_TRACKING=off keeps MLflow
out of it.
"""
import json
import os
import queue
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL.Image import Image
from torch import nn

from pipeline import files, folders, stopping
from pipeline.tracking.store import Description, NotYet, Store

FLUSH_SECONDS = 5.0  # what is reported is collected for so long and written together
RETRY_SECONDS = 2.0
CLOSE_SECONDS = 60.0  # how long the end of a stage waits for MLflow at most


@contextmanager
def run(description: Description) -> Iterator["Tracker"]:
    """A tracker for one run, which is FINISHED, KILLED or FAILED as the block ends."""
    if os.environ.get("DCGAN_TRACKING") == "off":
        yield Tracker()
        return
    tracker = BackgroundTracker(description, Store())
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
        """The generator that was scored, as `generators.log` takes it, and the scores that go with it."""

    def file(self, path: Path) -> None:
        """A file that stays where it is until the run is closed."""

    @property
    def address(self) -> str:
        """Where the MLflow page of the run is, below the server's address; '' when MLflow has no such run."""
        return ""


@dataclass(frozen=True)
class Entry:
    """One call of a method of the store."""
    method: str
    arguments: dict[str, Any]


class BackgroundTracker(Tracker):
    """Puts what is reported in a queue; a thread writes it to `store` in order."""

    def __init__(self, description: Description, store: Store):
        self.name = description.name
        self.store = store
        self.entries: queue.SimpleQueue[Entry | None] = queue.SimpleQueue()
        self.pending: list[Entry] = [Entry("open", {"description": description})]
        self.deadline = float("inf")
        self.warned = False
        self.thread = threading.Thread(target=self._work, name="tracking", daemon=True)
        self.thread.start()

    def metrics(self, values: dict[str, float], images_seen: int) -> None:
        now = int(time.time() * 1000)
        rows = [(key, float(value), now, images_seen) for key, value in values.items()]
        self.entries.put(Entry("metrics", {"rows": rows}))

    def image(self, key: str, picture: Image, images_seen: int) -> None:
        self.entries.put(Entry("image", {"key": key, "picture": picture, "step": images_seen}))

    def tags(self, tags: dict[str, str]) -> None:
        self.entries.put(Entry("tags", {"tags": tags}))

    def model(self, G: nn.Module, network: dict[str, Any], scores: dict[str, float], images_seen: int) -> None:
        self.entries.put(Entry("model", {"G": G, "network": network, "scores": scores, "step": images_seen}))

    def file(self, path: Path) -> None:
        self.entries.put(Entry("file", {"path": path}))

    @property
    def address(self) -> str:
        store = self.store
        return f"/#/experiments/{store.experiment_id}/runs/{store.run_id}" if store.run_id else ""

    def close(self, status: str) -> None:
        """Ends the run; returns when all is written or, after CLOSE_SECONDS, when what is left lies in a file.

        A process that is asked to end has less time.
        """
        seconds = stopping.CLOSE_SECONDS if stopping.asked() else CLOSE_SECONDS + RETRY_SECONDS
        self.deadline = time.monotonic() + seconds - RETRY_SECONDS
        self.entries.put(Entry("close", {"status": status}))
        self.entries.put(None)
        self.thread.join(seconds)
        with suppress(queue.Empty):
            while True:
                if (entry := self.entries.get_nowait()) is not None:
                    self.pending.append(entry)
        if self.pending:
            try:
                print(f"tracking: MLflow did not take everything; the rest is in {self._rescue()}", file=sys.stderr)
            except OSError as error:
                print(f"tracking: MLflow did not take everything, and the rest is lost ({error})", file=sys.stderr)

    def _work(self) -> None:
        closing = False
        while not closing or self.pending:
            closing = closing or self._collect()
            try:
                while self.pending:
                    getattr(self.store, self.pending[0].method)(**self.pending[0].arguments)
                    del self.pending[0]
            except Exception as error:  # whatever MLflow, its store and the network raise
                if not (self.warned or isinstance(error, NotYet)):
                    reason = (str(error).splitlines() or [type(error).__name__])[0]
                    print(f"tracking: MLflow does not answer ({reason}); going on without it", file=sys.stderr)
                    self.warned = True
                if time.monotonic() > self.deadline:
                    return
                time.sleep(RETRY_SECONDS)

    def _collect(self) -> bool:
        """Moves what arrives in FLUSH_SECONDS to `pending`, metrics merged; True when it was the last."""
        until = time.monotonic() + FLUSH_SECONDS
        while (left := until - time.monotonic()) > 0:
            try:
                entry = self.entries.get(timeout=left)
            except queue.Empty:
                return False
            if entry is None:
                return True
            if entry.method == "metrics" and self.pending and self.pending[-1].method == "metrics":
                self.pending[-1].arguments["rows"].extend(entry.arguments["rows"])
            else:
                self.pending.append(entry)
        return False

    def _rescue(self) -> Path:
        """Writes what is pending as one JSON line for each entry, pictures as PNG files beside it."""
        folder = folders.work("tracking", f"{self.name.replace(' ', '-')}-{os.getpid()}-{int(time.time())}")
        folder.mkdir(parents=True, exist_ok=True)

        def plain(value: Any) -> str:
            if isinstance(value, Image):
                path = folder / f"{len(list(folder.iterdir()))}.png"
                value.save(path)
                return path.name
            return str(value)

        lines = [json.dumps({"method": entry.method} | entry.arguments, default=plain) for entry in self.pending]
        files.write(folder / "reports.jsonl", ("\n".join(lines) + "\n").encode())
        return folder / "reports.jsonl"
