"""What a part of the harness found, and the table that says so."""
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path


@dataclass
class Figures:
    """How many cases a part has had, what did not hold in which, and the minutes that it took."""
    part: str
    seed: int
    cases: int = 0
    failures: list[str] = field(default_factory=list)
    minutes: float = 0.0

    def count(self, case: str, problems: list[str]) -> None:
        """One case more, with what did not hold in it, which is printed at once."""
        self.cases += 1
        if problems:
            self.failures.append(f"{case}: {'; '.join(problems)}")
            print(f"FAILED {self.failures[-1]}", flush=True)

    @contextmanager
    def timed(self) -> Iterator["Figures"]:
        """The block's time counts."""
        begin = time.monotonic()
        try:
            yield self
        finally:
            self.minutes += (time.monotonic() - begin) / 60


def table(found: list[Figures]) -> str:
    """A Markdown table with a row for each part."""
    rows = [f"| {one.part} | {one.cases:,} | {len(one.failures)} | {one.minutes:.1f} | {one.seed} |" for one in found]
    return "\n".join(["| part | cases | failures | minutes | seed |", "|---|---:|---:|---:|---:|", *rows, "",
                      f"{machine()}, {date.today()}"])


def machine() -> str:
    """The processor's name, as Linux gives it."""
    known = Path("/proc/cpuinfo")
    lines = known.read_text().splitlines() if known.exists() else []
    return next((line.split(": ", 1)[1] for line in lines if line.startswith("model name")), platform.machine())
