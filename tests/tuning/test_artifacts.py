"""The store of artifacts: checkpoints that go from machine to machine, and stores that cannot be used."""
import random
import time
from collections.abc import Callable
from pathlib import Path

import optuna
import pytest
from optuna.study import Study
from optuna.trial import Trial, TrialState

from benchmarks.databases import free_port
from pipeline.errors import InputError
from pipeline.tuning import artifacts, storages, studies
from tests import servers

Attempt = Callable[..., Trial]
LARGE = random.Random(0).randbytes(200_000)


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Study:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(artifacts.VARIABLE, raising=False)
    return optuna.create_study(storage=storages.open_storage(None, tmp_path).backend)


def again(study: Study, trial: Trial) -> Trial:
    """Another attempt at a trial."""
    study.tell(trial, state=TrialState.FAIL)
    study.enqueue_trial({}, {"retry_of": studies.first(trial)})
    return study.ask()


def fill(scratch: Path, content: str = "weights") -> None:
    (scratch / "samples").mkdir(parents=True, exist_ok=True)
    (scratch / artifacts.STATE).write_text(content)
    (scratch / "samples/000000400.png").write_text("a picture")
    (scratch / "mlflow_run").write_text("identity")


def test_a_trial_that_is_stopped_goes_on_elsewhere(study: Study, tmp_path: Path) -> None:
    url, trial = str(tmp_path / "share"), study.ask()
    with pytest.raises(KeyboardInterrupt), artifacts.carried(url, study, trial, tmp_path / "here"):
        fill(tmp_path / "here")
        raise KeyboardInterrupt
    there = tmp_path / "there"
    second = again(study, trial)
    with artifacts.carried((tmp_path / "share").as_uri(), study, second, there):
        assert {str(path.relative_to(there)) for path in there.rglob("*") if path.is_file()} == {
            artifacts.STATE, "samples/000000400.png", "mlflow_run"}
        assert (there / artifacts.STATE).read_text() == "weights"
    assert len(list((tmp_path / "share").iterdir())) == 1
    artifacts.forget(url, study, second)
    assert list((tmp_path / "share").iterdir()) == []


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # boto3's own
def test_a_bucket_carries_a_trial_too(study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with servers.S3() as store:
        for key, value in store.environment.items():
            monkeypatch.setenv(key, value)
        url, trial, there = "s3://bucket", study.ask(), tmp_path / "there"
        with pytest.raises(KeyboardInterrupt), artifacts.carried(url, study, trial, tmp_path / "here"):
            fill(tmp_path / "here")
            (tmp_path / "here/large").write_bytes(LARGE)
            raise KeyboardInterrupt
        second = again(study, trial)
        with artifacts.carried(url, study, second, there):
            assert (there / artifacts.STATE).read_text() == "weights" and (there / "large").read_bytes() == LARGE
        assert [name.rpartition("/")[0] for name in store.objects] == ["/bucket"]
        artifacts.forget(url, study, second)
        assert not store.objects
        third = again(study, second)  # whose checkpoint somebody has deleted
        with artifacts.carried(url, study, third, tmp_path / "nowhere"):
            assert not (tmp_path / "nowhere").exists()


def test_a_bucket_that_is_away_costs_no_trial(
        study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for key, value in servers.s3_environment(free_port()).items():
        monkeypatch.setenv(key, value)
    with pytest.raises(OSError, match="full"), artifacts.carried("s3://bucket", study, study.ask(), tmp_path / "here"):
        fill(tmp_path / "here")
        raise OSError("full")
    assert (tmp_path / "here" / artifacts.STATE).exists() and "was not uploaded" in capsys.readouterr().out


def test_a_machine_that_dies_leaves_the_last_checkpoint_that_was_uploaded(
        study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(artifacts, "UPLOAD_SECONDS", 0.02)
    url, trial = str(tmp_path / "share"), study.ask()
    with artifacts.carried(url, study, trial, tmp_path / "here"):
        for content in ("first", "second"):
            fill(tmp_path / "here", content)
            before = study.trials[0].user_attrs.get(artifacts.UPLOADED)
            until = time.monotonic() + 20
            while study.trials[0].user_attrs.get(artifacts.UPLOADED) == before and time.monotonic() < until:
                time.sleep(0.01)
        kept = study.trials[0].user_attrs[artifacts.UPLOADED]
    assert [path.name for path in (tmp_path / "share").iterdir()] == [kept]
    with artifacts.carried(url, study, again(study, trial), tmp_path / "there"):
        assert (tmp_path / "there" / artifacts.STATE).read_text() == "second"


def test_an_upload_that_was_cut_off_is_no_checkpoint_and_leaves_nothing(
        study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url, trial, share = str(tmp_path / "share"), study.ask(), tmp_path / "share"

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    fill(tmp_path / "here")
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt), artifacts.carried(
            url, study, trial, tmp_path / "here"):
        patch.setattr(Trial, "set_user_attr", killed)
        raise OSError
    assert len(list(share.iterdir())) == 1 and artifacts.UPLOADED not in study.trials[0].user_attrs
    second = again(study, trial)
    with artifacts.carried(url, study, second, tmp_path / "there"):
        assert not (tmp_path / "there").exists()
    artifacts.forget(url, study, second)
    assert list(share.iterdir()) == []


def test_a_worker_that_was_taken_for_dead_leaves_no_checkpoint(
        study: Study, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trial = study.ask()
    fill(tmp_path / "here")
    with pytest.raises(OSError), artifacts.carried(str(tmp_path / "share"), study, trial, tmp_path / "here"):
        study.tell(trial.number, state=TrialState.FAIL)
        raise OSError
    assert list((tmp_path / "share").iterdir()) == [] and "was not uploaded" in capsys.readouterr().out


def test_a_checkpoint_of_this_machine_is_newer_than_the_one_in_the_store(study: Study, tmp_path: Path) -> None:
    url, trial = str(tmp_path / "share"), study.ask()
    with pytest.raises(OSError), artifacts.carried(url, study, trial, tmp_path / "here"):
        fill(tmp_path / "here", "old")
        raise OSError
    fill(tmp_path / "here", "new")
    with artifacts.carried(url, study, again(study, trial), tmp_path / "here"):
        assert (tmp_path / "here" / artifacts.STATE).read_text() == "new"


def test_a_damaged_or_missing_checkpoint_is_none(
        study: Study, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    url, trial = str(tmp_path / "share"), study.ask()
    for content in (b"no archive", None):
        with pytest.raises(OSError), artifacts.carried(url, study, trial, tmp_path / "here"):
            fill(tmp_path / "here")
            raise OSError
        path = tmp_path / "share" / study.trials[trial.number].user_attrs[artifacts.UPLOADED]
        path.write_bytes(content) if content else path.unlink()
        trial = again(study, trial)
        with artifacts.carried(url, study, trial, tmp_path / "there"):
            assert not (tmp_path / "there").exists()
    assert capsys.readouterr().out.count("cannot be used") == 2  # the damaged one is met twice


def test_checkpoints_stay_here_where_nothing_is_shared(study: Study, tmp_path: Path) -> None:
    with pytest.raises(OSError), artifacts.carried(None, study, study.ask(), tmp_path / "here"):
        fill(tmp_path / "here")
        raise OSError
    assert not (tmp_path / artifacts.FOLDER).exists()


def test_the_environment_may_say_where_they_are(
        study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(artifacts.VARIABLE, str(tmp_path / "share"))
    artifacts.opened(None)
    assert (tmp_path / "share").is_dir() and not (tmp_path / artifacts.FOLDER).exists()
    artifacts.opened("mine")
    assert (tmp_path / "mine").is_dir()


@pytest.mark.parametrize(("url", "expected"), [
    ("http://host/x", "search.artifacts = http://host/x: expected a path, file:///path or s3://bucket"),
    ("file://host/x", "expected a path, file:///path or s3://bucket"),
    ("s3://bucket/prefix", "expected s3://bucket, and no more"), ("s3://", "expected s3://bucket"),
    ("/proc/none/x", "search.artifacts = /proc/none/x: not a folder to write in"),
    ("s3://bucket", "needs boto3: pip install")])
def test_a_store_that_cannot_be_used_is_one_line(
        study: Study, url: str, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(bucket: str) -> None:
        raise ImportError

    monkeypatch.setattr(artifacts, "Boto3ArtifactStore", absent)
    with pytest.raises(InputError, match=expected) as error:
        artifacts.opened(url)
    assert "\n" not in str(error.value)
