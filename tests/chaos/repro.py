"""`dvc repro` of a small study: killed, with all its processes, and begun again."""
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tests.chaos import points
from tests.chaos.cases import ENVIRONMENT
from tests.conftest import ROOT

WORDS = [sys.executable, "-m", "dvc", "repro", "report"]


def project(made: Path, folder: Path) -> Path:
    """The study `made` as a DVC project of its own, in which nothing has run."""
    folder.mkdir()
    shutil.copytree(made / "pictures", folder / "pictures")
    shutil.copy(made / "params.yaml", folder)
    for part in ("dvc.yaml", ".dvcignore", ".gitignore"):
        shutil.copy(ROOT / part, folder / part)
    shutil.copytree(ROOT / ".dvc", folder / ".dvc", ignore=shutil.ignore_patterns("cache", "tmp"))
    (folder / "pipeline").symlink_to(ROOT / "pipeline")
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    return folder


def begun(folder: Path) -> "subprocess.Popen[bytes]":
    """`dvc repro report`, in a process group of its own."""
    environment = os.environ | ENVIRONMENT | {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "DVC_NO_ANALYTICS": "1",
        "PYTHONPATH": str(ROOT)}
    with open(folder / ".log", "ab") as log:
        return subprocess.Popen(WORDS, cwd=folder, env=environment, stdout=log, stderr=log, start_new_session=True)


def complete(folder: Path) -> float:
    """Runs it to its end; returns the seconds."""
    begin = time.monotonic()
    status = begun(folder).wait()
    assert status == 0, (folder / ".log").read_text()[-3000:]
    return time.monotonic() - begin


def outputs(folder: Path) -> dict[str, str]:
    """The digests of all that stages declare as outputs, by path, as in the files themselves."""
    return {path: points.digest(folder / path) for path in locked(folder)}


def locked(folder: Path) -> dict[str, dict[str, Any]]:
    """What dvc.lock says of every output."""
    lock = folder / "dvc.lock"
    stages = (YAML(typ="safe").load(lock.read_text()) or {}).get("stages", {}) if lock.exists() else {}
    return {out["path"]: out for stage in stages.values() for out in stage.get("outs", [])}


def ahead(folder: Path) -> list[str]:
    """Outputs that dvc.lock has with a digest that the file there does not have.

    One that is away is being made anew: DVC removes what a stage writes before it runs.
    """
    return [f"dvc.lock is ahead of {path}" for path, out in locked(folder).items()
            if (folder / path).exists() and md5(folder / path) != out["md5"]]


def md5(path: Path) -> str:
    """The digest of a file or a folder, as DVC 3 takes it."""
    if path.is_file():
        return hashlib.md5(path.read_bytes()).hexdigest()
    entries = [{"md5": md5(one), "relpath": one.relative_to(path).as_posix()} for one in path.rglob("*")
               if one.is_file()]
    entries.sort(key=lambda entry: entry["relpath"])
    return hashlib.md5(json.dumps(entries, sort_keys=True).encode()).hexdigest() + ".dir"


def killed(folder: Path, after: float) -> None:
    """Begins `dvc repro` and kills it, with all its processes, after so many seconds, or when it has ended."""
    process = begun(folder)
    try:
        process.wait(after)
    except subprocess.TimeoutExpired:
        pass
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()


def problems(made: Path, place: Path, expected: dict[str, str], seconds: float, chance: random.Random) -> list[str]:
    """What does not hold of a fresh study whose `dvc repro`, of about so many seconds, is killed at a random moment."""
    folder = project(made, place)
    killed(folder, chance.uniform(0, seconds))
    found = ahead(folder)
    complete(folder)
    found += ahead(folder)
    now = outputs(folder)
    return found + [f"{path}: other bytes" for path in expected.keys() | now if expected.get(path) != now.get(path)]
