"""Too little memory, and a clock that is set while a command runs."""
import resource
import time
from pathlib import Path

import psutil
import pytest

from tests.chaos import points
from tests.chaos.cases import CASES, Running
from tests.chaos.operations import Plan

DAY = 86400.0
ROOM = 16 << 20  # bytes of addresses that a process may take beyond those that it has


def step() -> None:
    """The clock shows tomorrow from the third time on that somebody asks, and yesterday from the twentieth."""
    real, asked = time.time, [0]

    def shown() -> float:
        asked[0] += 1
        return real() + (0 if asked[0] < 3 else DAY if asked[0] < 20 else -DAY)

    time.time = shown


def starve() -> None:
    """No more memory than there is, or hardly."""
    most = psutil.Process().memory_info().vms + ROOM
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


@pytest.mark.slow
@pytest.mark.xdist_group("chaos")
@pytest.mark.parametrize("name", ["train", "search"])
def test_a_clock_that_is_set_changes_no_byte(name: str, made: Path) -> None:
    case = CASES[name]
    expected = points.undisturbed(case, made)
    with points.study(case, made) as folder:
        ended = Running(case, folder, Plan(), step).end()
        assert ended.status == 0, ended.errors
        assert {path: points.digest(folder / path) for path in expected.outputs} == expected.outputs


@pytest.mark.slow
@pytest.mark.xdist_group("chaos")
@pytest.mark.parametrize("name", ["train", "search"])
def test_too_little_memory_loses_nothing(name: str, made: Path) -> None:
    case = CASES[name]
    expected = points.undisturbed(case, made)
    with points.study(case, made) as folder:
        old = {path: points.spoil(folder / path) for path in case.whole}
        ended = Running(case, folder, Plan(), starve).end()
        assert ended.status == 1, ended
        assert {path: points.digest(folder / path) for path in case.whole} == old
        again = Running(case, folder, Plan()).end()
        assert again.status == 0, again.errors
        assert {path: points.digest(folder / path) for path in expected.outputs} == expected.outputs
        print(ended.errors)
