"""Sources of files: order, digests, refusal, speed of failure. Servers are local; contents are small stand-ins."""
import gzip
import hashlib
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from pipeline.data import sources
from pipeline.errors import InputError
from tests.data.conftest import Server

FILES = {"one": b"the first file" * 100, "two": b"the second file" * 7}
PINS = {"one": hashlib.sha256(FILES["one"]).hexdigest(), "two": hashlib.md5(FILES["two"]).hexdigest()}


def put(folder: Path, contents: dict[str, bytes]) -> Path:
    folder.mkdir(exist_ok=True)
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return folder


def fetch(folder: Path, **given: sources.Source) -> None:
    sources.fetch("Two", PINS, folder, given.items(), "both files")


@contextmanager
def answering(head: bytes, parts: Sequence[bytes], pause: float) -> Iterator[str]:
    """A server that reads one request and sends `head` and then `parts`, a pause before each."""
    stop = threading.Event()

    def serve(listening: socket.socket) -> None:
        connection, _ = listening.accept()
        with connection:
            connection.recv(1 << 16)
            connection.sendall(head)
            for part in parts:
                if stop.wait(pause):
                    return
                connection.sendall(part)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve, args=(listening,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/"
        stop.set()
        thread.join()


def test_files_are_fetched_once_and_damaged_ones_again(tmp_path: Path, server: Server) -> None:
    put(server.folder, FILES)
    fetch(tmp_path / "raw", server=sources.mirror(server.url))
    assert {path.name: path.read_bytes() for path in (tmp_path / "raw").iterdir()} == FILES
    fetch(tmp_path / "raw", server=sources.mirror(server.url))
    assert server.asked == ["/one", "/two"]
    (tmp_path / "raw" / "two").write_bytes(b"damaged")
    fetch(tmp_path / "raw", server=sources.mirror(server.url))
    assert server.asked == ["/one", "/two", "/two"] and (tmp_path / "raw" / "two").read_bytes() == FILES["two"]


def test_a_file_with_a_wrong_digest_is_named_not_kept_and_the_next_source_is_asked_for_the_rest(
        tmp_path: Path, server: Server) -> None:
    put(server.folder, FILES | {"two": b"forged"})
    with pytest.raises(InputError) as error:
        fetch(tmp_path / "raw", server=sources.mirror(server.url))
    forged = hashlib.md5(b"forged").hexdigest()
    assert f"server: two: 6 bytes with MD5 {forged[:12]}…, expected {PINS['two'][:12]}…" in str(error.value)
    assert [path.name for path in (tmp_path / "raw").iterdir()] == ["one"]
    put(tmp_path / "local", {"two": FILES["two"]})
    fetch(tmp_path / "raw", server=sources.mirror(server.url), local=sources.local(tmp_path / "local"))
    assert {path.name: path.read_bytes() for path in (tmp_path / "raw").iterdir()} == FILES


def test_every_source_and_its_failure_are_named_in_one_line_with_the_ways_out(tmp_path: Path, server: Server) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        closed = f"http://127.0.0.1:{taken.getsockname()[1]}/"
    with pytest.raises(InputError) as error:
        fetch(tmp_path / "raw", web=sources.mirror(server.url), closed=sources.mirror(closed),
              local=sources.local(tmp_path / "nowhere"))
    message = str(error.value)
    assert message.startswith("Two: no source answered. web: HTTP Error 404")
    assert "closed: " in message and "refused" in message and f"{tmp_path}/nowhere/one" in message
    assert "data.directory in params.yaml to a folder with both files" in message and "digits" in message
    assert "\n" not in message and list((tmp_path / "raw").iterdir()) == []


def test_a_silent_server_costs_the_silent_seconds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "SILENT_SECONDS", 0.3)
    begin = time.monotonic()
    with answering(b"HTTP/1.0 200 OK\r\nContent-Length: 20\r\n\r\n0123456789", [b"0123456789"], 60) as url:
        with pytest.raises(TimeoutError):
            sources.download(url, tmp_path / "file")
    assert time.monotonic() - begin < 5


def test_a_server_that_only_drips_is_left_after_a_time_that_grows_with_the_length(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "DOWNLOAD_SECONDS", 0.2)
    monkeypatch.setattr(sources, "SLOWEST", 1000)
    head, parts = b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n", [b"."] * 40
    with answering(head % 40, parts, 0.05) as url, pytest.raises(TimeoutError, match="of 40 bytes after"):
        sources.download(url, tmp_path / "file")
    with answering(head % 40, parts, 0.01) as url:  # the same parts in 0.4 s, for which 10 bytes a second leave 4.2 s
        monkeypatch.setattr(sources, "SLOWEST", 10)
        sources.download(url, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == b"." * 40


def test_a_body_that_ends_early_is_refused(tmp_path: Path) -> None:
    with answering(b"HTTP/1.0 200 OK\r\nContent-Length: 2,0\r\n\r\n".replace(b",", b""), [b"0123456789"], 0) as url:
        with pytest.raises(EOFError, match="ended after 10 of 20 bytes"):
            sources.download(url, tmp_path / "file")


@pytest.mark.parametrize("damage", ["cut", "not gzip"])
def test_a_damaged_archive_is_a_failure_of_its_source(tmp_path: Path, server: Server, damage: str) -> None:
    compressed = gzip.compress(FILES["one"])
    put(server.folder, {"one.gz": compressed[:-9] if damage == "cut" else b"<html>", "two.gz": b""})
    with pytest.raises(InputError, match="end-of-stream|Not a gzipped file"):
        fetch(tmp_path / "raw", server=sources.mirror(server.url, ".gz"))


def test_a_folder_may_hold_files_gzipped_or_not(tmp_path: Path) -> None:
    put(tmp_path / "local", {"one.gz": gzip.compress(FILES["one"]), "two": FILES["two"]})
    fetch(tmp_path / "raw", local=sources.local(tmp_path / "local"))
    assert {path.name: path.read_bytes() for path in (tmp_path / "raw").iterdir()} == FILES
    assert {path.name for path in (tmp_path / "local").iterdir()} == {"one.gz", "two"}


def test_a_big_download_shows_its_progress_on_stderr(
        tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    put(server.folder, FILES)
    monkeypatch.setattr(sources, "BIG", 1000)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    for name in FILES:
        sources.download(server.url + name, tmp_path / name)
    printed = capsys.readouterr()
    assert "one: 100%" in printed.err and "two" not in printed.err and printed.out == ""
