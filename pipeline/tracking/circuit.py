"""Whether MLflow answers, as this process has found: one failure is enough, so that MLflow being away costs once."""
import sys
import threading
import time
from dataclasses import dataclass, field

FIRST_PAUSE, LONGEST_PAUSE = 2.0, 60.0  # seconds between two attempts while MLflow is away; each doubles the last


@dataclass
class Circuit:
    """Open while MLflow does not answer: then nobody waits for it, and it is asked again after a pause.

    All runs of a process share one. It warns once of a failure, and once of what is kept.
    """
    pause: float = 0.0
    again: float = 0.0
    said: set[str] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def open(self) -> bool:
        """Whether the last attempt failed."""
        return self.pause > 0

    @property
    def resting(self) -> bool:
        """Whether it is too early for another attempt."""
        return self.open and time.monotonic() < self.again

    def failed(self, reason: str, refused: bool = False) -> None:
        """MLflow does not answer, or has `refused` the run; the next attempt is a pause away."""
        with self.lock:
            self.pause = min(max(2 * self.pause, FIRST_PAUSE), LONGEST_PAUSE)
            self.again = time.monotonic() + self.pause
        self.say("away", f"MLflow {'refuses runs' if refused else 'does not answer'} ({reason}); going on without it")

    def answered(self) -> None:
        """MLflow has taken something."""
        self.pause = 0.0

    def say(self, kind: str, text: str) -> None:
        """Prints a line of this kind, if none was printed before."""
        with self.lock:
            fresh = kind not in self.said
            self.said.add(kind)
        if fresh:
            print(f"tracking: {text}", file=sys.stderr)
