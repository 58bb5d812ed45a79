"""Running against recomputed batch-norm statistics, on the study's trained models: python -m benchmarks.batch_norm

Needs what `dvc repro` makes. The default of `sampling.batch_norm` follows from this table.
"""
from pathlib import Path
from typing import Literal

import torch

from pipeline import params
from pipeline.data import images
from pipeline.gan import checkpoint, devices, sampling
from pipeline.scores import frechet
from pipeline.scores import reference as references
from pipeline.sections import Sampling

CHOICES: tuple[Literal["running", "recomputed"], ...] = ("running", "recomputed")


def main() -> None:
    """Prints the Fréchet distance of every run of params.yaml with either statistics."""
    section = params.load()
    dataset = images.load(Path("data") / section.data.name)
    real = references.load(Path("models/reference"), dataset.digest)
    device = devices.choose(section.hardware)
    count = section.evaluate.fid_images
    print(f"| {frechet.name(count)} | running | recomputed |\n|---|---:|---:|")
    for name in section.runs:
        model = checkpoint.load_model(Path("models") / name)
        G, network, distances = model.G.to(device.device), model.network, []
        z = sampling.prior(network, count, torch.Generator().manual_seed(section.evaluate.seed))
        for choice in CHOICES:
            asked = Sampling(batch_norm=choice, statistics_images=section.sampling.statistics_images)
            with sampling.evaluating(G, network, asked, device):
                distances.append(real.fid(sampling.sample(G, network, z, device)))
        print(f"| {name} | " + " | ".join(f"{distance:.2f}" for distance in distances) + " |")


if __name__ == "__main__":
    main()
