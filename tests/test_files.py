"""Files and folders are whole or absent."""
from pathlib import Path

import pytest

from pipeline import files


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "numbers"
    files.write(path, b"old")

    def no_space(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", no_space)
    with pytest.raises(OSError, match="No space left"):
        files.write(path, b"new")
    assert path.read_bytes() == b"old"
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


def test_sha256_of_a_known_content(tmp_path: Path) -> None:
    (tmp_path / "abc").write_bytes(b"abc")  # FIPS 180-2, appendix B.1
    assert files.sha256(tmp_path / "abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
