"""What tests share: a small project of their own in tmp_path, on scikit-learn's digits, with MLflow switched off."""
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from ruamel.yaml import YAML

from pipeline.data import digits, images
from pipeline.gan.devices import Device

ROOT = Path(__file__).parent.parent
FP32 = Device(torch.device("cpu"), torch.float32, fast=True)
PLAIN = Device(torch.device("cpu"), torch.float32, fast=False)
SMALL = {
    "data.name": "digits", "reference.epochs": 3, "reference.batch": 50, "train.epochs": 2, "train.fid_every": 1000,
    "train.fid_images": 200, "train.grid": 4, "train.report_images": 300, "sampling.statistics_images": 200,
    "evaluate.fid_images": 400, "evaluate.probe_images": 600, "evaluate.probe_validation": 0.3,
    "evaluate.probe_C": [0.01, 0.1], "evaluate.seeds": 2, "evaluate.memorisation_images": 100,
    "evaluate.generated_labels": [200], "evaluate.labels_per_class": 20, "evaluate.resamples": 4,
    "evaluate.supervised_updates": 20, "search.images": 400, "search.fid_every": 200, "search.validation": 300,
    "search.probe_images": 300, "search.n_trials": 5, "search.candidates": 1, "search.seeds": 1,
    "internals.points": 3, "internals.steps": 3, "internals.path_pairs": 4, "internals.candidates": 60,
    "internals.exemplars": 2, "internals.trials": 5, "internals.images": 50,
    "internals.features": 2, "internals.top": 3, "internals.forget_images": 140, "internals.draws": 2,
    "internals.neighbours": 2, "internals.neighbour_samples": 3}


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


Params = Callable[..., None]


@pytest.fixture
def params(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Params:
    """Makes tmp_path the current folder and gives it the project's params.yaml, small, with the changes one names."""
    monkeypatch.chdir(tmp_path)

    def write(changes: dict[str, Any] | None = None) -> None:
        change_params(ROOT / "params.yaml", tmp_path / "params.yaml", SMALL | (changes or {}))

    write()
    return write


def change_params(source: Path, target: Path, changes: dict[str, Any]) -> None:
    """Copies params.yaml with some keys, written with dots, changed; comments stay."""
    yaml = YAML()
    content = yaml.load(source.read_text())
    for key, value in changes.items():
        *path, last = key.split(".")
        section = content
        for part in path:
            section = section[part]
        section[last] = value
    with open(target, "w") as file:
        yaml.dump(content, file)


def stage(name: str, *words: str | Path) -> subprocess.CompletedProcess[str]:
    """Runs a stage as a user would, in the current folder."""
    return subprocess.run([sys.executable, "-m", f"pipeline.{name}", *map(str, words)], text=True, capture_output=True)
