"""The journal: a torn line, a full disk, a lost beginning, and lines that are none of Optuna's."""
import os
from pathlib import Path
from typing import Any

import pytest
from optuna.pruners import NopPruner
from optuna.study import Study

from pipeline.errors import InputError
from pipeline.tuning import journals, storages, studies
from tests.tuning.test_studies import finish, new, take


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """A journal of a study with two finished trials."""
    storage = storages.open_storage(None, tmp_path)
    study = new(storage)
    for _ in range(2):
        finish(study, take(storage, study))
    return tmp_path / "optuna.log"


def again(journal: Path) -> Study:
    return new(storages.open_storage(None, journal.parent))


@pytest.mark.parametrize("cut", range(1, 300, 7))
def test_a_torn_last_line_is_cut_off_kept_and_said(journal: Path, cut: int, capsys: pytest.CaptureFixture[str]) -> None:
    """Wherever it is torn; what is appended to it later can be read."""
    content = journal.read_bytes()
    whole = content[:-cut].rpartition(b"\n")[0] + b"\n"
    torn = content[:-cut][len(whole):]
    journal.write_bytes(content[:-cut])
    study = again(journal)
    kept = journal.with_name("optuna.log.torn")
    assert journal.read_bytes() == whole and (kept.read_bytes() if torn else b"\n") == torn + b"\n"
    errors = capsys.readouterr().err
    assert errors.count("\n") == bool(torn) and (str(kept) in errors) == bool(torn)
    storage = storages.open_storage(None, journal.parent)
    finish(study, take(storage, study))
    assert len(studies.finished(again(journal))) == len(studies.finished(study)) >= 2 - (cut > 60)


def test_a_worker_that_lives_does_not_append_to_a_torn_line(journal: Path) -> None:
    """Another one was killed while it wrote."""
    storage = storages.open_storage(None, journal.parent)
    study = new(storage)
    with open(journal, "ab") as file:
        file.write(b'{"op_code":8,"trial_')
    finish(study, take(storage, study))
    assert len(studies.finished(again(journal))) == 3


def test_a_full_disk_leaves_whole_lines(journal: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    storage = storages.open_storage(None, journal.parent)
    study, content = new(storage), journal.read_bytes()

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch, pytest.raises(OSError, match="No space left"):
        patch.setattr(os, "fsync", full)
        take(storage, study)
    assert journal.read_bytes() == content
    assert len(studies.finished(again(journal))) == 2


@pytest.mark.parametrize(("change", "expected"), [
    (lambda lines: [], "empty, which it was not before: restore it, or delete it"),
    (lambda lines: lines[1:], "its beginning is missing: restore it, or move it away"),
    (lambda lines: [lines[0][20:], *lines[1:]], r"not a journal of Optuna \(line 1\)"),
    (lambda lines: [*lines[:4], b"hello\n", *lines[4:]], r"not a journal of Optuna behind line \d"),
    (lambda lines: [*lines[:4], b"\xff\xfe\n", *lines[4:]], "not a journal of Optuna"),
    (lambda lines: [*lines, b"[]\n"], "not a journal of Optuna"), (lambda lines: [*lines, b"null\n"], "not a journal"),
    (lambda lines: [*lines, b'{"op_code":99}\n'], "not a journal of Optuna"),
    (lambda lines: [*lines, b'{"op_code":5,"worker_id":"x"}\n'], "not a journal of Optuna"),
    (lambda lines: [*lines, b"[" * 100_000 + b"\n"], "not a journal of Optuna"),
    (lambda lines: [b"hello\n", b"world\n"], "not a journal of Optuna"),
    (lambda lines: [b"{}\n"], "not a journal of Optuna"), (lambda lines: [b"\n"], "not a journal of Optuna")])
def test_a_journal_that_cannot_be_used_is_one_line_and_stays(journal: Path, change: Any, expected: str) -> None:
    content = b"".join(change(journal.read_bytes().splitlines(keepends=True)))
    journal.write_bytes(content)
    with pytest.raises(InputError, match=expected) as error:
        again(journal)
    assert str(journal) in str(error.value) and "\n" not in str(error.value) and journal.read_bytes() == content


def test_a_study_that_the_journal_has_lost_is_not_begun_anew_unasked(journal: Path) -> None:
    (journal.parent / ".work/search/s").mkdir(parents=True)
    assert len(studies.finished(again(journal))) == 2
    journal.unlink()
    storage = storages.open_storage(None, journal.parent)
    new(storage, "another")
    with pytest.raises(InputError, match="has lost the study s, .*: restore the file, or delete .*search/s to begin"):
        new(storage)
    (journal.parent / ".work/search/s").rmdir()
    assert studies.finished(new(storage)) == []


def test_workers_may_begin_together_and_a_journal_may_be_deleted(tmp_path: Path) -> None:
    one, other = (storages.open_storage(None, tmp_path) for _ in range(2))  # the second one finds an empty file
    assert new(one).study_name == new(other).study_name
    (tmp_path / "optuna.log").unlink()
    third = studies.open_study(storages.open_storage(None, tmp_path), "s", {}, ["minimize"], NopPruner())
    assert third.get_trials() == []


def test_a_tail_longer_than_what_is_read_at_a_time_is_found(tmp_path: Path) -> None:
    path = tmp_path / "long"
    path.write_bytes(b"line\n" + b"x" * 3 * journals.CHUNK)
    journals.mend(path)
    assert path.read_bytes() == b"line\n"


def test_an_error_while_optuna_gives_its_lock_back_is_the_machines(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "optuna.log").touch()
    backend = journals.Journal(tmp_path / "optuna.log", tmp_path / "optuna.new")

    def failing() -> None:
        raise RuntimeError("Error: did not possess lock")

    monkeypatch.setattr(backend.lock, "release", failing)
    with pytest.raises(OSError, match="did not possess lock; nothing is lost.*optuna.log.lock"):
        backend.append_logs([{"op_code": 0}])
