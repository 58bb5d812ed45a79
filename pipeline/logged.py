"""Generators in MLflow: logged without pickle, and found again by their address."""
import os
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from pipeline.errors import InputError
from pipeline.gan import fast, literature, sampling

CODE = Path(__file__).with_name("serving.py")


def log(G: nn.Module, network: dict[str, Any]) -> str:
    """Logs G to the active run as the model `generator`, and returns its id.

    G is on the CPU in eval mode and takes rows, as `sampling.by_rows` has it; `network` are the arguments of
    `literature.network`. What is logged needs PyTorch and MLflow, and nothing of this project: `serving` says how.
    """
    import mlflow
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, Schema, TensorSpec
    from mlflow.types.schema import Array
    made = literature.network(**network)
    facts = {"network": network, "z_dim": made.z_dim, "prior": made.prior, "classes": made.classes, "low": made.low}
    asked: list[ColSpec | TensorSpec] = [
        ColSpec(DataType.long, "seed", required=False), ColSpec(Array(DataType.double), "z", required=False)]
    if made.classes:
        asked.append(ColSpec(DataType.long, "label", required=False))
    signature = ModelSignature(Schema(asked), Schema([TensorSpec(np.dtype("uint8"), (-1, *made.image))]))
    versions = [f"{package.__name__}=={package.__version__.partition('+')[0]}" for package in (torch, np, pd)]
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(), fast.switched(False):
        warnings.simplefilter("ignore")  # torch.export's notes on its own archive
        graph = torch.export.export(G, (sampling.example(made),), dynamic_shapes=({0: torch.export.Dim("images")},))
        graph.example_inputs = None  # the only pickle in the archive
        torch.export.save(graph, f"{folder}/generator.pt2")
        info = mlflow.pyfunc.log_model(
            name="generator", python_model=str(CODE), artifacts={"graph": f"{folder}/generator.pt2"},
            model_config=facts, signature=signature, input_example=pd.DataFrame({"seed": [1, 2]}),
            pip_requirements=versions)
    return str(info.model_id)


def load(address: str) -> tuple[dict[str, Any], Callable[[Tensor], np.ndarray]]:
    """The arguments of `literature.network` that the model at `address` was logged with, and what makes images of rows.

    InputError when there is none, or it is no generator of this project.
    """
    os.environ.setdefault("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")
    import mlflow
    from mlflow.exceptions import MlflowException
    try:
        model = mlflow.pyfunc.load_model(address)
    except (MlflowException, OSError) as error:
        raise InputError(f"{address}: MLflow has no such model ({str(error).splitlines()[0]})") from None
    try:
        made = model.unwrap_python_model()
        return made.facts["network"], made.images
    except (MlflowException, AttributeError):
        raise InputError(f"{address}: not a generator that this project has logged") from None
