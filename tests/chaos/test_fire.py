"""A search that somebody disturbs every few seconds; `docs/promises.md` has the long form."""
import random
from pathlib import Path

import pytest

from benchmarks import databases
from tests.chaos import fire

TRIALS, ROUNDS = 4, 3


@pytest.mark.slow
@pytest.mark.xdist_group("chaos")
@pytest.mark.parametrize("kind", [fire.JOURNAL, fire.DATABASE])
def test_a_search_under_fire_loses_and_repeats_nothing(kind: str, made: Path, tmp_path: Path,
                                                       chance: random.Random) -> None:
    if kind == fire.DATABASE:
        try:
            databases.program("postgres"), databases.unprivileged()
        except databases.Missing as reason:
            pytest.skip(str(reason))
    assert not fire.burn(made, tmp_path, kind, TRIALS, ROUNDS, chance)
