"""A generator as MLflow loads and serves it: this file, beside a graph that torch.export wrote, and no pickle.

MLflow copies the file into every model ("models from code"), so it knows nothing of this project, and has what it needs
of `sampling.prior` and `pixels.to_uint8` in its own words; `logged` is the other side. Every row of what a model is
asked is one image: either a column `seed` of whole numbers or a column `z` of lists of z_dim numbers, and for a
conditional generator, if one likes, a column `label`.
"""
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import torch
from mlflow.exceptions import MlflowException
from mlflow.pyfunc import PythonModel, PythonModelContext
from torch import Tensor

BATCH = 250  # images at a time at most


class Generator(PythonModel):
    """The graph of G in eval mode, float32 (n, z_dim + classes) -> (n, c, h, w), and the `facts` that it is asked by.

    Those are z_dim, prior ("uniform" or "normal"), classes (0: it is unconditional) and low, the value of black.
    """

    def load_context(self, context: PythonModelContext) -> None:
        """Reads both from what MLflow has of the model."""
        self.graph = torch.export.load(context.artifacts["graph"]).module()
        self.facts: dict[str, Any] = context.model_config

    def predict(self, context: PythonModelContext, model_input: pd.DataFrame,
                params: dict[str, Any] | None = None) -> np.ndarray:
        """uint8 images (n, c, h, w), one for each row; without labels one class after another.

        MlflowException, which a server answers with status 400, says what is wrong with a row.
        """
        if ("seed" in model_input) == ("z" in model_input):
            raise _refusal("every row needs a seed, or z, and not both")
        if "seed" in model_input:
            z = torch.stack([self._drawn(int(seed)) for seed in model_input["seed"]])
        else:
            z = self._given(model_input["z"].to_list())
        return self.images(torch.cat([z, self._labels(model_input)], 1))

    def images(self, rows: Tensor) -> np.ndarray:
        """uint8 images (n, c, h, w) of rows (n, z_dim + classes), z and the one-hot label after it."""
        low, made = self.facts["low"], []
        for part in rows.split(BATCH):
            with torch.no_grad():
                fake = self.graph(part)
            if not fake.isfinite().all():
                raise MlflowException("the generator makes images that are not finite")
            made.append(((fake - low) * (255 / (1 - low))).round().clamp(0, 255).to(torch.uint8).numpy())
        return np.concatenate(made)

    def _drawn(self, seed: int) -> Tensor:
        """One z (z_dim,) of the prior."""
        generator = torch.Generator().manual_seed(seed)
        if self.facts["prior"] == "normal":
            return torch.randn(self.facts["z_dim"], generator=generator)
        return torch.rand(self.facts["z_dim"], generator=generator) * 2 - 1

    def _given(self, z: list[Any]) -> Tensor:
        wanted, found = self.facts["z_dim"], []
        for row, values in enumerate(z):
            found.append(torch.tensor(np.asarray([] if values is None else values, float), dtype=torch.float32))
            if found[row].shape != (wanted,) or not found[row].isfinite().all():
                raise _refusal(f"row {row}: {found[row].numel()} numbers as z; expected {wanted} finite ones")
        return torch.stack(found)

    def _labels(self, rows: pd.DataFrame) -> Tensor:
        """One-hot (n, classes)."""
        classes = self.facts["classes"]
        labels = rows["label"].to_list() if "label" in rows else [row % max(classes, 1) for row in range(len(rows))]
        for row, label in enumerate(labels):
            if "label" in rows and not 0 <= label < classes:
                raise _refusal(f"row {row}: label {label}; " + (f"expected one from 0 to {classes - 1}" if classes else
                                                                "this generator is unconditional"))
        return (torch.tensor(labels)[:, None] == torch.arange(classes)).float()


def _refusal(reason: str) -> MlflowException:
    return MlflowException.invalid_parameter_value(reason)


mlflow.models.set_model(Generator())
