"""Nothing that MLflow does can hurt a training: what it costs when it is away, and that nothing is lost."""
import errno
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socket import create_server
from threading import Thread
from typing import Any

import mlflow
import pytest
from PIL import Image

from pipeline.errors import InputError
from pipeline.tracking import background, circuit, connection, descriptions, kept, names
from pipeline.tracking import tracker as tracking
from pipeline.tracking.background import BackgroundTracker
from pipeline.tracking.store import Row, Store
from tests import made_up
from tests.conftest import command
from tests.test_stopping import until
from tests.tracking.conftest import curve, description, report, runs

SCORES = {"fid_classifier_10k": 3.5, "near_copies_pixels_2k": 0.0}
ROWS = [("loss_D", 1), ("loss_D", 2), ("loss_D", 3)]


class Away(Store):
    """A store that fails so many times before it answers, and remembers what it was told."""

    def __init__(self, failures: float = 0, pause: float = 0) -> None:
        super().__init__(descriptions.opening(description()))
        self.failures, self.pause = failures, pause
        self.told: list[Any] = []

    def _answer(self, *words: Any) -> None:
        time.sleep(self.pause)
        if self.failures > 0:
            self.failures -= 1
            raise ConnectionError("no route to host\nand more")
        self.told.append(words)

    def open(self) -> None:
        self._answer("open")
        self.run_id = "1"

    def beat(self) -> None:
        self._answer("beat")

    def alive(self) -> bool:
        return self.failures == 0

    def describe(self) -> None:
        self._answer("describe")

    def params(self) -> None:
        self._answer("params")

    def data(self) -> None:
        self._answer("data")

    def metrics(self, rows: Any) -> None:
        self._answer("metrics", *[(key, step) for key, _, _, step in rows])

    def image(self, key: str, picture: Any, step: int) -> None:
        self._answer("image", step)

    def close(self, status: str, ended: int | None = None) -> None:
        self._answer("close", status)


BEGIN = [("open",), ("describe",), ("params",), ("data",)]


@pytest.fixture
def quick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder; every wait is short."""
    monkeypatch.chdir(tmp_path)
    for name, seconds in (("FLUSH_SECONDS", 0.1), ("STALL_SECONDS", 0.1), ("CLOSE_SECONDS", 1.0)):
        monkeypatch.setattr(background, name, seconds)
    monkeypatch.setattr(circuit, "FIRST_PAUSE", 0.05)
    return tmp_path


def in_folders(project: Path) -> list[kept.Entry]:
    """Every entry that is kept."""
    return [entry for one in kept.everything() for entry in one.read()[1]]


def test_metrics_are_written_in_batches_and_in_order(quick: Path) -> None:
    store = Away()
    tracker = BackgroundTracker(store)
    report(tracker)
    tracker.close("FINISHED")
    assert store.told == [*BEGIN, ("metrics", *ROWS[:2]), ("image", 2), ("metrics", ROWS[2]), ("close", "FINISHED")]
    assert not list(quick.glob(".work/tracking/*"))


def test_a_store_that_comes_back_gets_everything(quick: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = Away(failures=3)
    tracker = BackgroundTracker(store)
    report(tracker)
    until = time.monotonic() + 20
    while len(store.told) < 7 and time.monotonic() < until:
        time.sleep(0.02)
    tracker.close("FINISHED")
    assert store.told == [*BEGIN, ("metrics", *ROWS[:2]), ("image", 2), ("metrics", ROWS[2]), ("close", "FINISHED")]
    assert capsys.readouterr().err == "tracking: MLflow does not answer (no route to host); going on without it\n"
    assert not list(quick.glob(".work/tracking/*"))


def test_what_mlflow_misses_is_on_disk_while_the_run_goes_on(quick: Path) -> None:
    """So kill -9 loses nothing either."""
    tracker = BackgroundTracker(Away(failures=float("inf")))
    report(tracker)
    folder = quick / ".work/tracking"
    until = time.monotonic() + 20
    while not list(folder.glob("*/reports.jsonl")) and time.monotonic() < until:
        time.sleep(0.02)
    one, = (kept.Kept(path) for path in folder.iterdir() if path.is_dir())
    opening, entries = one.read()
    assert opening == tracker.store.opening
    assert [entry.method for entry in entries] == ["describe", "params", "data", "metrics", "image", "metrics"]
    assert Image.open(entries[4].arguments["picture"]).getpixel((0, 0)) == 9
    assert list(kept.everything()) == []  # its process lives
    tracker.close("FINISHED")
    assert [entry.method for entry in in_folders(quick)] == [*(entry.method for entry in entries), "close"]


def test_what_the_thread_has_in_hand_when_the_run_is_closed_is_kept(quick: Path) -> None:
    tracker = BackgroundTracker(Away(failures=float("inf")))
    until = time.monotonic() + 20
    while not tracker.circuit.open and time.monotonic() < until:
        time.sleep(0.02)
    with tracker.lock:  # as it is while the folder is written
        report(tracker)
        time.sleep(0.5)
        tracker.close("FINISHED")
    assert [entry.method for entry in in_folders(quick)] == [
        "describe", "params", "data", "metrics", "image", "metrics", "close"]


def interrupt(opened: bool) -> bool:
    """A signal, while it is asked whether a store that hangs answers."""
    raise KeyboardInterrupt


def test_a_signal_while_the_run_is_closed_loses_nothing(quick: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "answers", interrupt)
    tracker = BackgroundTracker(Away(pause=30))
    report(tracker)
    with pytest.raises(KeyboardInterrupt):
        tracker.close("FINISHED")
    assert [entry.method for entry in in_folders(quick)] == [
        "describe", "params", "data", "metrics", "image", "metrics", "close"]


def test_a_store_that_hangs_costs_a_moment_once(
        quick: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(connection, "answers", lambda opened: False)
    spent = []
    for _ in range(3):
        tracker = BackgroundTracker(Away(pause=30))
        report(tracker)
        begin = time.monotonic()
        tracker.close("FINISHED")
        spent.append(time.monotonic() - begin)
    assert spent[0] < 2 and max(spent[1:]) < 0.1
    assert [entry.method for entry in in_folders(quick)].count("close") == 3
    assert capsys.readouterr().err.count("\n") == 2


def test_what_a_full_disk_did_not_take_is_kept_when_there_is_room(
        quick: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    tracker = BackgroundTracker(Away(failures=10**9))
    tracker.metrics({"loss_D": 1.0}, 1)
    until(lambda: bool(in_file(quick)))
    whole, full = in_file(quick), True

    def fsync(descriptor: int) -> None:
        if full:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(kept.os, "fsync", fsync)
    tracker.image("samples", Image.new("L", (2, 2)), 2)
    until(lambda: "cannot be kept" in capsys.readouterr().err)
    assert in_file(quick) == whole
    full = False
    tracker.close("FINISHED")
    assert [entry.method for entry in in_folders(quick)] == ["describe", "params", "data", "metrics", "image", "close"]


def in_file(project: Path) -> str:
    """What the file of the one run has."""
    return "".join(path.read_text() for path in project.glob(f".work/tracking/*/{kept.REPORTS}"))


@pytest.mark.parametrize("failures", [0, 1])
def test_a_store_that_answers_after_the_run_was_given_up_is_told_nothing_more(
        quick: Path, failures: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(connection, "answers", interrupt)
    monkeypatch.setattr(background, "BEAT_SECONDS", 0.0)
    store = Away(failures, pause=1)
    tracker = BackgroundTracker(store)
    with pytest.raises(KeyboardInterrupt):
        tracker.close("FINISHED")
    assert "what MLflow did not take is in" in capsys.readouterr().err
    tracker.thread.join()
    assert capsys.readouterr().err == "" and store.told == [("open",)] * (1 - failures)


def test_a_store_that_is_slow_and_answers_is_waited_for(quick: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = Away(pause=0.15)
    tracker = BackgroundTracker(store)
    tracker.close("FINISHED")
    assert store.told == [*BEGIN, ("close", "FINISHED")] and capsys.readouterr().err == ""


class Broken(BaseHTTPRequestHandler):
    """A server behind which everything is broken."""

    def do_GET(self) -> None:
        self.send_error(500)

    do_POST = do_PATCH = do_PUT = do_GET

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


@pytest.fixture(params=["refuses connections", "hangs", "answers 500"])
def server(request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of an MLflow server that is of no use."""
    if request.param == "answers 500":
        broken = ThreadingHTTPServer(("127.0.0.1", 0), Broken)
        Thread(target=broken.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{broken.server_port}"
        broken.shutdown()
        broken.server_close()
    else:
        with create_server(("127.0.0.1", 0)) as silent:
            port = silent.getsockname()[1]
            if request.param == "hangs":
                yield f"http://127.0.0.1:{port}"
        if request.param != "hangs":
            yield f"http://127.0.0.1:{port}"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # MLflow's own dependencies
def test_a_useless_server_costs_ten_seconds_once_and_sync_tells_everything_later(
        project: Path, server: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    mlflow.get_tracking_uri()  # imported
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server)
    model, lost = made_up.model(project / "one", "guidelines-28", 0.25), 0.0
    for number in (1, 2, 3):
        with tracking.run(description(name=f"test{number}", tags={"model": f"m{number}"})) as tracker:
            report(tracker)
            if number == 1:
                tracker.model(model.G, model.facts["network"], SCORES, 3)
                (project / "note.txt").write_text("hello")
                tracker.file(project / "note.txt")
            begin = time.monotonic()
        lost += time.monotonic() - begin
    (project / "note.txt").unlink()
    assert lost < 10
    assert capsys.readouterr().err.count("\n") == 2
    with pytest.raises(InputError, match="MLflow does not answer"):
        command("sync")
    assert capsys.readouterr().out.startswith("sync: MLflow took 0 entries of 0 runs")

    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    command("sync")
    found = {run.info.run_name: run for run in runs(project)}
    assert sorted(found) == ["test1", "test2", "test3"]
    for number in (1, 2, 3):
        run = found[f"test{number}"]
        assert run.info.status == "FINISHED" and run.data.tags["model"] == f"m{number}"
        assert curve(project, run, "curves/loss_D") == [(1, 1.0), (2, 2.0), (3, 3.0)]
        assert run.data.params["lr"] == "0.0001"
        assert run.info.start_time < run.info.end_time < run.info.start_time + 60_000
        assert len(list(Path(run.info.artifact_uri.removeprefix("file://")).rglob("samples+*.png"))) == 1
    assert Path(found["test1"].info.artifact_uri.removeprefix("file://"), "note.txt").read_text() == "hello"
    command("sample", f"runs:/{found['test1'].info.run_id}/generator", "--n", "5", "images.npz")
    assert not [path for path in (project / ".work/tracking").glob("*") if path.is_dir()]
    command("sync")
    assert len(runs(project)) == 3 and capsys.readouterr().out.endswith("sync: MLflow took 0 entries of 0 runs\n")


@pytest.mark.filterwarnings("ignore")  # MLflow's own dependencies
def test_an_entry_that_is_refused_does_not_block_those_behind_it(
        project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with tracking.run(description()) as tracker:
        tracker.metrics({"loss_D": 1.0}, 1)
        tracker.tags({"no name": "x" * 10_000, "": "nor this"})
        tracker.metrics({"loss_D": 2.0}, 2)
    run, = runs(project)
    assert run.info.status == "FINISHED" and curve(project, run, "curves/loss_D") == [(1, 1.0), (2, 2.0)]
    entry, = in_folders(project)
    assert entry.method == "tags" and "MLflow refuses tags of test1" in capsys.readouterr().err
    with pytest.raises(InputError, match="refuses what is left in 1 folders; delete a folder to give it up"):
        command("sync")
    assert in_folders(project)[0].arguments == entry.arguments
    assert runs(project)[0].info.status == "FINISHED"


@pytest.mark.filterwarnings("ignore")  # MLflow's own dependencies
def test_a_run_that_was_killed_while_mlflow_was_away_is_told_up_to_there(
        project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And goes on in the same MLflow run when its training is resumed."""
    same = description(id_file=project / "id")
    one = kept.new("test1")
    rows: list[Row] = [("loss_D", 1.0, 5, 100), ("loss_D", 2.0, 6, 200)]
    one.write(descriptions.opening(same), [kept.Entry("describe", {}), kept.Entry("metrics", {"rows": rows})])
    with open(one.folder / kept.REPORTS, "a") as file:
        file.write('{"method": "met')  # as it was killed
    one.release()
    with tracking.run(same) as tracker:
        tracker.metrics({"loss_D": 2.0}, 200)
        tracker.metrics({"loss_D": 3.0}, 300)
    command("sync")
    run, = runs(project)
    assert set(curve(project, run, "curves/loss_D")) == {(100, 1.0), (200, 2.0), (300, 3.0)}
    assert len(curve(project, run, "curves/loss_D")) == 3


@pytest.mark.filterwarnings("ignore")  # MLflow's own dependencies
def test_what_is_told_late_does_not_take_a_run_from_who_has_gone_on_with_it(project: Path) -> None:
    """As when a worker failed while MLflow and the database were away, and another took its trial over."""
    first = description(id_file=project / "id", tags={"optuna.trial": "5"})
    one = kept.new("test1")
    one.write(descriptions.opening(first), [
        kept.Entry("describe", {}), kept.Entry("tags", {"tags": {"optuna.state": "FAIL"}}),
        kept.Entry("image", {"key": "samples", "picture": Image.new("L", (8, 8)), "step": 1}),
        kept.Entry("close", {"status": "FAILED", "ended": 1})])
    one.release()
    time.sleep(0.01)
    with tracking.run(description(id_file=project / "id", tags={"optuna.trial": "7"})) as tracker:
        report(tracker)
    command("sync")
    run, = runs(project)
    assert run.data.tags["optuna.trial"] == "7" and run.info.status == "FINISHED"
    assert "optuna.state" not in run.data.tags and run.info.end_time > 1
    assert mlflow.artifacts.load_image(f"runs:/{run.info.run_id}/{names.SAMPLES}").size == (2, 2)
    assert not [path for path in (project / ".work/tracking").glob("*") if path.is_dir()]


@pytest.mark.filterwarnings("ignore")  # MLflow's own dependencies
def test_a_run_that_ends_while_an_older_record_of_it_is_told_has_ended(
        project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = kept.new("test1")
    one.write(descriptions.opening(description(id_file=project / "id")), [
        kept.Entry("describe", {}), kept.Entry("file", {"path": project / "id"}),
        kept.Entry("close", {"status": "KILLED", "ended": 1})])
    one.release()
    time.sleep(0.01)
    tracker = BackgroundTracker(Store(descriptions.opening(description(id_file=project / "id"))))
    until(lambda: bool(tracker.store.run_id) and not tracker.pending)
    monkeypatch.setattr(Store, "file", lambda store, path: tracker.close("FINISHED"))
    command("sync")
    run, = runs(project)
    assert run.info.status == "FINISHED" and run.info.end_time > 1


@pytest.mark.filterwarnings("ignore")  # MLflow's own dependencies
def test_a_training_that_is_told_after_its_scores_joins_them(project: Path) -> None:
    one = kept.new("test1")
    rows: list[Row] = [("loss_D", 1.0, 5, 100)]
    one.write(descriptions.opening(description(id_file=project / "id", tags={"run": "test1"})), [
        kept.Entry("describe", {}), kept.Entry("metrics", {"rows": rows}),
        kept.Entry("tags", {"tags": {"model": "m2"}}), kept.Entry("close", {"status": "FINISHED", "ended": 9})])
    one.release()
    time.sleep(0.01)
    with tracking.run(description(tags={"model": "m2"}, same="model")) as tracker:
        tracker.metrics({"fid_classifier_5k": 7.0}, 100)
    command("sync")
    with tracking.run(description(id_file=project / "id", tags={"run": "test1"})) as tracker:
        tracker.metrics({"loss_D": 2.0}, 200)  # as when the training is told to go on
    run, = runs(project)
    assert run.info.status == "FINISHED" and run.info.end_time >= run.info.start_time
    assert run.data.tags["run"] == "test1" and run.data.metrics["curves/fid_classifier_5k"] == 7
    assert curve(project, run, "curves/loss_D") == [(100, 1.0), (200, 2.0)]


@pytest.mark.filterwarnings("ignore")  # MLflow's own dependencies
def test_a_run_that_mlflow_refuses_stays_and_holds_up_no_other(
        project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As when somebody has deleted an experiment."""
    for experiment in ("gone", "dcgan"):
        one = kept.new("test1")
        one.write(descriptions.opening(description(experiment=experiment)), [kept.Entry("describe", {})])
        one.release()
        time.sleep(0.01)  # the first is told first
    client = mlflow.MlflowClient(f"sqlite:///{project / 'mlflow.db'}")
    client.delete_experiment(client.create_experiment("gone"))
    with pytest.raises(InputError, match="MLflow refuses what is left in 1 folders"):
        command("sync")
    assert len(runs(project)) == 1 and "active" in capsys.readouterr().err
    assert [one.read()[0].description.experiment for one in kept.everything()] == ["gone"]


class Killed(BaseException):
    """Ends a command without a word."""


@pytest.mark.filterwarnings("ignore")  # MLflow's own dependencies
def test_a_sync_that_is_killed_has_told_what_it_told(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = kept.new("test1")
    pictures = [kept.Entry("image", {"key": "samples", "picture": Image.new("L", (2, 2)), "step": step})
                for step in (1, 2, 3)]
    one.write(descriptions.opening(description()), [kept.Entry("describe", {}), *pictures])
    one.release()

    def image(store: Store, key: str, picture: Image.Image, step: int) -> None:
        if step == 2:
            dead.setattr(kept.Kept, "write", lambda *words: None)
            raise Killed
        told(store, key, picture, step)

    told = Store.image
    with monkeypatch.context() as dead, pytest.raises(Killed):
        dead.setattr(Store, "image", image)
        command("sync")
    command("sync")
    run, = runs(project)
    artifacts = Path(run.info.artifact_uri.removeprefix("file://"))
    assert sorted(path.name.split("+")[2] for path in artifacts.rglob("samples+*.png")) == ["1", "2", "3"]
    assert not [path for path in (project / ".work/tracking").glob("*") if path.is_dir()]


def test_a_folder_that_was_being_emptied_keeps_nothing(quick: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever empties it may be killed after any file; the record goes first."""
    one = kept.new("test1")
    one.write(descriptions.opening(description()), [kept.Entry("tags", {"tags": {}})])
    with monkeypatch.context() as dead:
        dead.setattr(kept.shutil, "rmtree", lambda *words, **options: None)
        one.clear()
    assert one.folder.exists() and (one.folder / kept.RUN).exists()
    command("sync")
    assert not one.folder.exists()


def test_a_disk_that_is_full_is_not_called_an_mlflow_that_is_away(
        quick: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = kept.new("test1")
    one.write(descriptions.opening(description()), [kept.Entry("tags", {"tags": {}}), kept.Entry("tags", {"tags": {}})])
    one.release()

    def full(*words: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "/a/b")

    with monkeypatch.context() as short, pytest.raises(InputError, match="^.Errno 28. No space left on device: '/a/b'"):
        short.setattr(kept.Kept, "write", full)
        command("sync")
    command("sync")
    assert not one.folder.exists()


def test_a_record_that_cannot_be_read_is_named_and_stays(
        quick: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = quick / ".work/tracking/1-1-old"
    folder.mkdir(parents=True)
    (folder / "reports.jsonl").write_text('{"method": "open", "description": "Description()"}\n')
    with pytest.raises(InputError, match="refuses what is left in 1 folders"):
        command("sync")
    assert f"{folder}: cannot be read" in capsys.readouterr().err and folder.exists()


@pytest.mark.filterwarnings("ignore")  # MLflow's own dependencies
@pytest.mark.parametrize("name", ["a?b", "100 %41 #1 ä"])
def test_runs_stay_in_a_folder_of_any_name(
        tmp_path: Path, project: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "outer" / name
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)
    with tracking.run(description()) as tracker:
        report(tracker)
    assert {path.name for path in folder.iterdir()} == {"mlflow.db", "mlruns", ".work"}
    assert [path.name for path in folder.parent.iterdir()] == [name]
    assert len(list((folder / "mlruns").rglob("samples+*.png"))) == 1
    mlflow.set_tracking_uri(connection.file())
    run, = mlflow.search_runs(experiment_names=["dcgan"], output_format="list")
    assert run.data.metrics["curves/loss_D"] == 3 and mlflow.artifacts.list_artifacts(run_id=run.info.run_id)
