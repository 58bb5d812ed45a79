"""A command disturbed at one of its operations on files, and started again: what must hold, whatever the operation.

Outputs that appear whole are the old ones, the new ones, or away, as between two renames; after an error that the
process could answer they are not away. The next start ends well, with the bytes of an undisturbed run, and nothing is
left that an undisturbed run does not leave.
"""
import errno
import hashlib
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.cases import PARTIAL, Case, Ended, Running, prepared
from tests.chaos.operations import AFTER, BEFORE, TORN, Plan

FAULTS = (errno.ENOSPC, errno.EIO, errno.EACCES)
READ_ONLY = Plan(1, BEFORE, errno.EROFS)
KILLED = -9
AWAY, OLD, NEW = "away", "old", "new"
# Names that differ from run to run, locks, copies of torn lines. A kill while Optuna gives its lock back leaves a link;
# one when a classifier has just been kept, an empty folder.
SCRATCH = (".work/processes/", ".work/optuna.", ".logs/", "optuna.log.torn", "optuna.log.lock", "optuna_artifacts/")


@dataclass(frozen=True)
class Undisturbed:
    """What a command leaves that nothing disturbed: digests of its outputs, names of all files, and its operations."""
    outputs: dict[str, str]
    files: frozenset[str]
    operations: list[str]


def undisturbed(case: Case, made: Path) -> Undisturbed:
    with study(case, made) as folder:
        ended = Running(case, folder, Plan()).end()
        assert ended.status == 0, f"{case.name}: {ended.errors}"
        return Undisturbed({path: digest(folder / path) for path in (*case.whole, *case.others)}, names(folder),
                           ended.operations)


def kills(found: Undisturbed) -> list[Plan]:
    """Every state that files pass through: before each operation, in the middle of each write, and after the last.

    After one is before the next. A file system keeps all that it was told when a process is killed, fsync or not.
    """
    lines = list(enumerate(found.operations, 1))
    return [*(Plan(at, BEFORE) for at, line in lines if not line.startswith("fsync ")),
            *(Plan(at, TORN) for at, line in lines if line.startswith("write ")), Plan(len(lines), AFTER)]


def faults(found: Undisturbed) -> list[Plan]:
    """Every operation that fails, in three ways, but those of Optuna's lock, which says so by a traceback of its own;
    and a folder that is read-only.
    """
    lines = [at for at, line in enumerate(found.operations, 1) if "optuna.log.lock" not in line]
    return [READ_ONLY, *(Plan(at, BEFORE, error) for at in lines for error in FAULTS)]


def problems(case: Case, made: Path, plan: Plan, expected: Undisturbed) -> list[str]:
    """What does not hold when `plan` disturbs the command; nothing, as it should be."""
    with study(case, made) as folder:
        before = {path: (digest if case.name in ("promote", "new") else spoil)(folder / path) for path in case.whole}
        first = Running(case, folder, plan).end()
        found = list(after_disturbance(case, folder, plan, first, before, expected))
        again = Running(case, folder, Plan()).end()
        complete = case.again and case.again in again.errors and all(
            digest(folder / path) == content for path, content in expected.outputs.items())
        if again.status != 0 and not complete:
            found.append(f"the next start ended with {again.status}: {again.errors[-500:]}")
        found += [f"{path}: other bytes after the next start" for path, content in expected.outputs.items()
                  if digest(folder / path) != content]
        more = sorted(name for name in names(folder) - expected.files if not (
            name.startswith(SCRATCH) or name.startswith(".work/") and (folder / name).is_dir()))
        return found + [f"{name}: left behind" for name in more]


def after_disturbance(case: Case, folder: Path, plan: Plan, first: Ended, before: dict[str, str],
                      expected: Undisturbed) -> Iterator[str]:
    """What does not hold at once."""
    if plan.error:
        line = first.errors.strip().splitlines()[-1:] or [""]
        if first.status == 0:
            pass  # a lost tidying-up, or an operation that has another way; the outputs are compared anyway
        elif first.status != 1 or "Traceback" in first.errors or not _says(line[0], plan):
            yield f"status {first.status}, not one line that names a file: {first.errors[-800:]}"
    elif first.status not in (KILLED, 0):
        yield f"killed, and ended with {first.status}: {first.errors[-500:]}"
    for path in case.whole:
        now = digest(folder / path)
        allowed = {before[path]: OLD, expected.outputs[path]: NEW} | ({} if plan.error else {"": AWAY})
        if now not in allowed:
            yield f"{path}: {'away' if not now else 'neither the old nor the new one'} after the disturbance"


def _says(line: str, plan: Plan) -> bool:
    """Whether an error is one line that names what failed and a path."""
    return os.strerror(plan.error) in line and "/" in line


class study(tempfile.TemporaryDirectory):  # type: ignore[type-arg]
    """A fresh folder, as `prepared` makes it."""

    def __init__(self, case: Case, made: Path) -> None:
        super().__init__(prefix="chaos-")
        prepared(case, made, Path(os.path.realpath(self.name)))

    def __enter__(self) -> Path:  # type: ignore[override]
        return Path(os.path.realpath(self.name))


def spoil(path: Path) -> str:
    """Puts something old and whole in the place of an output; returns its digest."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix:
        path.write_bytes(b"old")
    else:
        path.mkdir()
        (path / "old").write_bytes(b"old")
    return digest(path)


def digest(path: Path) -> str:
    """SHA-256 of a file, or of all names, links and contents of a folder; '' when there is neither."""
    if not path.exists():
        return ""
    total = hashlib.sha256()
    for one in sorted(path.rglob("*")) if path.is_dir() else [path]:
        content = os.readlink(one).encode() if one.is_symlink() else b"" if one.is_dir() else one.read_bytes()
        total.update(f"{one.relative_to(path)} {len(content)} ".encode() + content)
    return total.hexdigest()


def names(folder: Path) -> frozenset[str]:
    """All files and links in a folder."""
    return frozenset(path.relative_to(folder).as_posix() for path in folder.rglob("*")
                     if path.is_symlink() or not path.is_dir() or PARTIAL in path.name)
