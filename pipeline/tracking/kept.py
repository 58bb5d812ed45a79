"""What MLflow has not taken of a run, as files in .work/tracking/, until somebody tells it.

A folder for each run has run.json, the run's opening; reports.jsonl, a line for each entry; and pictures, models and
files beside it. Who works on a folder holds its lock.
"""
import json
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from PIL.Image import Image

from pipeline import files, folders
from pipeline.tracking.descriptions import Description, Opening

REPORTS, RUN = "reports.jsonl", "run.json"


@dataclass(frozen=True, eq=False)
class Entry:
    """One call of a method of the store."""
    method: str
    arguments: dict[str, Any]


class Kept:
    """The folder of one run. Methods may raise OSError; a folder is there from the first of them on."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.written: dict[int, tuple[Any, str]] = {}  # by id: what is in a file already, held so that it keeps its id
        self.lock = FileLock(folder.with_name(f"{folder.name}.lock"), thread_local=False)

    def path(self, name: str) -> Path:
        """A path for a file of this name, in a folder of its own."""
        self._make()
        folder = self.folder / str(len(list(self.folder.iterdir())))
        folder.mkdir()
        return folder / name

    def write(self, opening: Opening, entries: Sequence[Entry]) -> None:
        """The folder keeps `entries`, and nothing that was kept before."""
        self._make()
        files.write(self.folder / RUN, json.dumps(asdict(opening), default=str).encode())
        files.write(self.folder / REPORTS, "".join(self._line(entry) for entry in entries).encode())

    def append(self, opening: Opening, entries: Sequence[Entry]) -> None:
        """The folder keeps `entries` too."""
        if not (self.folder / REPORTS).exists():
            return self.write(opening, entries)
        left = memoryview("".join(self._line(entry) for entry in entries).encode())
        with open(self.folder / REPORTS, "ab", buffering=0) as file:
            before = file.tell()
            try:
                while left:
                    left = left[file.write(left):]
                os.fsync(file.fileno())
            except OSError:
                file.truncate(before)  # nothing can be read behind half a line
                raise

    def read(self) -> tuple[Opening, list[Entry]]:
        """What is kept; ValueError where that is no record of this project's. A torn last line is left out."""
        facts = json.loads((self.folder / RUN).read_text())
        told = facts["description"]
        description = Description(**told | {"id_file": told["id_file"] and Path(told["id_file"])})
        *lines, _ = (self.folder / REPORTS).read_text().split("\n")
        found = [json.loads(line, object_hook=self._file) for line in lines]
        return (Opening(description, facts["identity"], facts["began"], facts["provenance"]),
                [Entry(one.pop("method"), one) for one in found])

    def clear(self) -> None:
        """Nothing is kept any more, and the folder is free."""
        if self.lock.is_locked:
            with suppress(OSError):
                (self.folder / REPORTS).unlink()  # first: a folder without it keeps nothing, if this is interrupted
            shutil.rmtree(self.folder, ignore_errors=True)
            Path(self.lock.lock_file).unlink(missing_ok=True)
            self.lock.release()

    def release(self) -> None:
        """What is kept is for others to tell."""
        self.lock.release()

    def _make(self) -> None:
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        if not self.lock.is_locked:
            self.lock.acquire(timeout=0)
        self.folder.mkdir(exist_ok=True)

    def _line(self, entry: Entry) -> str:
        return json.dumps({"method": entry.method} | entry.arguments, default=self._plain) + "\n"

    def _plain(self, value: Any) -> dict[str, str]:
        """A picture or a file as JSON has it: the name of a file in the folder."""
        if id(value) in self.written:
            return {"file": self.written[id(value)][1]}
        if isinstance(value, Image):
            path = self.path("picture.png")
            value.save(path)
        elif value.is_relative_to(self.folder):
            path = value
        else:
            path = self.path(value.name)
            shutil.copy(value, path)
        name = str(path.relative_to(self.folder))
        self.written[id(value)] = value, name
        return {"file": name}

    def _file(self, value: dict[str, Any]) -> Any:
        return self.folder / value["file"] if value.keys() == {"file"} else value


def new(name: str) -> Kept:
    """A folder, not made yet, for a run of this name."""
    now = time.time_ns() // 1_000_000
    return Kept(folders.work("tracking", f"{now}-{os.getpid()}-{name.replace(' ', '-').replace('/', '-')}"))


def everything() -> Iterator[Kept]:
    """Every folder that nobody works on, locked, in the order in which the runs began; free again afterwards."""
    for folder in sorted(path for path in folders.work("tracking").glob("*") if path.is_dir()):
        one = Kept(folder)
        try:
            with one.lock.acquire(timeout=0):
                yield one
        except Timeout:
            continue
