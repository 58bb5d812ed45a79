"""A server on this machine, what `dvc repro fetch` has brought, and archives of real pictures."""
import http.server
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pipeline.data import images
from tests.conftest import ROOT

ARCHIVES = Path(os.environ.get("DCGAN_TEST_ARCHIVES", ROOT.parent / "shared" / "data"))


def archive(name: str) -> Path:
    """A file of real pictures; skips the test where it is absent."""
    if not (ARCHIVES / name).exists():
        pytest.skip(f"{ARCHIVES / name} is absent: set DCGAN_TEST_ARCHIVES to a folder that has it")
    return ARCHIVES / name


class Server:
    """Serves the files of `folder` at `url` and remembers, in `asked`, the paths that were asked for."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder, self.url = folder, url
        self.asked: list[str] = []


@contextmanager
def serving(folder: Path) -> Iterator[Server]:
    """Serves a new folder."""
    folder.mkdir()

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *words: object) -> None:
            super().__init__(*words, directory=str(folder))  # type: ignore[arg-type]

        def do_GET(self) -> None:
            served.asked.append(self.path)
            super().do_GET()

        def log_message(self, *words: object) -> None: ...

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as httpd:
        served = Server(folder, f"http://127.0.0.1:{httpd.server_port}/")
        threading.Thread(target=httpd.serve_forever, args=(0.02,), daemon=True).start()
        yield served
        httpd.shutdown()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """Serves tmp_path / "mirror"."""
    with serving(tmp_path / "mirror") as served:
        yield served


def fetched(name: str) -> images.Dataset:
    """data/arrays/<name> of this project or of one of its studies; skips the test where it is absent."""
    for folder in (ROOT / "data/arrays" / name, *(ROOT / "studies").glob(f"*/data/arrays/{name}")):
        if folder.exists():
            return images.load(folder)
    pytest.skip(f"data/arrays/{name} is absent: `dvc repro fetch` in a study of it brings it")
