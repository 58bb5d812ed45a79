"""Commands that are killed at an operation on files, or get an error from it: `docs/promises.md` has all points.

Here are a few of each command, drawn anew every time.
"""
import errno
import os
import random
from pathlib import Path

import pytest

from tests.chaos import cases, operations, points, syncing
from tests.chaos.cases import CASES, Case
from tests.chaos.operations import AFTER, BEFORE, TORN, Plan
from tests.conftest import FORKS

TOGETHER = pytest.mark.xdist_group("chaos")  # the study is made once
MOST = 3  # points of a command, of which a tenth may be more


@TOGETHER
@pytest.mark.slow
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_command_that_is_disturbed_ends_in_the_same_bytes(case: Case, made: Path, chance: random.Random) -> None:
    expected = points.undisturbed(case, made)
    possible = points.kills(expected)
    drawn = chance.sample(possible, min(MOST, max(1, len(possible) // 10)))
    for plan in [*drawn, chance.choice(points.faults(expected)), points.READ_ONLY]:
        assert not points.problems(case, made, plan, expected), (plan, expected.operations[plan.at - 1])


@TOGETHER
@pytest.mark.slow
def test_a_sync_that_is_disturbed_tells_everything_and_keeps_nothing(tmp_path: Path, chance: random.Random) -> None:
    kept = syncing.base(tmp_path / "made")
    expected, told = syncing.undisturbed(kept)
    assert {run: len(entries) for run, entries in told.items()} == {"ended": 6, "killed": 6, "torn": 6}
    for plan in [*chance.sample(points.kills(expected), MOST), chance.choice(points.faults(expected)),
                 points.READ_ONLY]:
        assert not syncing.problems(kept, plan, told), (plan, expected.operations[plan.at - 1])


def write(folder: Path, log: Path, plan: Plan) -> None:
    """What no command does: a file is written in place."""
    operations.watch(folder, log, plan)
    for name in ("a", "b"):
        with open(folder / name, "wb") as file:
            file.write(b"x" * 100)
    os.rename(folder / "b", folder / "c")


@pytest.mark.slow
@pytest.mark.parametrize(("plan", "status", "sizes"), [
    (Plan(), 0, {"a": 100, "c": 100}), (Plan(1, BEFORE), -9, {}), (Plan(1, AFTER), -9, {"a": 0}),
    (Plan(2, BEFORE), -9, {"a": 0}), (Plan(2, TORN), -9, {"a": 50}), (Plan(2, AFTER), -9, {"a": 100}),
    (Plan(5, BEFORE), -9, {"a": 100, "b": 100}), (Plan(5, AFTER), -9, {"a": 100, "c": 100}),
    (Plan(3, BEFORE, errno.EACCES), 1, {"a": 100}), (Plan(4, BEFORE, errno.ENOSPC), 1, {"a": 100, "b": 50})])
def test_operations_are_counted_and_disturbed(tmp_path: Path, plan: Plan, status: int, sizes: dict[str, int]) -> None:
    (tmp_path / "work").mkdir()
    process = FORKS.Process(target=write, args=(tmp_path / "work", tmp_path / "log", plan))
    process.start()
    process.join()
    assert process.exitcode == status
    assert {path.name: path.stat().st_size for path in (tmp_path / "work").iterdir()} == sizes
    lines = ["open a", "write a", "open b", "write b", "rename c"]
    assert (tmp_path / "log").read_text().splitlines() == lines[:plan.at or None]


def test_a_torn_output_and_a_lost_one_are_found(tmp_path: Path) -> None:
    """The harness sees what it looks for."""
    (tmp_path / "models").mkdir()
    path = tmp_path / "models/numbers.json"
    before = {"models/numbers.json": points.spoil(path)}
    case = Case(("made up",), ("models/numbers.json",))
    path.write_bytes(b"new")
    expected = points.Undisturbed({"models/numbers.json": points.digest(path)}, frozenset(), [])

    def found(content: bytes | None, plan: Plan, status: int, errors: str = "") -> int:
        path.unlink(missing_ok=True)
        if content is not None:
            path.write_bytes(content)
        return len([*points.after_disturbance(case, tmp_path, plan, cases.Ended(status, "", errors, []), before,
                                              expected)])

    line = "train: [Errno 28] No space left on device: '/a/b'\n"
    for content, error, status, errors, problems in (
            (b"old", 0, -9, "", 0), (b"new", 0, -9, "", 0), (None, 0, -9, "", 0), (b"ne", 0, -9, "", 1),
            (b"old", 28, 1, line, 0), (None, 28, 1, line, 1), (b"ol", 28, 1, line, 1), (b"old", 28, 2, line, 1),
            (b"old", 28, 1, "Traceback\n" + line, 1), (b"old", 28, 1, "failed\n", 1), (b"old", 0, 1, "", 1)):
        assert found(content, Plan(1, BEFORE, error), status, errors) == problems, (content, error, status)
