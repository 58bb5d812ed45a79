"""A tracker that reports in a thread of its own.

The thread hands what a stage reports to the store. While MLflow is slow, locked or away, that is kept in
`.work/tracking/`, and tried again; what is left at the end stays there until `dcgan sync`. So does an entry that MLflow
refuses, and those behind it go on.
"""
import queue
import threading
import time
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import Any

from PIL.Image import Image
from torch import nn

from pipeline import stopping
from pipeline.tracking import connection, generators, kept
from pipeline.tracking.circuit import Circuit
from pipeline.tracking.descriptions import milliseconds
from pipeline.tracking.kept import Entry
from pipeline.tracking.store import NotYet, Store
from pipeline.tracking.tracker import Tracker

FLUSH_SECONDS = 5.0  # what is reported is collected for so long and written together
BEAT_SECONDS = 30.0  # between two signs of life
CLOSE_SECONDS = 60.0  # how long the end of a run waits at most for an MLflow that answers
STALL_SECONDS = 3.0  # and how long for anything to happen before it asks whether MLflow answers
CIRCUIT = Circuit()


class BackgroundTracker(Tracker):
    """Takes what is reported at once; a thread writes it to `store` in order."""

    def __init__(self, store: Store, circuit: Circuit | None = None):
        self.store = store
        self.circuit = circuit or CIRCUIT
        self.kept = kept.new(store.opening.description.name)
        self.arrived: deque[Entry | None] = deque()
        self.news: queue.SimpleQueue[None] = queue.SimpleQueue()  # one for each that arrives; no signal can tear it
        self.pending = [Entry("describe", {}), Entry("params", {}), Entry("data", {})]
        self.refused: list[Entry] = []
        self.saved: list[Entry] = []  # what the kept folder has: some of both
        self.lock = threading.RLock()  # of the lists and the folder
        self.given_up = False
        self.beaten = self.progressed = time.monotonic()
        self.thread = threading.Thread(target=self._work, name="tracking", daemon=True)
        self.thread.start()

    def metrics(self, values: dict[str, float], images_seen: int) -> None:
        rows = [(key, float(value), milliseconds(), images_seen) for key, value in values.items()]
        self._put(Entry("metrics", {"rows": rows}))

    def image(self, key: str, picture: Image, images_seen: int) -> None:
        self._put(Entry("image", {"key": key, "picture": picture, "step": images_seen}))

    def tags(self, tags: dict[str, str]) -> None:
        self._put(Entry("tags", {"tags": tags}))

    def model(self, G: nn.Module, network: dict[str, Any], scores: dict[str, float], images_seen: int) -> None:
        try:
            with self.lock:
                graph = self.kept.path("generator.pt2")
            generators.export(G, network, graph)
        except Exception as error:  # whatever the disk and torch.export raise
            self.circuit.say("model", f"the generator cannot be exported ({connection.reason(error)})")
            return
        self._put(Entry("model", {"graph": graph, "network": network, "scores": scores, "step": images_seen,
                                  "measured": milliseconds()}))

    def file(self, path: Path) -> None:
        self._put(Entry("file", {"path": path}))

    @property
    def address(self) -> str:
        store = self.store
        return f"/#/experiments/{store.experiment_id}/runs/{store.run_id}" if store.run_id else ""

    def close(self, status: str) -> None:
        """Ends the run; returns when MLflow has everything or, as soon as it does not answer, when all is kept."""
        self._put(Entry("close", {"status": status, "ended": milliseconds()}))
        self._put(None)
        try:
            self._wait()
        finally:  # also when this process is asked to end meanwhile
            with self.lock:
                self.given_up = True
                self._take()
                self._keep()
                self.kept.release() if self.refused or self.pending else self.kept.clear()

    def _wait(self) -> None:
        """Until everything is told, but not for an MLflow that is away or behind a request that hangs.

        A process that is asked to end has less time.
        """
        self.progressed = time.monotonic()
        seconds, asked = stopping.CLOSE_SECONDS if stopping.asked() else CLOSE_SECONDS, 0.0
        until = self.progressed + seconds
        while self.thread.is_alive() and not self.circuit.open and time.monotonic() < until:
            self.thread.join(0.02)
            now = time.monotonic()
            if now - max(self.progressed, asked) > STALL_SECONDS:
                if not connection.answers(bool(self.store.run_id)):
                    self.circuit.failed("it hangs")
                asked = time.monotonic()
        if self.thread.is_alive() and not self.circuit.open:
            self.circuit.failed(f"it takes more than {seconds:.0f} s")

    def _work(self) -> None:
        closing = False
        while not (self.given_up or closing and not self.pending):
            closing = closing or self._collect()
            if self.circuit.resting:
                self._keep()
                if closing:
                    return
                continue
            try:
                self._tell()
                self.circuit.answered()
                self._keep()
            except NotYet:
                time.sleep(0.1 * FLUSH_SECONDS)
            except Exception as error:  # whatever MLflow, its store and the network raise
                if not self.given_up:
                    self.circuit.failed(connection.reason(error), connection.about_the_run(error))

    def _tell(self) -> None:
        """Tells the store what is pending; raises when MLflow is away."""
        if not self.store.run_id:
            self.store.open()
        if not self.given_up and time.monotonic() - self.beaten > BEAT_SECONDS:
            self.store.beat()
            self.beaten = time.monotonic()
        while self.pending and not self.given_up:
            reason = attempt(self.store, self.pending[0])
            with self.lock:
                if self.given_up:
                    return
                self.progressed = time.monotonic()
                entry = self.pending.pop(0)
                if reason:
                    self.refused.append(entry)
                    self.circuit.say(reason, f"MLflow refuses {entry.method} of {self.store.opening.description.name} "
                                             f"({reason}); kept in {self.kept.folder}")
                    self._keep()

    def _put(self, entry: Entry | None) -> None:
        """Hands an entry, or None behind the last, to the thread; never waits for it."""
        self.arrived.append(entry)
        self.news.put(None)

    def _collect(self) -> bool:
        """Moves what arrives in FLUSH_SECONDS to `pending`; True when it was the last."""
        until = time.monotonic() + FLUSH_SECONDS
        while (left := until - time.monotonic()) > 0:
            with suppress(queue.Empty):
                self.news.get(timeout=left)
            if self._take():
                return True
        return False

    def _take(self) -> bool:
        """Moves what has arrived to `pending`, metrics merged; True when it was the last.

        Under the lock, so that no entry is in neither when the run is closed.
        """
        with self.lock:
            while self.arrived:
                if (entry := self.arrived.popleft()) is None:
                    return True
                last = self.pending[-1] if self.pending and self.pending[-1] not in self.saved[-1:] else None
                if entry.method == "metrics" and last and last.method == "metrics":
                    last.arguments["rows"].extend(entry.arguments["rows"])
                else:
                    self.pending.append(entry)
        return False

    def _keep(self) -> None:
        """The kept folder has what is refused and what is pending while MLflow is away, and nothing else."""
        with self.lock:
            wanted = self.refused + (self.pending if self.circuit.open or self.given_up else [])
            if wanted == self.saved:
                return
            try:
                if wanted[:len(self.saved)] == self.saved:
                    self.kept.append(self.store.opening, wanted[len(self.saved):])
                else:
                    self.kept.write(self.store.opening, wanted)
            except OSError as error:
                self.circuit.say("lost", f"what MLflow did not take cannot be kept ({error})")
                return
            self.saved = wanted
        if self.given_up and wanted:
            self.circuit.say("kept", f"what MLflow did not take is in {self.kept.folder.parent}; `dcgan sync` tells it")


def attempt(store: Store, entry: Entry) -> str:
    """Tells the store one entry: '' when it took it, or why it never will; raises while MLflow is away."""
    for _ in range(2):
        try:
            getattr(store, entry.method)(**entry.arguments)
            return ""
        except Exception as error:  # whatever MLflow, its store and the network raise
            if not connection.refused(error) and not store.alive():
                raise
            reason = connection.reason(error)
    return reason
