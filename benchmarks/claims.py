"""What taking the next trial costs when there are many: python -m benchmarks.claims [TRIALS ...]

For a journal and for PostgreSQL, whose server the benchmark starts: after so many trials (default 100, 1,000, 10,000)

open     reading the study once
claim    taking the next trial: who lives, what is lost, what is next; without drawing its parameters
lock     the part of it during which no other worker can take one
draw     Optuna's sampler (TPE), of four parameters, outside the lock
workers  200 workers that claim and end trials without a pause, four processes with 50 running trials each: claims each
         second, and how long the slowest tenth of claims takes
"""
import functools
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from unittest import mock

import optuna
import sqlalchemy
from optuna.distributions import FloatDistribution, distribution_to_json
from optuna.pruners import NopPruner
from optuna.samplers import RandomSampler, TPESampler
from optuna.storages import RDBStorage
from optuna.study import Study
from optuna.trial import Trial, create_trial

from benchmarks import databases
from pipeline.tuning import storages, studies
from pipeline.tuning.storages import Storage

SPACE: dict[str, optuna.distributions.BaseDistribution] = {
    name: FloatDistribution(0, 1) for name in ("lr", "beta1", "leak", "ema")}
CLAIMS, SHARED_CLAIMS = 20, 25  # measured by one worker; by each of PROCESSES
PROCESSES, WORKERS_EACH = 4, 50
TABLES = (
    "INSERT INTO trials (number, study_id, state, datetime_start, datetime_complete) "
    "SELECT n, :study, 'COMPLETE', now(), now() FROM generate_series(0, :count - 1) n",
    "INSERT INTO trial_values (trial_id, objective, value, value_type) "
    "SELECT trial_id, 0, random(), 'FINITE' FROM trials",
    "INSERT INTO trial_params (trial_id, param_name, param_value, distribution_json) "
    "SELECT trial_id, name, random(), :distribution FROM trials, unnest(CAST(:names AS text[])) name",
    "INSERT INTO trial_user_attributes (trial_id, key, value_json) SELECT trial_id, 'process', '\"a:1:b\"' FROM trials")


def opened(url: str | None) -> tuple[Storage, Study]:
    """The storage in the current folder or at `url`, and its study."""
    with mock.patch.object(storages, "GRACE_SECONDS", 3600):  # the trials here send no heartbeats
        storage = storages.open_storage(url, Path.cwd())
    return storage, studies.open_study(storage, "claims", {"of": "claims"}, ["minimize"], NopPruner())


def fill(url: str | None, count: int) -> None:
    """Makes the study, with `count` finished trials."""
    storage, study = opened(url)
    with closing(storage):
        if isinstance(storage.backend, RDBStorage):
            values = {"study": study._study_id, "count": count, "names": [*SPACE],
                      "distribution": distribution_to_json(SPACE["lr"])}
            with storage.backend.engine.begin() as connection:
                for words in TABLES:
                    connection.execute(sqlalchemy.text(words), {
                        key: value for key, value in values.items() if f":{key}" in words})
            return
        draw = RandomSampler(seed=0)._rng.rng.random
        with mock.patch("os.fsync"):
            for _ in range(count):
                study.add_trial(create_trial(value=draw(), params={name: draw() for name in SPACE}, distributions=SPACE,
                                             user_attrs={"process": "a:1:b"}))


def take(storage: Storage, study: Study, drawn: bool = False) -> Trial:
    """One claim."""
    trial = studies.claim(storage, study, SPACE if drawn else {}, [], 10**6, lambda begun: TPESampler(seed=begun))
    assert trial is not None
    return trial


@contextmanager
def counted(storage: Storage) -> Iterator[tuple[Storage, list[float]]]:
    """The storage, and for how many milliseconds each time its lock was held."""
    held: list[float] = []

    @contextmanager
    def lock() -> Iterator[None]:
        with storage.lock():
            begin = time.perf_counter()
            yield
            held.append(1000 * (time.perf_counter() - begin))

    yield replace(storage, lock=lock), held


def timed(action: Callable[[], Trial], study: Study) -> list[float]:
    """How long each of CLAIMS takes, in milliseconds; its trial is ended behind it."""
    took = []
    for _ in range(CLAIMS):
        begin = time.perf_counter()
        trial = action()
        took.append(1000 * (time.perf_counter() - begin))
        study.tell(trial, 0.5)
    return took


def worker(url: str | None, number: int) -> tuple[float, list[float]]:
    """WORKERS_EACH workers in one process: begins, and ends a trial when too many run. Its seconds, and claims' ms."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage, study = opened(url)
    with closing(storage):
        running = [take(storage, study) for _ in range(WORKERS_EACH)]
        begin, took = time.perf_counter(), []
        for _ in range(SHARED_CLAIMS):
            study.tell(running.pop(0), 0.5)
            start = time.perf_counter()
            running.append(take(storage, study))
            took.append(1000 * (time.perf_counter() - start))
        return time.perf_counter() - begin, took


def measure(kind: str, url: str | None, count: int) -> None:
    """Prints one line of the table."""
    fill(url, count)
    begin = time.perf_counter()
    storage, study = opened(url)
    with closing(storage):
        studies.finished(study)
        reading = time.perf_counter() - begin
        with counted(storage) as (locked, held):
            claim = timed(lambda: take(locked, study), study)
        draw = statistics.median(timed(lambda: take(storage, study, drawn=True), study)) - statistics.median(claim)
    with get_context("spawn").Pool(PROCESSES) as pool:
        found = pool.map(functools.partial(worker, url), range(PROCESSES), chunksize=1)
    each = sorted(ms for _, took in found for ms in took)
    rate = len(each) / max(seconds for seconds, _ in found)
    print(f"| {kind} | {count:,} | {reading:.2f} s | {statistics.median(claim):.0f} ms | {max(claim):.0f} ms | "
          f"{statistics.median(held):.0f} ms | "
          f"{draw:.0f} ms | {rate:.0f} | {each[len(each) * 9 // 10]:.0f} ms |", flush=True)


def main(counts: list[int]) -> None:
    """Prints a table."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    print("| storage | trials | open | claim | slowest | lock | draw (Optuna) | 200 workers: claims/s | 9 of 10 within "
          "|\n|---|---|---|---|---|---|---|---|---|", flush=True)
    for count in counts:
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
            measure("journal", None, count)
            os.chdir("/")
        try:
            with tempfile.TemporaryDirectory() as folder, databases.PostgreSQL() as server:
                os.chdir(folder)
                measure("PostgreSQL", server.url, count)
                os.chdir("/")
        except databases.Missing as reason:
            print(reason, file=sys.stderr)


if __name__ == "__main__":
    main([int(word.replace(",", "")) for word in sys.argv[1:]] or [100, 1_000, 10_000])
