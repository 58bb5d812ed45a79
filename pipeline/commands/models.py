"""A trained generator by what people call it: the folder of a run or training, or a model's address in MLflow."""
import argparse
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline import folders
from pipeline.errors import InputError

if TYPE_CHECKING:  # torch takes seconds, which --help does not have
    import numpy as np
    from torch import Tensor

    from pipeline.gan.build import Stack
    from pipeline.gan.checkpoint import Model
    from pipeline.gan.devices import Device
    from pipeline.gan.networks import Network
    from pipeline.params.sections import Sampling

MODEL = ("a run's folder, like models/test4, a model in MLflow, like models:/m-1234 or runs:/5678/generator, or "
         "published:radford-svhn, the paper's authors' own")
GENERATORS = ("last", "ema", "best")
GENERATOR = ("which of those that the training kept: the last; ema, the average of G's weights; best, the one with the "
             "smallest distance; default last")


@dataclass(frozen=True)
class OpenedGenerator:
    """A network, and what makes uint8 images (n, c, h, w) of rows (n, z_dim + classes), as `latent.rows` has them."""
    network: "Network"
    images: "Callable[[Tensor], np.ndarray]"


@contextmanager
def opened(model: str, generator: str = "last") -> Iterator[OpenedGenerator]:
    """The generator that `model` names, ready to generate; InputError when there is none.

    One in a folder generates as the stages do: with the batch-norm statistics of its training, on the device and in the
    precision that its study asks for; `generator` says which of GENERATORS. One in MLflow has these statistics inside.
    """
    if re.match(r"[a-z][a-z0-9+-]+:/", model):
        if generator != "last":
            raise InputError(f"{model}: a model in MLflow is one generator: drop --generator {generator}")
        yield _logged(model)
        return
    from pipeline.latent import rows
    with trained(folder_of(model), generator) as (found, G, device):
        yield OpenedGenerator(found.network, lambda asked: rows.images(G, found.network, asked, device))


def folder_of(model: str) -> Path:
    """The folder that `model` names; what is published is brought first."""
    if model.startswith("published:"):
        from pipeline import published
        return published.model(model)
    return Path(model)


@contextmanager
def trained(folder: Path, generator: str = "last") -> "Iterator[tuple[Model, Stack, Device]]":
    """The model in a run's or training's folder, one of its generators as the stages sample with it, and its device."""
    from pipeline.gan import checkpoint, devices, sampling
    from pipeline.params import reading
    from pipeline.params.sections import Hardware
    folder = training(folder)
    found = checkpoint.load_model(folder)
    G, statistics = chosen(found, generator, folder)
    params = next((parent / reading.PARAMS for parent in folder.absolute().parents
                   if (parent / reading.PARAMS).exists()), None)
    device = devices.choose(reading.load(params).hardware if params else Hardware())
    G.to(device.device)
    with sampling.evaluating(G, found.network, statistics, device):
        yield found, G, device


def chosen(model: "Model", generator: str, folder: Path) -> "tuple[Stack, Sampling]":
    """One of the generators in `folder`, and the batch-norm statistics that it samples with.

    InputError when there is no such generator.
    """
    generators = {"last": model.G} | model.others
    if generator not in generators:
        raise InputError(f"{folder}: has no generator {generator}; it has {', '.join(generators)}")
    return generators[generator], model.sampling.of_average if generator == "ema" else model.sampling


def training(folder: Path) -> Path:
    """The folder of one training: `folder`, or of a run with several its first seed."""
    seeds = sorted(folder.glob("seed*/model.json"), key=lambda path: (len(path.parent.name), path.parent.name))
    return folder if (folder / "model.json").exists() or not seeds else seeds[0].parent


def _logged(address: str) -> OpenedGenerator:
    from pipeline.gan import literature
    from pipeline.tracking import generators, store
    here = folders.repository() / "mlflow.db"
    if not (os.environ.get("MLFLOW_TRACKING_URI") or here.exists()) and address.startswith(("models:", "runs:")):
        raise InputError(f"{here}: not found, so there is no {address}; run this in a study's folder, or set "
                         "MLFLOW_TRACKING_URI")
    store.connect()
    network, images = generators.load(address)
    return OpenedGenerator(literature.network(**network), images)


def conditions(network: "Network", count: int, label: int | None) -> "Tensor | None":
    """One-hot labels (count, classes): all `label`, or one class after the other; None for an unconditional network.

    InputError when the network has no such class.
    """
    from pipeline.gan import sampling
    from pipeline.latent import rows
    if label is None:
        return sampling.labels(network, count)
    if not network.classes:
        raise InputError(f"--label {label}: this generator is unconditional: drop --label")
    return rows.one_class(network, label, count)


def seed(word: str) -> int:
    """A seed of the command line."""
    if not word.isdecimal() or int(word) >= 2**63:
        raise argparse.ArgumentTypeError(f"{word}: expected a whole number from 0 to 2^63 - 1")
    return int(word)
