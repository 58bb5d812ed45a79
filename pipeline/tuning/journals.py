"""Optuna's journal file, which a full disk or a killed worker does not spoil.

A line is appended whole or not at all. What stands behind the last newline, because a worker died while it wrote, is
cut off before it is used or appended to: Optuna would glue the next line to it, and read none of them any more.
"""
import errno
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileSymlinkLock

from pipeline import processes
from pipeline.errors import InputError

CHUNK = 1 << 16  # bytes read at a time, from the end
CREATE_STUDY = 0  # Optuna's code of the operation that every journal begins with
MEND = "restore it, or move it away to begin new studies"


def open_journal(path: Path, new: Path) -> JournalStorage:
    """The journal at `path`, which is made if there is none; `new` is there from then on until its first line.

    InputError when it is no journal, or has lost its beginning. Call it under a lock.
    """
    if not path.exists():
        new.touch()
    try:
        journal = Journal(path, new)
        journal.check()
        return JournalStorage(journal)
    except (OSError, InputError):
        raise
    except Exception as error:  # whatever foreign lines do to Optuna
        reason = (str(error).splitlines() or [""])[0]
        raise InputError(f"{path}: not a journal of Optuna ({type(error).__name__}: {reason}): {MEND}") from None


class Journal(JournalFileBackend):
    """Optuna's, with whole lines only."""

    def __init__(self, path: Path, new: Path):
        self.path, self.new = path, new
        self.lock = JournalFileSymlinkLock(str(path))  # Optuna's own, which the dashboard takes too
        super().__init__(str(path), self.lock)
        with self._alone():
            mend(path)

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        lines = "".join(json.dumps(log, separators=(",", ":")) + "\n" for log in logs).encode()
        with self._alone():
            mend(self.path)
            size = self.path.stat().st_size
            with open(self.path, "ab", buffering=0) as file:
                try:
                    if file.write(lines) != len(lines):
                        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path))
                    os.fsync(file.fileno())
                except BaseException:
                    os.truncate(self.path, size)
                    raise
            if not size:
                self.new.unlink(missing_ok=True)

    def read_logs(self, log_number_from: int) -> Iterator[dict[str, Any]]:  # type: ignore[override]
        try:
            yield from super().read_logs(log_number_from)
        except ValueError as error:
            raise InputError(f"{self.path}: not a journal of Optuna behind line {log_number_from} "
                             f"({str(error).splitlines()[0]}): {MEND}") from None

    def check(self) -> None:
        """InputError when the file does not begin as journals do."""
        with open(self.path, "rb") as file:
            line = file.readline()
        if not line and not self.new.exists():
            raise InputError(f"{self.path}: empty, which it was not before: restore it, or delete it to begin new "
                             "studies")
        try:
            begins = not line or json.loads(line)["op_code"] == CREATE_STUDY
        except (ValueError, TypeError, KeyError, RecursionError):
            raise InputError(f"{self.path}: not a journal of Optuna (line 1): {MEND}") from None
        if not begins:
            raise InputError(f"{self.path}: its beginning is missing: {MEND}")

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with processes.alone(self.new.with_name("optuna.append")):  # Optuna's lock sleeps up to a second between tries
            self.lock.acquire()
            try:
                yield
            finally:
                try:
                    self.lock.release()
                except RuntimeError as error:  # what Optuna makes of an OSError
                    raise OSError(errno.EIO, f"{error}; nothing is lost", f"{self.path}.lock") from None


def mend(path: Path) -> None:
    """The file ends with a newline, or is empty; what stood behind the last one is in a file beside it, and said."""
    with open(path, "rb+") as file:
        size = end = file.seek(0, os.SEEK_END)
        torn = b""
        while end:
            begin = max(0, end - CHUNK)
            file.seek(begin)
            head, newline, tail = file.read(end - begin).rpartition(b"\n")
            torn = tail + torn
            if newline:
                break
            end = begin
        if not torn:
            return
        kept = path.with_name(f"{path.name}.torn")
        with open(kept, "ab") as copy:
            copy.write(torn + b"\n")
        os.truncate(path, size - len(torn))
    print(f"{path}: the last line was torn, by a worker that died or a full disk; its {len(torn)} bytes are in {kept}",
          file=sys.stderr)
