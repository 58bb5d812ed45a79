"""The seed of what is left to chance, and the small study that disturbed commands begin with."""
import os
import random
import sys
from collections.abc import Iterator
from multiprocessing import forkserver
from pathlib import Path

import psutil
import pytest

from tests.chaos import cases

if sys.platform != "linux":
    collect_ignore_glob = ["test_*.py"]  # names of open files are asked of /proc


@pytest.fixture
def chance() -> random.Random:
    """Random numbers, other ones every time; DCGAN_CHAOS_SEED repeats a test that failed."""
    seed = int(os.environ.get("DCGAN_CHAOS_SEED") or random.randrange(10**6))
    print(f"DCGAN_CHAOS_SEED={seed}")  # pytest shows it where a test fails
    return random.Random(seed)


@pytest.fixture(autouse=True, scope="module")
def cost() -> Iterator[None]:
    """Says how many seconds of CPU the commands of a module have taken, which pytest does not see."""
    yield
    pid = forkserver._forkserver._forkserver_pid  # type: ignore[attr-defined]
    if pid:
        times = psutil.Process(pid).cpu_times()
        print(f"CPU of all commands so far: {times.children_user + times.children_system:.0f} s")


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The study of `cases.base`."""
    return cases.base(tmp_path_factory.mktemp("chaos") / "made")
