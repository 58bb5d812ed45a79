"""Generators in MLflow: logged without pickle, and found again by their address."""
import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from pydantic import TypeAdapter
from torch import Tensor, nn
from typing_extensions import TypedDict

from pipeline.errors import DivergedError, InputError
from pipeline.gan import literature, sampling
from pipeline.gan.checkpoint import Described
from pipeline.gan.fast import switch
from pipeline.params import reading
from pipeline.tracking import graphs

if TYPE_CHECKING:
    from pipeline.tracking.serving import Generator

CODE = Path(__file__).with_name("serving.py")


def export(G: nn.Module, network: dict[str, Any], path: Path) -> None:
    """Writes the graph of G to the file `path`, as `serving` loads it; needs no MLflow.

    G is on the CPU in eval mode and takes rows, as `sampling.by_rows` has it; `network` are the arguments of
    `literature.network`.
    """
    made = literature.network(**network)
    with warnings.catch_warnings(), switch.switched(False):
        warnings.simplefilter("ignore")  # torch.export's notes on its own archive
        graph = torch.export.export(G, (sampling.example(made),), dynamic_shapes=({0: torch.export.Dim("images")},))
        graph.example_inputs = None  # the only pickle in the archive
        torch.export.save(graph, path)


def log(graph: Path, network: dict[str, Any]) -> str:
    """Logs what `export` has written to the active run as the model `generator`, and returns its id.

    What is logged needs PyTorch and MLflow, and nothing of this project: `serving` says how.
    """
    import mlflow
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, Schema, TensorSpec
    from mlflow.types.schema import Array
    made = literature.network(**network)
    facts = {"network": network, "z_dim": made.z_dim, "prior": made.prior, "classes": made.classes, "low": made.low}
    whole, numbers = DataType.long, Array(DataType.double)
    asked = Schema([ColSpec(kind, name, required=False)
                    for name, kind in (("seed", whole), ("z", numbers), ("label", whole))])
    signature = ModelSignature(asked, Schema([TensorSpec(np.dtype("uint8"), (-1, *made.image))]))
    versions = [f"{package.__name__}=={package.__version__.partition('+')[0]}" for package in (torch, np, pd)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow's on Python's versions
        info = mlflow.pyfunc.log_model(
            name="generator", python_model=str(CODE), artifacts={"graph": str(graph)}, model_config=facts,
            signature=signature, input_example=pd.DataFrame({"seed": [1, 2]}), pip_requirements=versions)
    return str(info.model_id)


def load(address: str) -> tuple[dict[str, Any], Callable[[Tensor], np.ndarray]]:
    """The arguments of `literature.network` that the model at `address` was logged with, and what makes images of rows.

    `address` is models:/…, runs:/… or the file:/… of a folder. No code of the model runs: its graph is read by this
    project's, after `graphs` has found it harmless. InputError when there is no model, or it is no generator of this
    project; DivergedError when images are not finite.
    """
    if not address.startswith(("models:/", "runs:/", "file:/")):
        raise InputError(f"{address}: expected models:/…, runs:/… or file:/…; copy what is elsewhere into a folder "
                         "first")
    os.environ["MLFLOW_ALLOW_PICKLE_DESERIALIZATION"] = "false"
    import mlflow
    from mlflow.exceptions import MlflowException
    try:
        folder = Path(mlflow.artifacts.download_artifacts(artifact_uri=address))
        made = _read(folder)
    except Exception as error:  # whatever MLflow, its store, the network and files that are not ours raise
        raise InputError(f"{address}: not a generator that this project has logged to MLflow "
                         f"({(str(error).splitlines() or [type(error).__name__])[0]})") from None

    def images(rows: Tensor) -> np.ndarray:
        try:
            found: np.ndarray = made.images(rows)
            return found
        except MlflowException as error:
            raise DivergedError(f"{address}: {error.message}") from None

    return made.facts["network"], images


class FlavourFacts(TypedDict):
    """What a logged generator is asked by."""
    network: Described
    z_dim: int
    prior: str
    classes: int
    low: float


def _read(folder: Path) -> "Generator":
    """The generator that was logged to `folder`; ValueError and others when there is none, or it is not harmless."""
    from mlflow.pyfunc import PythonModelContext

    from pipeline.tracking.serving import Generator
    flavour = reading.yaml(folder / "MLmodel")["flavors"]["python_function"]
    facts = TypeAdapter(FlavourFacts).validate_python(flavour["config"])
    network = literature.network(**flavour["config"]["network"])
    if any(getattr(network, name) != facts[name] for name in ("z_dim", "prior", "classes", "low")):
        raise ValueError("its facts are not those of its network")
    graph = (folder / flavour["artifacts"]["graph"]["path"]).resolve()
    if not graph.is_relative_to(folder.resolve()) or not graph.is_file():
        raise ValueError("its graph is not among its files")
    graphs.check(graph)
    made = Generator()
    made.load_context(PythonModelContext({"graph": str(graph)}, dict(facts)))
    return made
