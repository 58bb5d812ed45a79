"""Who lives: what a lock proves, and what names, numbers and clocks do not."""
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pipeline import processes
from tests.conftest import ROOT

LIVE = "from pipeline import processes; print(processes.me(), flush=True); input()"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The repository is an empty folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@contextmanager
def process(*before: str) -> Iterator[tuple[str, "subprocess.Popen[str]"]]:
    """A process that lives, and its name; `before` are words that come before the command."""
    started = subprocess.Popen([*before, sys.executable, "-c", LIVE], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               text=True, env=os.environ | {"PYTHONPATH": str(ROOT)})
    assert started.stdout is not None
    try:
        yield started.stdout.readline().strip(), started
    finally:
        started.kill()
        started.communicate()


def containers(host: str) -> list[str]:
    """Words that start a command in namespaces of its own, as containers have them; skips where that is forbidden."""
    words = ["unshare", "--pid", "--uts", "--fork", "--kill-child", "--mount-proc", "sh", "-c",
             f'hostname {host} && exec "$@"', "sh"]
    if shutil.which("unshare") is None or subprocess.run([*words, "true"], capture_output=True).returncode:
        pytest.skip("this machine lets nobody make namespaces (unshare)")
    return words


def test_a_process_lives_until_it_ends_however_that_is() -> None:
    assert not processes.gone(processes.me()) and processes.me() == processes.me()
    for number in (signal.SIGKILL, signal.SIGTERM, None):
        with process() as (name, started):
            assert name.split(":")[1] == str(started.pid) and not processes.gone(name) and not processes.left(name)
            if number is not None:
                started.send_signal(number)
            started.communicate("")
            assert processes.gone(name) and processes.left(name)


@pytest.mark.parametrize("name", [
    "", "no such name", "host:1:0.00", f"host:1:{'0' * 32}", "host:1:../../x", "a\0b", "/"])
def test_a_name_that_nobody_here_has_is_gone_and_never_left(name: str) -> None:
    processes.me()
    assert processes.gone(name) and not processes.left(name)


def test_a_forked_process_has_a_name_of_its_own() -> None:
    name, (read, write) = processes.me(), os.pipe()
    if (child := os.fork()) == 0:
        os.write(write, processes.me().encode())
        os._exit(0)
    os.waitpid(child, 0)
    theirs = os.read(read, 1000).decode()
    assert theirs != name and processes.gone(theirs) and not processes.gone(name)


def test_containers_that_share_a_name_and_numbers_do_not_share_a_life() -> None:
    words = containers("worker")
    with process(*words) as (one, killed), process(*words) as (other, _), process(*containers("else")) as (third, _):
        assert one.split(":")[0] == other.split(":")[0] == "worker" and one != other
        assert one.split(":")[1] == other.split(":")[1]  # the same number in their namespaces
        assert not any(processes.gone(name) for name in (one, other, third))
        killed.kill()
        killed.communicate()
        deadline = time.monotonic() + 5
        while not processes.gone(one) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert processes.gone(one) and not processes.gone(other) and not processes.gone(third)


@pytest.mark.parametrize("days", [-40, 40])
def test_a_clock_that_is_set_buries_nobody(days: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Files of the dead go some day; those of the living stay."""
    with process() as (dead, ended):
        ended.communicate("")
    now = time.time()
    with process() as (alive, _):
        monkeypatch.setattr(time, "time", lambda: now + days * 86400)
        monkeypatch.setattr("socket.gethostname", lambda: "renamed")
        assert processes.me().startswith("renamed:") and not processes.gone(alive) and processes.gone(dead)
        assert len([*(tmp_path / ".work/processes").iterdir()]) == (2 if days > 0 else 3)
