"""A model that stage train might have left, made up: untrained, but with images of all greys."""
from pathlib import Path

import torch

from pipeline.gan import checkpoint, literature, sampling, training
from pipeline.gan.checkpoint import Model
from pipeline.params.sections import Run
from tests.conftest import FP32


def model(folder: Path, network: str = "paper-mnist", width: float = 0.125, statistics_images: int = 5000) -> Model:
    """An untrained pair of that network, whose images have all greys, saved in `folder` and loaded again."""
    made = literature.network(network, width)
    state = training.start(made, Run(batch=50, lr=1e-3, beta1=0.5, leak=0.2), 0, FP32)
    *_, last = (parameter for parameter in state.G.parameters() if parameter.dim() > 1)
    with torch.no_grad():
        last *= 0.3 / sampling.by_rows(state.G.eval(), made)(sampling.example(made)).std()
    facts = {"network": {"name": network, "width": width}, "leak": 0.2, "images_seen": 0,
             "train": {"batch_norm": "recomputed", "statistics_images": statistics_images}}
    checkpoint.save_model(folder, state.G, state.D, facts)
    return checkpoint.load_model(folder)
