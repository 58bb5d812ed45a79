"""What tests share: small studies on scikit-learn's digits, stages forked from a preloaded process, MLflow off."""
import importlib
import multiprocessing
import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from multiprocessing import forkserver
from pathlib import Path
from typing import Any

import pytest
import torch
from filelock import FileLock
from ruamel.yaml import YAML

from benchmarks import databases
from pipeline import __main__ as cli
from pipeline import code
from pipeline.data import digits, images
from pipeline.gan.devices import Device

ROOT = Path(__file__).parent.parent
FP32 = Device(torch.device("cpu"), torch.float32, fast=True)
PLAIN = Device(torch.device("cpu"), torch.float32, fast=False)
# A study that is small in every number, and has every section.
SMALL: dict[str, Any] = {
    "data": {"name": "digits"},
    "hardware": {},
    "reference": {"epochs": 3, "batch": 50},
    "train": {"network": "slides", "epochs": 2, "fid_every": 1000, "fid_images": 200, "grid": 4, "report_images": 300,
              "statistics_images": 200},
    "runs": {"test1": {"batch": 256, "lr": 1e-4, "beta1": 0.9, "leak": 0.3},
             "test2": {"batch": 100, "lr": 2e-4, "beta1": 0.9, "leak": 0.3},
             "test3": {"batch": 100, "lr": 2e-4, "beta1": 0.5, "leak": 0.3},
             "test4": {"batch": 100, "lr": 2e-4, "beta1": 0.5, "leak": 0.2}},
    "seeds": [0],
    "evaluate": {"fid_images": 400, "probe_images": 600, "probe_validation": 0.3, "probe_C": [0.01, 0.1], "seeds": 2,
                 "memorisation_images": 100, "generated_labels": [200], "labels_per_class": 20, "resamples": 4,
                 "supervised_epochs": 2, "supervised_lr": [0.001]},
    "internals": {"runs": ["test4"], "points": 3, "steps": 3, "path_pairs": 4, "candidates": 60, "exemplars": 2,
                  "trials": 5, "images": 50, "features": 2, "top": 3, "ablation_images": 140, "draws": 9, "pairs": 2,
                  "neighbours": 2, "neighbour_samples": 3},
    "search": {"space": {"batch": [32, 64, 100, 128, 256], "lr": {"low": 1e-5, "high": 1e-2, "log": True},
                         "beta1": {"low": 0.0, "high": 0.95}, "leak": {"low": 0.0, "high": 0.5}},
               "first": ["test1", "test2", "test3", "test4"], "rungs": [200, 400], "validation": 300,
               "probe_images": 300, "n_trials": 5, "candidates": 1, "seeds": 1},
    "transfers": {},
    "claims": {},
}
PRELOADED = [*(f"pipeline.{name}" for name in ("fetch", "reference", "controls", "train", "evaluate", "internals",
                                               "transfer", "search", "report")),
             "sklearn.datasets", "torch._dynamo", "tests.parsed"]

FORKS = multiprocessing.get_context("forkserver")

Params = Callable[..., None]


@pytest.fixture(autouse=True)
def silence(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reaches MLflow unless it says so."""
    monkeypatch.setenv("DCGAN_TRACKING", "off")
    monkeypatch.delenv("DVC_ROOT", raising=False)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> images.Dataset:
    """scikit-learn's digits."""
    folder = tmp_path_factory.mktemp("data") / "digits"
    images.save(folder, digits.arrays(), digits.FACTS)
    return images.load(folder)


@pytest.fixture(scope="session")
def fingerprints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder code as stage code writes it for the code that is here."""
    folder = tmp_path_factory.mktemp("fingerprints") / "code"
    folder.mkdir()
    for name in code.stages():
        (folder / name).write_text(code.fingerprint(name))
    return folder


@pytest.fixture
def params(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fingerprints: Path) -> Params:
    """Makes tmp_path a small study and the current folder; called with changes, it changes params.yaml."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(fingerprints, tmp_path / "code")

    def write(changes: dict[str, Any] | None = None) -> None:
        write_params(tmp_path / "params.yaml", changes or {})

    write()
    return write


@pytest.fixture(scope="session")
def studied(tmp_path_factory: pytest.TempPathFactory, fingerprints: Path) -> Path:
    """A small study with data, reference, and run test4 trained, scored and looked into; made once for all processes.

    Tests copy or link what they need, and change nothing.
    """
    folder = tmp_path_factory.getbasetemp().parent / "studied" if "PYTEST_XDIST_WORKER" in os.environ else (
        tmp_path_factory.mktemp("studied") / "study")
    with FileLock(f"{folder}.lock"):
        if not (folder / "done").exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            shutil.copytree(fingerprints, folder / "code")
            write_params(folder / "params.yaml", {})
            for words in (["fetch"], ["reference"], ["controls"], ["train", "test4", "0"], ["evaluate", "test4", "0"],
                          ["internals", "test4"]):
                result = stage(*words, folder=folder, environment={"DCGAN_TRACKING": "off"})
                assert result.returncode == 0, result.stderr
            (folder / "done").touch()
    return folder


@pytest.fixture
def study(params: Params, studied: Path, tmp_path: Path) -> Params:
    """`params` in a folder that has the data and the reference already."""
    for part in ("data", "models/reference", "reports/controls"):
        (tmp_path / part).parent.mkdir(exist_ok=True)
        shutil.copytree(studied / part, tmp_path / part)
    return params


def write_params(path: Path, changes: dict[str, Any]) -> None:
    """Writes SMALL as params.yaml, with some keys, written with dots, changed."""
    content = {key: dict(value) if isinstance(value, dict) else value for key, value in SMALL.items()}
    for key, value in changes.items():
        *sections, last = key.split(".")
        place: Any = content
        for part in sections:
            place[part] = dict(place.get(part) or {})
            place = place[part]
        place[last] = value
    with open(path, "w") as file:
        YAML().dump(content, file)


def change_params(path: Path, changes: dict[str, Any]) -> None:
    """Changes some keys, written with dots, of a params.yaml; comments stay."""
    yaml = YAML()
    content = yaml.load(path.read_text())
    for key, value in changes.items():
        *sections, last = key.split(".")
        place = content
        for part in sections:
            place = place[part]
        place[last] = value
    with open(path, "w") as file:
        yaml.dump(content, file)


def stage(name: str, *words: str | Path, folder: Path | None = None,
          environment: dict[str, str] | None = None) -> "subprocess.CompletedProcess[str]":
    """Runs a stage as `python -m pipeline.NAME WORDS` does, forked from a process that has imported everything."""
    process, read = started(name, *words, folder=folder, environment=environment)
    process.join()
    output, errors = read()
    return subprocess.CompletedProcess([name, *map(str, words)], process.exitcode or 0, output, errors)


def started(name: str, *words: str | Path, folder: Path | None = None, environment: dict[str, str] | None = None
            ) -> tuple[Any, Callable[[], tuple[str, str]]]:
    """The process of a stage that has begun, and what reads its output and errors so far."""
    where = folder or Path.cwd()
    FORKS.set_forkserver_preload(PRELOADED)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(ROOT))  # has tests.parsed
        forkserver.ensure_running()
    logs = where / ".logs"
    logs.mkdir(exist_ok=True)
    base = logs / f"{name}-{len(list(logs.iterdir()))}"
    files = [base.with_suffix(".out"), base.with_suffix(".err")]
    for file in files:
        file.touch()
    process = FORKS.Process(target=_stage, args=(
        name, [str(word) for word in words], str(where), dict(os.environ) | (environment or {}), *map(str, files)))
    process.start()
    return process, lambda: (files[0].read_text(), files[1].read_text())


def _stage(name: str, words: list[str], folder: str, environment: dict[str, str], output: str, errors: str) -> None:
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    for path, number in ((output, 1), (errors, 2)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_APPEND), number)
    sys.stdout, sys.stderr = (open(number, "w", buffering=1, closefd=False) for number in (1, 2))
    torch.set_num_threads(int(environment.get("OMP_NUM_THREADS", torch.get_num_threads())))
    sys.argv = [f"pipeline.{name}", *words]
    module = importlib.import_module(f"pipeline.{name}")
    if name == "code":
        module.code()
    else:
        from pipeline import stage as runner
        runner.main(getattr(module, name))


def command(*words: str | Path) -> None:
    """Runs `dcgan WORDS` in this process."""
    given = cli.parser().parse_args([str(word) for word in words])
    cli.module_of(given.command).run(given)


def python(*words: str | Path, folder: Path | None = None) -> "subprocess.CompletedProcess[str]":
    """Runs `python WORDS` in a process of its own."""
    return subprocess.run([sys.executable, *map(str, words)], cwd=folder, text=True, capture_output=True)


@pytest.fixture(scope="session")
def server() -> Iterator[databases.PostgreSQL]:
    """A PostgreSQL server of our own; skips where PostgreSQL is not installed."""
    try:
        server = databases.PostgreSQL()
    except databases.Missing as reason:
        pytest.skip(str(reason))
    with server:
        yield server


@pytest.fixture
def postgresql(server: databases.PostgreSQL) -> str:
    """The URL of an empty database."""
    return server.database(f"test_{uuid.uuid4().hex}")


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """Processes of tests that run side by side have a thread each."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        os.environ["OMP_NUM_THREADS"] = "1"
        torch.set_num_threads(1)
    yield
