"""What a run is, before MLflow knows of it: so that it can be told later, and by another process."""
import os
import shutil
import subprocess
import sys
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline import files, folders, processes


def experiment(kind: str = "") -> str:
    """The name of the MLflow experiment that the study's runs of this kind belong to, like "dcgan guidelines"."""
    return " ".join(word for word in ("dcgan", folders.study(), kind) if word)


@dataclass(frozen=True)
class Description:
    """What MLflow gets about a run at its start: its name, parameters, data set and tags.

    `id_file` keeps the identity of a run that may be resumed. With `same`, the name of a tag, the newest run that has
    the same value of that tag is continued, if there is one. With `parent`, the run is nested under the newest run
    whose tag `study` equals `parent`.
    """
    name: str
    params: dict[str, Any]
    data: dict[str, Any]
    tags: dict[str, str]
    id_file: Path | None = None
    same: str | None = None
    experiment: str = field(default_factory=experiment)
    parent: str | None = None


@dataclass(frozen=True)
class Opening:
    """A run's description, its identity, which no other run has, when it began, in milliseconds, and who runs it."""
    description: Description
    identity: str
    began: int
    provenance: dict[str, str]


def opening(description: Description) -> Opening:
    """The opening of a run that begins here and now, or is resumed."""
    identity, path = uuid.uuid4().hex, description.id_file
    with suppress(OSError):  # a run that cannot be resumed in MLflow is no reason to stop it
        if path and path.exists():
            identity = path.read_text()
        elif path:
            files.write(path, identity.encode())
    return Opening(description, identity, milliseconds(), provenance())


def milliseconds() -> int:
    """The time in milliseconds, as MLflow has it."""
    return int(time.time() * 1000)


def provenance() -> dict[str, str]:
    """Tags that lead from a run to the commit, the DVC stage and experiment, and the process that made it."""
    git = shutil.which("git")
    commit = git and subprocess.run([git, "rev-parse", "HEAD"], capture_output=True, text=True).stdout.strip()
    tags = {"mlflow.source.git.commit": commit, "mlflow.source.name": Path(sys.argv[0]).name,
            "dvc.stage": os.environ.get("DVC_STAGE"), "dvc.experiment": os.environ.get("DVC_EXP_NAME"),
            "process": processes.me()}
    return {key: value for key, value in tags.items() if value}
