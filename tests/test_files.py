"""Files and folders are whole or absent, whatever interrupts their writer, and whoever else writes them."""
import os
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from pipeline import files
from pipeline.errors import InputError
from tests.conftest import ROOT


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "numbers"
    files.write(path, b"old")

    def no_space(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", no_space)
    with pytest.raises(OSError, match=f"No space left on device, writing 3 bytes: '{path}'") as error:
        files.write(path, b"new")
    assert error.value.errno == 28 and path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_is_replaced_only_by_a_finished_one(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    with files.replacing(folder) as temporary:
        (temporary / "a").write_text("first")
    with pytest.raises(RuntimeError), files.replacing(folder) as temporary:
        (temporary / "b").write_text("second")
        raise RuntimeError
    assert [file.name for file in folder.iterdir()] == ["a"]
    with files.replacing(folder) as temporary:
        (temporary / "c").write_text("third")
    assert [file.name for file in folder.iterdir()] == ["c"]
    assert list(tmp_path.iterdir()) == [folder]


def test_what_has_another_name_is_never_touched(tmp_path: Path) -> None:
    for name in (".model.old", ".model.partial", ".model.dcgan-partial.mine"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "thesis.tex").write_text("mine")
    for name in (".notes.partial", ".notes.old"):
        (tmp_path / name).write_text("mine")
    for _ in range(2):
        with files.replacing(tmp_path / "model") as temporary:
            (temporary / "a").touch()
        files.write(tmp_path / "notes", b"ours")
    assert len(list(tmp_path.rglob("thesis.tex"))) == 3
    assert (tmp_path / ".notes.partial").read_text() == (tmp_path / ".notes.old").read_text() == "mine"


def test_what_a_killed_writer_left_is_taken_over(tmp_path: Path) -> None:
    code = ("import os, signal, sys; from pathlib import Path; from pipeline import files\n"
            "os.replace = Path.replace = lambda *paths: os.kill(os.getpid(), signal.SIGKILL)\n"
            "path = Path(sys.argv[1])\n"
            "if path.suffix: files.write(path, b'torn')\n"
            "else:\n    with files.replacing(path) as temporary: (temporary / 'torn').touch()\n")
    for path in (tmp_path / "a.txt", tmp_path / "model"):
        killed = subprocess.run([sys.executable, "-c", code, str(path)], cwd=ROOT)
        assert killed.returncode == -signal.SIGKILL and len(list(tmp_path.iterdir())) == 1
        if path.suffix:
            files.write(path, b"whole")
        else:
            with files.replacing(path) as temporary:
                (temporary / "whole").touch()
            assert [file.name for file in path.iterdir()] == ["whole"]
        assert [one.name for one in tmp_path.iterdir()] == [path.name]
        (path.unlink if path.suffix else lambda: None)()


@pytest.mark.parametrize("interruption", [OSError(13, "Permission denied"), KeyboardInterrupt()])
def test_the_old_folder_returns_when_the_new_one_cannot_come(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                                             interruption: BaseException) -> None:
    folder = tmp_path / "model"
    with files.replacing(folder) as temporary:
        (temporary / "old").touch()
    rename = Path.replace

    def once(self: Path, target: Path) -> Path:
        if self.name == "new":
            raise interruption
        return rename(self, target)

    monkeypatch.setattr(Path, "replace", once)
    with pytest.raises(type(interruption)), files.replacing(folder) as temporary:
        (temporary / "new").touch()
    assert [one.name for one in tmp_path.rglob("*")] == ["model", "old"]


def test_a_kill_between_the_renames_loses_nothing(tmp_path: Path) -> None:
    (tmp_path / ".model.dcgan-partial/old").mkdir(parents=True)
    (tmp_path / ".model.dcgan-partial/old/kept").touch()  # what such a kill leaves
    with pytest.raises(RuntimeError), files.replacing(tmp_path / "model"):
        raise RuntimeError
    assert [one.name for one in tmp_path.rglob("*")] == ["model", "kept"]


def test_two_writers_of_one_path_do_not_tear_it(tmp_path: Path) -> None:
    sizes = [100_000 + i for i in range(4)]

    def work(size: int) -> None:
        for _ in range(15):
            files.write(tmp_path / "file", bytes([size % 256]) * size)
            with files.replacing(tmp_path / "folder") as temporary:
                for name in range(3):
                    (temporary / str(name)).write_text(str(size))

    threads = [threading.Thread(target=work, args=[size]) for size in sizes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    content = (tmp_path / "file").read_bytes()
    assert len(content) in sizes and content == bytes([len(content) % 256]) * len(content)
    assert len({path.read_text() for path in (tmp_path / "folder").iterdir()}) == 1
    assert len(list((tmp_path / "folder").iterdir())) == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]


def test_links_are_followed_and_permissions_kept(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    for name in ("file", "folder"):
        (tmp_path / name).symlink_to(shared / name)
    files.write(tmp_path / "file", b"old")
    (shared / "file").chmod(0o640)
    files.write(tmp_path / "file", b"new")
    for mode in (0o755, 0o750, 0o750):
        with files.replacing(tmp_path / "folder"):
            pass
        assert stat.S_IMODE((shared / "folder").stat().st_mode) in (0o755, mode)
        (shared / "folder").chmod(0o750)
    assert (tmp_path / "file").is_symlink() and (tmp_path / "folder").is_symlink()
    assert (shared / "file").read_bytes() == b"new" and stat.S_IMODE((shared / "file").stat().st_mode) == 0o640
    mask = os.umask(0o027)
    try:
        files.write(tmp_path / "private", b"")
    finally:
        os.umask(mask)
    assert stat.S_IMODE((tmp_path / "private").stat().st_mode) == 0o640


def test_a_folder_comes_only_after_all_that_is_in_it_is_on_disk(tmp_path: Path,
                                                                monkeypatch: pytest.MonkeyPatch) -> None:
    synced, fsync = [], os.fsync

    def note(descriptor: int) -> None:
        synced.append(os.readlink(f"/proc/self/fd/{descriptor}").rsplit("/", 1)[-1])
        fsync(descriptor)

    if not Path("/proc/self/fd").exists():
        pytest.skip("names of open files are asked of /proc")
    monkeypatch.setattr(os, "fsync", note)
    with files.replacing(tmp_path / "model") as temporary:
        (temporary / "a").mkdir()
        (temporary / "a" / "b").write_text("1")
        (temporary / "link").symlink_to("nowhere")
    assert synced == ["b", "a", "new", tmp_path.name]


def test_pipes_and_folders_are_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name in ("pipe", "."):
        with pytest.raises(InputError, match="expected a file, found a"):
            files.read(tmp_path / name)
    with pytest.raises(FileNotFoundError):
        files.read(tmp_path / "absent")


def test_sha256_of_a_known_content(tmp_path: Path) -> None:
    (tmp_path / "abc").write_bytes(b"abc")  # FIPS 180-2, appendix B.1
    assert files.sha256(tmp_path / "abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
