"""The classifier that scores all trials of a search is kept where the trials are.

Fitted on another kind of machine it differs by rounding; so the first worker's is the study's, and all others take it.
"""
import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from optuna.study import Study

from pipeline import files, folders, stage
from pipeline.errors import InputError
from pipeline.scores import reference_model
from pipeline.scores.reference_model import Reference
from pipeline.tuning.storages import Storage

NAMES = ("reference.json", reference_model.FILE)  # of a reference's files


def classifier(storage: Storage, facts: Any, fit: Callable[[], Path], data: str) -> Reference:
    """The classifier that `facts`, as JSON has them, describe: the one in the storage, or else the one in the folder
    that `fit` returns, which is in the storage from now on. `data` is the data set's digest.
    """
    key = stage.digest(facts, data)
    content = storage.fetch(key)
    if content is None:
        made = packed(fit())
        with storage.lock():
            content = storage.fetch(key)  # of workers that begin together, the first one's
            if content is None:
                storage.keep(key, content := made)
    folder = folders.work("classifiers", stage.digest(content.hex()))
    try:
        return reference_model.load(folder, data)
    except InputError:  # not there yet, or damaged
        unpack(content, folder, storage)
        return reference_model.load(folder, data)


def check(storage: Storage, study: Study, digest: str) -> None:
    """InputError when the study's trials are scored by another classifier than the one with this `digest`."""
    with storage.lock():
        known = study.user_attrs.get("classifier")
        if known is None:
            study.set_user_attr("classifier", known := digest)
    if known != digest:
        raise InputError(f"{storage.name}: the classifier that scores {study.study_name} is {known[:12]}…, and is not "
                         f"kept here any more; this worker's is {digest[:12]}…: restore {storage.kept}, or delete the "
                         "study")


def packed(folder: Path) -> bytes:
    """A reference's files as one; the same files give the same bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in NAMES:
            archive.writestr(zipfile.ZipInfo(name), (folder / name).read_bytes())
    return buffer.getvalue()


def unpack(content: bytes, folder: Path, storage: Storage) -> None:
    """Makes `folder` from what `packed` made of one; InputError when it is damaged."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive, files.replacing(folder) as temporary:
            for name in NAMES:
                files.write(temporary / name, archive.read(name))
    except (zipfile.BadZipFile, KeyError) as error:
        raise InputError(f"{storage.kept}: a damaged classifier ({error}); restore it, or delete it and the studies "
                         "that it scored") from None
