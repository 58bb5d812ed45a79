"""Studies: who may take which trial, what becomes of the dead, and storages that cannot be used."""
import gc
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.distributions import FloatDistribution
from optuna.pruners import NopPruner
from optuna.samplers import BaseSampler, TPESampler
from optuna.study import Study
from optuna.trial import Trial, TrialState
from sqlalchemy import create_engine, text

from pipeline import observing, processes
from pipeline.errors import InputError
from pipeline.tuning import storages, studies
from pipeline.tuning.notes import Notes
from pipeline.tuning.storages import Storage
from pipeline.tuning.studies import Order
from tests.conftest import ROOT, python

ORDERS: list[Order] = [({"x": 0.25}, Notes(first="test1")), ({"x": 0.75}, Notes(first="test2"))]
SPACE: dict[str, optuna.distributions.BaseDistribution] = {"x": FloatDistribution(0, 1)}


def sampler(begun: int) -> BaseSampler:
    return TPESampler(seed=begun, n_startup_trials=3)


def killed(begun: int) -> BaseSampler:
    raise RuntimeError("killed")


def take(storage: Storage, study: Study, n_trials: int = 100, orders: Sequence[Order] = ()) -> Trial | None:
    return studies.claim(storage, study, SPACE, orders, n_trials, sampler)


def finish(study: Study, trial: Trial | None, value: float | None = None) -> None:
    assert trial is not None
    study.tell(trial, trial.params["x"] if value is None else value)


def new(storage: Storage, name: str = "s", **conditions: object) -> Study:
    return studies.open_study(storage, name, conditions, ["minimize"], NopPruner())


def x(trial: Trial | None) -> float:
    assert trial is not None
    return trial.params["x"]


@pytest.fixture
def journal(tmp_path: Path) -> Storage:
    return storages.open_storage(None, tmp_path)


def ended() -> str:
    """The name of a process of this repository that has ended."""
    result = python("-c", "from pipeline import processes; print(processes.me())")
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


def test_n_trials_is_a_total_that_running_ones_count_for(journal: Storage) -> None:
    study = new(journal)
    first, second = take(journal, study, 2), take(journal, study, 2)
    assert take(journal, study, 2) is None and studies.finished(study) == []
    finish(study, first)
    finish(study, second)
    assert take(journal, study, 2) is None and len(studies.finished(study)) == 2
    third = take(journal, study, 3)
    assert third is not None and take(journal, study, 3) is None


@pytest.mark.parametrize("reading", range(1, 6))
def test_a_trial_that_ends_while_another_is_claimed_counts_once(
        journal: Storage, reading: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whenever another worker ends one. Counted twice, the next two claims would draw the same."""
    study, seeds, readings = new(journal), [], []
    running, get_trials = take(journal, study), study.get_trials

    def ending(*arguments: Any, **named: Any) -> list[optuna.trial.FrozenTrial]:
        before = get_trials(*arguments, **named)
        readings.append(before)
        if len(readings) == reading:
            finish(study, running)
        return before

    def seen(begun: int) -> BaseSampler:
        seeds.append(begun)
        return sampler(begun)

    with monkeypatch.context() as patch:
        patch.setattr(study, "get_trials", ending)
        studies.claim(journal, study, SPACE, [], 100, seen)
    assert seeds == [1]


def test_a_resumed_study_and_a_second_worker_repeat_nothing(tmp_path: Path) -> None:
    """A sampler with one seed, made anew for each trial, would draw the same number again and again."""
    drawn = []
    for _ in range(3):
        for storage in (storages.open_storage(None, tmp_path), storages.open_storage(None, tmp_path)):
            study = new(storage)
            trial = take(storage, study)
            drawn.append(x(trial))
            finish(study, trial)
    assert len(set(drawn)) == 6


def test_a_worker_killed_before_it_drew_is_not_followed_by_what_another_drew(journal: Storage) -> None:
    study = new(journal)
    finish(study, take(journal, study))
    with pytest.raises(RuntimeError, match="killed"):
        studies.claim(journal, study, SPACE, [], 100, killed)
    other = take(journal, study)
    study.tell(1, state=TrialState.FAIL)  # as whoever finds the worker dead does
    again = take(journal, study)
    assert again is not None and again.user_attrs["retry_of"] == 1
    assert x(again) != x(other)


@pytest.mark.parametrize("killed", [0, 1, 5, 7])
@pytest.mark.parametrize("how", ["running", "asked"])
def test_the_same_trials_are_drawn_after_a_kill_as_without(
        tmp_path: Path, killed: int, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever a worker is killed, its trial is tried again at once, and the next ones do not move."""
    def died() -> str:
        raise RuntimeError

    def numbers(folder: Path, killed: int | None) -> list[float]:
        folder.mkdir()
        storage = storages.open_storage(None, folder)
        study = new(storage)
        for place in range(8):
            if place == killed and how == "asked":  # and not yet told who it is
                with monkeypatch.context() as patch, pytest.raises(RuntimeError):
                    patch.setattr(processes, "me", died)
                    take(storage, study, orders=ORDERS)
            trial = take(storage, study, orders=ORDERS)
            if place == killed and how == "running":
                study.tell(trial, state=TrialState.FAIL)  # without a reason
                storage = storages.open_storage(None, folder)
                study = new(storage)
                again = take(storage, study, orders=ORDERS)
                assert again is not None and trial is not None and again.params == trial.params
                trial = again
            finish(study, trial)
        return [trial.params["x"] for trial in studies.finished(study)]

    undisturbed = numbers(tmp_path / "a", None)
    assert undisturbed[:2] == [0.25, 0.75]
    assert numbers(tmp_path / "b", killed) == undisturbed


@pytest.mark.parametrize("last", ["x", "y"])
def test_a_worker_killed_while_it_draws_is_followed_by_the_same_draws(
        journal: Storage, last: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sampler that drew only what is missing would draw y from the numbers of x."""
    two, suggest = SPACE | {"y": FloatDistribution(0, 1)}, Trial._suggest

    def killed(trial: Trial, name: str, distribution: optuna.distributions.BaseDistribution) -> Any:
        if name == last:
            raise RuntimeError("killed")
        return suggest(trial, name, distribution)

    def drawn(study: Study) -> dict[str, Any]:
        trial = studies.claim(journal, study, two, [], 1, sampler)
        assert trial is not None
        return trial.params

    disturbed = new(journal, "disturbed")
    with monkeypatch.context() as patch, pytest.raises(RuntimeError, match="killed"):
        patch.setattr(Trial, "_suggest", killed)
        drawn(disturbed)
    disturbed.tell(0, state=TrialState.FAIL)
    assert drawn(disturbed) == drawn(new(journal, "undisturbed"))


def test_a_failure_with_a_reason_counts_and_one_without_is_tried_again(journal: Storage) -> None:
    study = new(journal)
    trial = take(journal, study)
    assert trial is not None
    trial.set_user_attr("reason", "diverged")
    study.tell(trial, state=TrialState.FAIL)
    assert [found.number for found in studies.finished(study)] == [0]
    lost = take(journal, study)
    study.tell(lost, state=TrialState.FAIL)
    again = take(journal, study)  # lost again, and it is still the same trial
    assert again is not None and again.number == 2 and studies.first(again) == 1
    study.tell(again, state=TrialState.FAIL)
    finish(study, take(journal, study))
    assert [(studies.first(found), found.state.name) for found in studies.finished(study)] == [
        (0, "FAIL"), (1, "COMPLETE")]


def test_a_trial_that_kills_its_process_each_time_is_a_failure_in_the_end(journal: Storage) -> None:
    """Interrupting it does not count: that was somebody's will. Nor does a process that left a newer checkpoint."""
    study = new(journal)
    checkpoint = Path(f".work/search/s/0-kind/{observing.STATE}")
    checkpoint.parent.mkdir(parents=True)
    for place, how in enumerate(("interrupted", "died", "further", "died", "further", "interrupted", "died", "died")):
        trial = take(journal, study)
        assert trial is not None and studies.first(trial) == 0 and studies.finished(study) == []
        if how == "interrupted":
            trial.set_user_attr("interrupted", True)
        if how == "further":
            checkpoint.touch()
            os.utime(checkpoint, ns=(place, place))
        study.tell(trial, state=TrialState.FAIL)
    last = take(journal, study)
    assert last is not None and studies.first(last) == 0
    last.set_user_attr("trouble", "ZeroDivisionError: a mistake")
    study.tell(last, state=TrialState.FAIL)
    following = take(journal, study)
    assert following is not None and studies.first(following) == following.number == 10
    assert [studies.first(found) for found in studies.finished(study)] == [0]
    assert studies.finished(study)[0].user_attrs["reason"] == (
        "ZeroDivisionError: a mistake, 3 times without a newer checkpoint")


def test_a_dead_process_loses_its_trial_and_a_living_one_does_not(journal: Storage) -> None:
    study = new(journal)
    alive, dead = take(journal, study), take(journal, study)
    assert alive is not None and dead is not None
    dead.set_user_attr("process", ended())
    dead.set_user_attr("first", "test1")
    again = take(journal, study)
    assert again is not None and again.params == dead.params and again.user_attrs["first"] == "test1"
    assert again.user_attrs["retry_of"] == dead.number and again.user_attrs["process"] == processes.me()
    states = [trial.state.name for trial in study.trials]
    assert states == ["RUNNING", "FAIL", "RUNNING"]
    other = take(journal, study)
    assert other is not None and "retry_of" not in other.user_attrs


def test_a_process_that_died_before_it_gave_its_name_is_dead(journal: Storage) -> None:
    study = new(journal)
    study.ask(SPACE)
    again = take(journal, study)
    assert again is not None and again.user_attrs["retry_of"] == 0


def test_what_is_wanted_is_tried_once_and_first(journal: Storage) -> None:
    study = new(journal)
    trials = [take(journal, study, orders=ORDERS) for _ in range(3)]
    assert [x(trial) for trial in trials[:2]] == [0.25, 0.75] and x(trials[2]) not in (0.25, 0.75)


def test_another_attempt_knows_what_the_first_was_given_and_not_what_it_found(journal: Storage) -> None:
    study = new(journal)
    trial = take(journal, study, orders=ORDERS)
    assert trial is not None
    trial.set_user_attr("fid_classifier_5k", 1.0)
    study.tell(trial, state=TrialState.FAIL)
    again = take(journal, study, orders=ORDERS)
    assert again is not None
    assert again.user_attrs == {"first": "test1", "retry_of": 0, "checkpoint": 0, "process": processes.me()}


def test_a_study_of_other_conditions_is_refused(journal: Storage) -> None:
    new(journal, space="a", budget=1)
    new(journal, space="a", budget=1)
    with pytest.raises(InputError, match=r"optuna\.log: the study s was made with budget = 1, not 2"):
        new(journal, space="a", budget=2)


@pytest.mark.parametrize(("url", "expected"), [
    ("sqlite:///optuna.db", r"search\.storage = sqlite:///optuna\.db: expected postgresql\+psycopg"),
    ("mysql://u:s3cret@host/db", r"search\.storage = mysql://u:\*\*\*@host/db: expected postgresql\+psycopg"),
    ("optuna.log", "not a URL"), ("post gres s3cret", "not a URL"),
    ("postgresql+psycopg://u:s3cret@127.0.0.1:9/db", r"u:\*\*\*@127\.0\.0\.1:9/db: does not answer"),
    ("postgresql+psycopg://u:s3cret@127.0.0.1:x/db", "not a URL"),
    ("postgresql+psycopg://u@127.0.0.1:9/db?password=s3cret", r"u@127\.0\.0\.1:9/db: does not answer"),
])
def test_a_storage_that_cannot_be_used_is_one_line_without_its_password(
        url: str, expected: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=expected) as error:
        storages.open_storage(url, tmp_path)
    assert "s3cret" not in str(error.value) and "\n" not in str(error.value)


WORKER = """
import sys, time
import optuna
from pathlib import Path
from optuna.pruners import NopPruner
from tests.tuning.test_studies import new, take, finish
from pipeline.tuning import storages
optuna.logging.set_verbosity(optuna.logging.WARNING)
storage = storages.open_storage(sys.argv[1] or None, Path(sys.argv[2]))
study = new(storage)
while (trial := take(storage, study, 12)) is not None:
    time.sleep(0.05)
    finish(study, trial)
storage.close()
"""


def workers(url: str, folder: Path, count: int) -> None:
    """Starts `count` processes at once, which share one study that does not exist yet."""
    team = [subprocess.Popen([sys.executable, "-c", WORKER, url, str(folder)], cwd=ROOT, stderr=subprocess.PIPE,
                             env=os.environ | {"DVC_ROOT": str(folder)}, text=True) for _ in range(count)]
    for worker in team:
        assert worker.communicate()[1] == "" and worker.returncode == 0


def check_shared(storage: Storage) -> None:
    study = optuna.load_study(study_name="s", storage=storage.backend)
    assert [trial.state.name for trial in study.trials] == ["COMPLETE"] * 12
    assert len({trial.params["x"] for trial in study.trials}) == 12
    assert len({trial.user_attrs["process"] for trial in study.trials}) > 1


@pytest.mark.slow
def test_workers_that_start_at_once_on_nothing_share_one_study(tmp_path: Path) -> None:
    workers("", tmp_path, 3)
    check_shared(storages.open_storage(None, tmp_path))


@pytest.mark.slow
def test_workers_share_a_database_that_is_empty_when_they_start(postgresql: str, tmp_path: Path) -> None:
    workers(postgresql, tmp_path, 3)
    with closing(storages.open_storage(postgresql, tmp_path)) as storage:
        check_shared(storage)


@pytest.mark.slow
def test_a_trial_whose_machine_fell_silent_is_tried_again(
        postgresql: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storages, "HEARTBEAT_SECONDS", 1)
    monkeypatch.setattr(storages, "GRACE_SECONDS", 2)
    with closing(storages.open_storage(postgresql, tmp_path)) as storage:
        study = new(storage, "silent")
        silent, alive = take(storage, study), take(storage, study)
        assert silent is not None and alive is not None
        for trial in (silent, alive):
            trial.set_user_attr("process", "another machine:1:0123456789abcdef")  # whose locks are not seen here
        with studies.heartbeat(storage, alive):
            time.sleep(4)
            again = take(storage, study)
        assert again is not None and again.user_attrs["retry_of"] == silent.number and again.params == silent.params
        states = {trial.number: trial.state.name for trial in study.trials}
        assert states == {0: "FAIL", 1: "RUNNING", 2: "RUNNING"}


@pytest.mark.slow
def test_a_wrong_password_is_not_printed(postgresql: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not answer.*authentication failed") as error:
        storages.open_storage(postgresql.replace("s3cret", "wr0ng"), tmp_path)
    assert "wr0ng" not in str(error.value)


@pytest.mark.slow
def test_a_database_of_other_tables_is_refused_in_one_line(postgresql: str, tmp_path: Path) -> None:
    """MLflow's, for example, whose migrations have a table of the same name as Optuna's."""
    engine = create_engine(postgresql)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32))"))
        connection.execute(text("INSERT INTO alembic_version VALUES ('cc1f77228345')"))
    engine.dispose()
    with pytest.raises(InputError, match="tables of MLflow's.*; give the search a database of its own"):
        storages.open_storage(postgresql, tmp_path)
    gc.collect()  # warns, which is an error here, of connections that were left open
