"""The operations of a process that change files, counted; one of them may fail, or kill the process.

`watch` takes the place of Python's own functions in a process that is there for nothing else. Operations of C libraries
are not seen: what they do lies between two that are.
"""
import errno
import io
import os
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

BEFORE, TORN, AFTER = "before", "torn", "after"
TAKES_SPACE = ("open", "touch", "write", "mkdir", "symlink", "fsync")  # what a full disk refuses


@dataclass(frozen=True)
class Plan:
    """At which operation, counted from 1, what happens: SIGKILL at `moment`, or OSError(`error`) in its place.

    0 is none. A write that is TORN has put half of its bytes in the file. Two errors last from the operation on: ENOSPC
    for whatever takes space, and EROFS for everything.
    """
    at: int = 0
    moment: str = BEFORE
    error: int = 0


@dataclass
class Watcher:
    """Counts the operations below `folder` and carries `plan` out; `log` has a line for each, in order."""
    folder: str
    log: int
    plan: Plan
    count: int = 0
    lock: Any = field(default_factory=threading.RLock)

    def seen(self, name: str, path: Any, descriptor: int | None, act: Callable[[], Any],
             half: Callable[[], Any] | None = None) -> Any:
        """Does `act`, which is operation `name` on `path`, unless the plan has it fail."""
        where = self._absolute(path, descriptor)
        if not where.startswith(f"{self.folder}/") or f"{self.folder}/.logs/" in where:
            return act()
        if name in ("mkdir", "touch") and os.path.lexists(where):  # nothing changes
            return act()
        with self.lock:
            self.count += 1
            os.write(self.log, f"{name} {where[len(self.folder) + 1:]}\n".encode())
            due, plan = self.count == self.plan.at, self.plan
            if due and not plan.error and plan.moment == BEFORE:
                self._end()
            lasts = plan.error == errno.EROFS or plan.error == errno.ENOSPC and name in TAKES_SPACE
            if plan.error and (due or lasts and self.count > plan.at):
                if half is not None:
                    half()
                raise OSError(plan.error, os.strerror(plan.error), where)
            if due and plan.moment == TORN and half is not None:
                half()
                self._end()
            result = act()
            if due:
                self._end()
            return result

    def _absolute(self, path: Any, descriptor: int | None) -> str:
        if isinstance(path, int):
            return os.readlink(f"/proc/self/fd/{path}")
        parent = os.readlink(f"/proc/self/fd/{descriptor}") if descriptor is not None else os.getcwd()
        return os.path.normpath(os.path.join(parent, os.fsdecode(path)))

    @staticmethod
    def _end() -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        os.kill(os.getpid(), signal.SIGKILL)


def watch(folder: Path, log: Path, plan: Plan) -> None:
    """From now on this process's operations on what is in `folder` are counted and logged, and `plan` is carried out.
    """
    watcher = Watcher(os.path.realpath(folder), os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), plan)
    for name in ("mkdir", "rmdir", "unlink", "remove"):
        setattr(os, name, _with_dir_fd(watcher, name, getattr(os, name)))
    for name in ("truncate", "ftruncate", "fsync", "fchmod", "chmod"):
        setattr(os, name, _plain(watcher, name, getattr(os, name)))
    for name in ("rename", "replace", "symlink", "link"):
        setattr(os, name, _of_two(watcher, name, getattr(os, name)))
    os.open = _opened(watcher, os.open)
    io.open = sys.modules["builtins"].open = _files(watcher, io.open)  # type: ignore[assignment, attr-defined]


def _with_dir_fd(watcher: Watcher, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
    return lambda path, *words, dir_fd=None, **options: watcher.seen(
        name, path, dir_fd, lambda: real(path, *words, dir_fd=dir_fd, **options))


def _plain(watcher: Watcher, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
    return lambda path, *words, **options: watcher.seen(name, path, None, lambda: real(path, *words, **options))


def _of_two(watcher: Watcher, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
    return lambda source, target, *words, **options: watcher.seen(
        name, target, None, lambda: real(source, target, *words, **options))


def _opened(watcher: Watcher, real: Callable[..., int]) -> Callable[..., int]:
    """os.open, which is an operation when it makes or empties a file."""
    def act(path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        if not flags & (os.O_CREAT | os.O_TRUNC):
            return real(path, flags, mode, dir_fd=dir_fd)
        name = "open" if flags & os.O_TRUNC else "touch"
        return int(watcher.seen(name, path, dir_fd, lambda: real(path, flags, mode, dir_fd=dir_fd)))

    return act


def _files(watcher: Watcher, real: Callable[..., Any]) -> Callable[..., Any]:
    """open, whose files count their writes."""
    class Watched(io.FileIO):
        """A file whose writes are operations."""

        def write(self, content: Any) -> int:
            half = memoryview(content).cast("B")[:memoryview(content).nbytes // 2]
            return int(watcher.seen("write", self.fileno(), None, lambda: super(Watched, self).write(content),
                                    lambda: super(Watched, self).write(half)))

    def act(file: Any, mode: str = "r", buffering: int = -1, encoding: str | None = None, errors: str | None = None,
            newline: str | None = None, closefd: bool = True, opener: Any = None) -> Any:
        if not set(mode) & set("wax+") or isinstance(file, int) or opener is not None:
            return real(file, mode, buffering, encoding, errors, newline, closefd, opener)
        raw_mode = mode.replace("b", "").replace("t", "")
        raw = (Watched(file, raw_mode) if mode[0] == "r" else
               watcher.seen("open" if mode[0] == "w" else "touch", file, None, lambda: Watched(file, raw_mode)))
        if buffering == 0:
            return raw
        buffered = io.BufferedRandom(raw) if "+" in mode else io.BufferedWriter(raw)
        return buffered if "b" in mode else io.TextIOWrapper(buffered, encoding, errors, newline)

    return act
