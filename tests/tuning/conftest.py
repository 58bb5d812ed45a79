"""What tests of studies share: an empty repository."""
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The repository is an empty folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path
