"""`dcgan sync`, disturbed at one of its operations on files and called again: MLflow knows everything, nothing is kept.

A store in MLflow's place notes in .logs/told what it is told, so that a case takes a moment. Each entry is told at
least once, whole and in its order, and at most twice: a process may be killed when MLflow knows an entry and the folder
does not know that yet.
"""
import hashlib
import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image

from pipeline.tracking import connection, replay
from pipeline.tracking.descriptions import Description, Opening
from pipeline.tracking.kept import Entry, Kept
from tests.chaos.cases import Case, Ended, Running
from tests.chaos.operations import Plan
from tests.chaos.points import Undisturbed, after_disturbance

CASE = Case(("sync",), ())
KEPT = Path(".work/tracking")
TOLD = Path(".logs/told")
Told = dict[str, list[str]]  # by run: what was told, in its order


class Notes:
    """What the store of MLflow is to `replay`; it notes the calls."""

    def __init__(self, opening: Opening, replay: bool, model: str) -> None:
        self.run, self.before = opening.identity, ("KILLED", None)

    def open(self) -> None:
        """Anything may be opened again."""

    def alive(self) -> bool:
        return True

    def __getattr__(self, method: str) -> Any:
        def called(*words: Any, **named: Any) -> None:
            said = [hashlib.sha256(value.read_bytes()).hexdigest() if isinstance(value, Path) else value
                    for value in (*words, *named.values())]
            with open(TOLD, "a") as file:
                file.write(json.dumps([self.run, f"{method} {said}"]) + "\n")

        return called


def notes() -> None:
    """This process tells `Notes` what it would tell MLflow."""
    replay.Store = Notes  # type: ignore[assignment, misc]
    connection.connect = lambda: True


def base(folder: Path) -> Path:
    """A folder in which three runs are kept: one that ended, one that was killed, and one with a torn last line."""
    folder.mkdir()
    for number, name in enumerate(("ended", "killed", "torn")):
        one = Kept(folder / KEPT / f"{number}-{name}")
        entries = [Entry("tags", {"tags": {"model": name}})]
        for step in (1, 2):
            entries.append(Entry("metrics", {"rows": [["loss_D", 0.5, number, step]]}))
            entries.append(Entry("image", {"key": "samples", "picture": Image.new("L", (8, 8), step), "step": step}))
        if name == "ended":
            entries.append(Entry("close", {"status": "FINISHED", "ended": 9}))
        one.write(Opening(Description(name, {}, {}, {}, experiment="chaos"), name, number, {}), entries)
        one.release()
    with open(folder / KEPT / "2-torn/reports.jsonl", "a") as file:
        file.write('{"method": "metr')
    return folder


def undisturbed(made: Path) -> tuple[Undisturbed, Told]:
    """The operations of a sync that nothing disturbs, and what it tells."""
    with tempfile.TemporaryDirectory(prefix="chaos-") as place:
        folder, ended = synced(made, Path(os.path.realpath(place)) / "one", Plan())
        assert ended.status == 0 and not left(folder), ended.errors
        return Undisturbed({}, frozenset(), ended.operations), told(folder)


def problems(made: Path, plan: Plan, expected: Told) -> list[str]:
    """What does not hold when `plan` disturbs a sync; nothing, as it should be."""
    with tempfile.TemporaryDirectory(prefix="chaos-") as place:
        folder, first = synced(made, Path(os.path.realpath(place)) / "one", plan)
        found = list(after_disturbance(CASE, folder, plan, first, {}, Undisturbed({}, frozenset(), [])))
        again = Running(CASE, folder, Plan(), notes).end()
        if again.status != 0:
            found.append(f"the next sync ended with {again.status}: {again.errors[-500:]}")
        now = told(folder)
        for run, entries in expected.items():
            heard = now.get(run, [])
            if list(dict.fromkeys(heard)) != entries:
                found.append(f"{run}: told {len(set(heard))} of {len(entries)} entries, or in another order")
            found += [f"{run}: told {heard.count(entry)} times: {entry}" for entry in entries if heard.count(entry) > 2]
        return found + [f"{name}: kept for ever" for name in left(folder)]


def synced(made: Path, folder: Path, plan: Plan) -> tuple[Path, Ended]:
    """A copy of what is kept, and a sync of it that `plan` disturbs."""
    shutil.copytree(made, folder)
    return folder, Running(CASE, folder, plan, notes).end()


def told(folder: Path) -> Told:
    """What was told of each run."""
    found: Told = {}
    if (folder / TOLD).exists():
        for line in (folder / TOLD).read_text().splitlines():
            run, entry = json.loads(line)
            found.setdefault(run, []).append(entry)
    return found


def left(folder: Path) -> list[str]:
    """The folders that are still kept."""
    return sorted(path.name for path in (folder / KEPT).glob("*") if path.is_dir())
