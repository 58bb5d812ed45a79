"""Where a search keeps pictures, and the checkpoints of trials that another machine may take up.

A shared folder, or a bucket of an S3-compatible store; without either a folder of the repository, and checkpoints stay
in the scratch folder.
"""
import os
import shutil
import tempfile
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import unquote, urlsplit

from optuna.artifacts import Boto3ArtifactStore, FileSystemArtifactStore
from optuna.artifacts.exceptions import ArtifactNotFound
from optuna.study import Study
from optuna.trial import FrozenTrial, Trial
from tqdm import tqdm

from pipeline import files, folders
from pipeline.errors import InputError
from pipeline.observing import STATE
from pipeline.tuning import studies

FOLDER = "optuna_artifacts"
VARIABLE = "DCGAN_ARTIFACTS"  # stands for search.artifacts where that is empty
UPLOAD_SECONDS = 60.0
UPLOADED = "uploaded"  # the user attribute of a trial that names its last checkpoint in the store

Store = FileSystemArtifactStore | Boto3ArtifactStore


def shared(url: str | None) -> str:
    """search.artifacts, or what the environment has in its place; '' where artifacts stay on this machine."""
    return url or os.environ.get(VARIABLE, "")


def opened(url: str | None) -> Store:
    """The store at a path, file:///path or s3://bucket; InputError when there is none.

    boto3 finds keys, region and AWS_ENDPOINT_URL in the environment, as it always does.
    """
    address = shared(url) or FOLDER
    parts = urlsplit(address)
    if parts.scheme == "s3":
        return _bucket(address)
    if parts.scheme not in ("", "file") or parts.scheme and parts.netloc:
        raise InputError(f"params.yaml: search.artifacts = {address}: expected a path, file:///path or s3://bucket")
    folder = folders.repository() / (unquote(parts.path) if parts.scheme else address)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"params.yaml: search.artifacts = {address}: not a folder to write in ({error.strerror})"
                         ) from None
    return FileSystemArtifactStore(folder)


def _bucket(address: str) -> Store:
    parts = urlsplit(address)
    if not parts.netloc or parts.path.strip("/") or parts.query:
        raise InputError(f"params.yaml: search.artifacts = {address}: expected s3://bucket, and no more")
    try:
        return Boto3ArtifactStore(parts.netloc)
    except ImportError:
        raise InputError("params.yaml: search.artifacts needs boto3: pip install -c constraints.txt -e '.[s3]'"
                         ) from None
    except Exception as error:  # of boto3, about regions and keys
        raise InputError(f"params.yaml: search.artifacts = {address}: {str(error).splitlines()[0]}") from None


@contextmanager
def carried(url: str | None, study: Study, trial: Trial, scratch: Path) -> Iterator[None]:
    """The folder `scratch` has the trial's last checkpoint, made on whatever machine, and the store has the next ones.

    They are uploaded every UPLOAD_SECONDS, and when the block ends by an exception.
    """
    if not shared(url):
        yield
        return
    store, ended = opened(url), threading.Event()
    if not (scratch / STATE).exists():
        _bring(store, study, trial, scratch)

    def work() -> None:
        last = 0
        while not ended.wait(UPLOAD_SECONDS):
            with suppress(FileNotFoundError):
                if (now := (scratch / STATE).stat().st_mtime_ns) != last:
                    last = now
                    _upload(store, trial, scratch)

    thread = threading.Thread(target=work, name="checkpoints", daemon=True)
    thread.start()
    try:
        yield
    except BaseException:
        ended.set()
        thread.join()
        _upload(store, trial, scratch)
        raise
    finally:
        ended.set()
        thread.join()


def forget(url: str | None, study: Study, trial: Trial) -> None:
    """The store has no checkpoint of any attempt at `trial`, nor one whose upload was cut off."""
    if shared(url):
        store = opened(url)
        for attempt in _attempts(study, trial):
            for name in _names(study, attempt):
                with suppress(Exception):  # of the file system or the network; it is only room that is lost
                    store.remove(name)


def _attempts(study: Study, trial: Trial) -> list[FrozenTrial]:
    """All attempts at `trial`, the newest first."""
    return [one for one in reversed(study.get_trials(deepcopy=False)) if studies.first(one) == studies.first(trial)]


def _names(study: Study, trial: Trial | FrozenTrial) -> list[str]:
    """The names of the two checkpoints that an attempt has in turns, so that one of them is always whole."""
    return [f"checkpoint-{uuid.uuid5(uuid.NAMESPACE_URL, f'{study.study_name}/{trial.number}/{turn}')}.zip"
            for turn in range(2)]


def _upload(store: Store, trial: Trial, scratch: Path) -> None:
    """The store has what is in `scratch`; a failure is said, and the trial goes on."""
    if not (scratch / STATE).exists():
        return
    before = trial.user_attrs.get(UPLOADED)
    name = next(name for name in _names(trial.study, trial) if name != before)
    try:
        with tempfile.TemporaryDirectory() as folder:
            with open(shutil.make_archive(f"{folder}/made", "zip", scratch), "rb") as archive:
                store.write(name, archive)
        trial.set_user_attr(UPLOADED, name)
        if before:
            store.remove(before)
    except Exception as error:  # of the file system, the network or the storage
        tqdm.write(f"trial {trial.number}: its checkpoint was not uploaded ({error})")
        with suppress(Exception):  # another worker may have ended the trial, and will not remove this
            store.remove(name)


def _bring(store: Store, study: Study, trial: Trial, scratch: Path) -> None:
    """Fills `scratch` from the newest checkpoint that can be read; without one the trial begins anew."""
    for name in [one.user_attrs[UPLOADED] for one in _attempts(study, trial) if UPLOADED in one.user_attrs]:
        try:
            with tempfile.TemporaryDirectory() as folder, store.open_reader(name) as source:
                archive = Path(folder, "checkpoint.zip")
                with open(archive, "wb") as file:
                    shutil.copyfileobj(source, file)
                with files.replacing(scratch) as temporary:
                    shutil.unpack_archive(archive, temporary, "zip")  # which leaves out names that lead elsewhere
            return
        except ArtifactNotFound:
            continue
        except Exception as error:  # of the file system, the network or a damaged archive
            tqdm.write(f"trial {trial.number}: the checkpoint {name} cannot be used ({error})")
