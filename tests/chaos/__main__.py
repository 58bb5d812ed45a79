"""The long form: `python -m tests.chaos PART --share 0.1`. It prints what failed, and a table of figures."""
import argparse
import random
import shutil
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from tests.chaos import cases, figures, fire, points, repro, syncing
from tests.chaos.figures import Figures
from tests.chaos.points import Undisturbed


def main() -> None:
    """Runs the parts that the command line names, and exits with 1 when something did not hold."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; default: all")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6), help="of what is left to chance")
    parser.add_argument("--share", type=float, default=1.0, help="of the points of kills and faults; default 1")
    parser.add_argument("--only", nargs="+", default=list(cases.CASES), metavar="COMMAND",
                        help="commands of kills and faults; default: all")
    parser.add_argument("--times", type=int, default=10, help="how often a search or `dvc repro` is begun; default 10")
    parser.add_argument("--rounds", type=int, default=20, help="disturbances of each search; default 20")
    parser.add_argument("--trials", type=int, default=20, help="of each search; default 20")
    given = parser.parse_args()
    found = [PARTS[part](given) for part in given.parts or PARTS]
    print(figures.table(found))
    sys.exit(any(one.failures for one in found))


def kills(given: argparse.Namespace) -> Figures:
    return disturbed("kills", points.kills, given)


def faults(given: argparse.Namespace) -> Figures:
    return disturbed("faults", points.faults, given)


def disturbed(part: str, plans: Callable[[Undisturbed], list[points.Plan]], given: argparse.Namespace) -> Figures:
    """Commands at all their points, or at a share of them."""
    drawn = random.Random(given.seed)
    with Figures(part, given.seed).timed() as found, tempfile.TemporaryDirectory(prefix="chaos-") as place:
        made = cases.base(Path(place).resolve() / "made")
        for case in (cases.CASES[name] for name in given.only):
            expected, before = points.undisturbed(case, made), found.cases
            possible = plans(expected)
            for plan in drawn.sample(possible, max(1, round(given.share * len(possible)))):
                operation = expected.operations[plan.at - 1]
                found.count(f"{case.name}: {plan} {operation}", points.problems(case, made, plan, expected))
            print(f"{part}: {case.name}: {found.cases - before} of {len(possible)} points", flush=True)
    return found


def syncs(given: argparse.Namespace) -> Figures:
    """`dcgan sync` at all its points, or at a share of them."""
    drawn = random.Random(given.seed)
    with Figures("sync", given.seed).timed() as found, tempfile.TemporaryDirectory(prefix="chaos-") as place:
        kept = syncing.base(Path(place).resolve() / "made")
        expected, told = syncing.undisturbed(kept)
        possible = points.kills(expected) + points.faults(expected)
        for plan in drawn.sample(possible, max(1, round(given.share * len(possible)))):
            found.count(f"sync: {plan} {expected.operations[plan.at - 1]}", syncing.problems(kept, plan, told))
    return found


def searches(kind: str, given: argparse.Namespace) -> Figures:
    """Searches on the journal or on PostgreSQL."""
    drawn = random.Random(given.seed)
    part = f"{kind}, {given.trials} trials, {given.rounds} disturbances each"
    with Figures(part, given.seed).timed() as found, tempfile.TemporaryDirectory(prefix="chaos-") as place:
        made = cases.base(Path(place).resolve() / "made")
        for number in range(given.times):
            folder = Path(place).resolve() / str(number)
            found.count(f"search {number}", fire.burn(made, folder, kind, given.trials, given.rounds, drawn))
    return found


def repros(given: argparse.Namespace) -> Figures:
    """`dvc repro`, which is killed at a random moment and begun again."""
    drawn = random.Random(given.seed)
    with Figures("repro", given.seed).timed() as found, tempfile.TemporaryDirectory(prefix="chaos-") as place:
        folder = Path(place).resolve()
        made = cases.base(folder / "made")
        whole = repro.project(made, folder / "whole")
        seconds, expected = repro.complete(whole), repro.outputs(whole)
        for number in range(given.times):
            found.count(f"repro {number}", repro.problems(made, folder / str(number), expected, seconds, drawn))
            shutil.rmtree(folder / str(number))
    return found


PARTS: dict[str, Callable[[argparse.Namespace], Figures]] = {
    "kills": kills, "faults": faults, "sync": syncs, "journal": partial(searches, fire.JOURNAL),
    "database": partial(searches, fire.DATABASE), "repro": repros}

if __name__ == "__main__":
    main()
