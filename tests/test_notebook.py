"""docs/latent.ipynb runs from its first cell to its last."""
import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.commands import demo
from tests.conftest import ROOT


def test_the_notebook_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    demo.train(Path("demo/model"), epochs=1)
    cells = json.loads((ROOT / "docs/latent.ipynb").read_text())["cells"]
    assert not any(cell.get("outputs") for cell in cells)
    variables: dict[str, Any] = {}
    for cell in cells:
        if cell["cell_type"] == "code":
            exec("".join(cell["source"]), variables)
    assert variables["MODEL"] == "demo/model" and variables["samples"].shape == (40, 1, 28, 28)
    assert len(variables["frames"]) == 10 and sorted(variables["order"]) == list(range(40))
    assert "uniform prior" in capsys.readouterr().out
