"""A search whose workers are killed and suspended, and whose database is restarted, until all of them have ended."""
import os
import random
import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks.databases import PostgreSQL
from pipeline.tuning import storages
from tests import workers
from tests.chaos import points
from tests.chaos.cases import ENVIRONMENT, TINY
from tests.conftest import write_params
from tests.workers import Worker

WORKERS = 3
GAP = (1.0, 5.0)  # seconds between two disturbances
JOURNAL, DATABASE = "journal", "database"


def burn(made: Path, place: Path, kind: str, trials: int, rounds: int, chance: random.Random) -> list[str]:
    """What does not hold when a search of so many trials has ended, which was disturbed `rounds` times.

    With a journal all workers share a folder; with a database each has its own, and they share one for pictures.
    """
    with ExitStack() as stack:
        environment = os.environ | ENVIRONMENT
        folders, database, pictures = [place / "study"] * WORKERS, None, place / "study/optuna_artifacts"
        if kind == DATABASE:
            database, pictures = stack.enter_context(PostgreSQL()), place / "pictures"
            pictures.mkdir(parents=True)
            environment |= {"DCGAN_STORAGE": database.url, "DCGAN_ARTIFACTS": str(pictures)}
            folders = [place / f"machine{number}" for number in range(WORKERS)]
        for folder in set(folders):
            prepare(made, folder, trials)
        team = stack.enter_context(working(folders, environment))
        disturb(team, database, rounds, chance)
        storage = storages.open_storage(database.url if database else None, folders[0])
        stack.callback(storage.close)
        found = workers.problems(storage, pictures, trials)
        before = {points.digest(folder / "reports/search") for folder in folders}
        if len(before) != 1:
            found.append("the folders of several machines have different reports of the same trials")
        team[0].start()
        workers.wait(team[:1], lambda: False)
        if points.digest(folders[0] / "reports/search") not in before:
            found.append("the stage, started once more, changed reports/search")
        return found


def prepare(made: Path, folder: Path, trials: int) -> None:
    """A study that a search can begin in, with the data of the study `made`."""
    for part in ("code", "data", ".work/reference"):
        shutil.copytree(made / part, folder / part)
    write_params(folder / "params.yaml", TINY | {"search.n_trials": trials})


@contextmanager
def working(folders: list[Path], environment: dict[str, str]) -> Iterator[list[Worker]]:
    """Workers, which are gone in the end."""
    team = [Worker(folder, environment, f"log{number}") for number, folder in enumerate(folders)]
    try:
        yield team
    finally:
        for worker in team:
            worker.kill()


def disturb(team: list[Worker], database: PostgreSQL | None, rounds: int, chance: random.Random) -> None:
    """Every few seconds kills a worker, or suspends it, or restarts the database; then waits until all have ended."""
    for _ in range(rounds):
        pause = time.monotonic() + chance.uniform(*GAP)
        workers.wait(team, lambda: time.monotonic() > pause)
        alive = [worker for worker in team if worker.process.is_alive()]
        what = chance.choice(["kill", "kill", "suspend", "restart" if database else "kill"])
        if what == "restart" and database:
            database.stop()
            time.sleep(chance.uniform(0, 2))
            database.start()
        elif what == "suspend" and alive:
            chance.choice(alive).suspend(chance.uniform(1, 8))
        elif alive:
            chance.choice(alive).kill()
    workers.wait(team, lambda: False)
