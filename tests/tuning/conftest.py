"""What tests of studies share: an empty repository, and a server of PostgreSQL."""
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks import databases


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The repository is an empty folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The URL of an empty database on a server of our own; skips where PostgreSQL is not installed."""
    try:
        with databases.postgresql() as url:
            yield url
    except databases.Missing as reason:
        pytest.skip(str(reason))
