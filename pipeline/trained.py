"""A trained generator by what people call it: a run's folder, or a model's address in MLflow."""
import argparse
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import Tensor

from pipeline import logged, params, store
from pipeline.errors import InputError
from pipeline.gan import checkpoint, devices, literature, sampling
from pipeline.gan.networks import Network
from pipeline.latent import rows

MODEL = "a run's folder, like models/test4, or a model in MLflow, like models:/m-1234 or runs:/5678/generator"


@dataclass(frozen=True)
class Trained:
    """A network, and what makes uint8 images (n, c, h, w) of rows (n, z_dim + classes), as `latent.rows` has them."""
    network: Network
    images: Callable[[Tensor], np.ndarray]


@contextmanager
def opened(model: str) -> Iterator[Trained]:
    """The generator that `model` names, ready to make images; InputError when there is none.

    One in a folder makes them as the stages do: on the device, in the precision and with the batch-norm statistics
    that params.yaml, or recipes/params.yaml for a recipe, asks for. One in MLflow has these statistics inside.
    """
    if re.match(r"[a-z][a-z0-9+-]+:/", model):
        here = store.root() / "mlflow.db"
        if not (os.environ.get("MLFLOW_TRACKING_URI") or here.exists()) and model.startswith(("models:", "runs:")):
            raise InputError(f"{here}: not found, so there is no {model}; run this in the project's folder, or set "
                             "MLFLOW_TRACKING_URI")
        store.connect()
        network, images = logged.load(model)
        yield Trained(literature.network(**network), images)
        return
    folder = Path(model)
    found = checkpoint.load_model(folder)
    section = params.whole("recipes" if folder.resolve().parent.name == "recipes" else "")
    device = devices.choose(section.hardware)
    found.G.to(device.device)
    with sampling.evaluating(found.G, found.network, section.sampling, device):
        yield Trained(found.network, lambda asked: rows.images(found.G, found.network, asked, device))


def told(network: Network, count: int, label: int | None) -> Tensor | None:
    """One-hot labels (count, classes): `label`, or every class in turns; None for a network that takes none.

    InputError when the network has no such class.
    """
    if label is None:
        return sampling.labels(network, count)
    if not network.classes:
        raise InputError(f"--label {label}: this generator is told no label")
    return rows.one_class(network, label, count)


def seed(word: str) -> int:
    """A seed of the command line."""
    if not word.isdecimal() or int(word) >= 2**63:
        raise argparse.ArgumentTypeError(f"{word}: expected a whole number from 0 to 2^63 - 1")
    return int(word)
