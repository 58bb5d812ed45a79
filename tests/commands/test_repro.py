"""dcgan repro: one training after the other, a page after each that took its time, and a polite end."""
import itertools
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipeline.commands import repro
from tests.conftest import ROOT, Params, command


@pytest.fixture
def began(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is started, in order; each takes a minute."""
    words: list[str] = []
    clock = itertools.count(0, 60)

    def dvc(*given: str, quiet: bool = False) -> str:
        words.append(" ".join(given))
        return "Running stage 'code':" if quiet else ""

    monkeypatch.setattr(repro, "dvc", dvc)
    monkeypatch.setattr(repro, "started", lambda *given: words.append(" ".join(given)) or 0)
    monkeypatch.setattr(repro.time, "monotonic", lambda: float(next(clock)))
    return words


def test_each_training_is_scored_and_shown_before_the_next(
        params: Params, began: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    params({"runs": {"a": {}, "b": {}}, "seeds": [0, 1], "internals.runs": ["a"], "search.first": []})
    command("repro")
    page = "-m pipeline.report"
    assert began == ["repro --dry report", "repro evaluate@a-0", page, "repro evaluate@b-0", page, "repro evaluate@a-1",
                     page, "repro evaluate@b-1", "repro report"]
    printed = capsys.readouterr().out
    assert "=== training 1 of 4: a-0 ===" in printed
    assert "=== training 4 of 4: b-1, about 2 minutes left for all ===" in printed


def test_what_took_no_time_was_there(params: Params, began: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repro, "QUICK", 1000.0)
    command("repro")
    assert began[-2:] == ["repro evaluate@test4-0", "repro report"] and "-m pipeline.report" not in began


def test_minutes_and_hours_are_left() -> None:
    assert repro.left([], 5) == "" and repro.left([30.0], 2) == ", about 1 minute left for all"
    assert repro.left([1800.0, 5400.0], 4) == ", about 4.0 hours left for all"


def test_a_failure_of_dvc_ends_it_with_dvcs_status(params: Params, tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as end:
        repro.dvc("repro", "report")  # there is no dvc.yaml
    assert end.value.code


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_it_waits_for_what_it_has_started(tmp_path: Path, number: int, status: int) -> None:
    """SIGTERM comes to it alone, as from a batch system's step; Ctrl-C to both."""
    child = tmp_path / "child.py"
    child.write_text("import time\ntry:\n    print('ready', flush=True)\n    time.sleep(60)\n"
                     "except BaseException:\n    time.sleep(0.5)\n    print('ended', flush=True)\n")
    if number == signal.SIGTERM:
        heeds = "import signal\nsignal.signal(signal.SIGTERM, signal.default_int_handler)\n"
        child.write_text(heeds + child.read_text())
    script = (f"import sys\nfrom pipeline import stopping\nfrom pipeline.commands import repro\ntry:\n"
              f"    repro.started({str(child)!r})\nexcept stopping.Stopped as stop:\n    sys.exit(stop.status)\n")
    process = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, text=True,
                               start_new_session=True)
    assert process.stdout is not None and process.stdout.readline() == "ready\n"
    begin = time.monotonic()
    if number == signal.SIGINT:
        os.killpg(process.pid, number)
    else:
        process.send_signal(number)
    assert process.communicate()[0] == "ended\n" and process.returncode == status
    assert time.monotonic() - begin < 8
