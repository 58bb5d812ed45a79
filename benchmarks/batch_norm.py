"""Running against recomputed batch-norm statistics, on the study's trained models: python -m benchmarks.batch_norm

Needs what `dvc repro` makes. The default of `sampling.batch_norm` follows from this table.
"""
from pathlib import Path
from typing import Literal

import torch

from pipeline import params
from pipeline.data import images
from pipeline.gan import checkpoint, devices, sampling
from pipeline.gan.networks import NETWORKS
from pipeline.params import Sampling
from pipeline.scores import frechet
from pipeline.scores import reference as references

CHOICES: tuple[Literal["running", "recomputed"], ...] = ("running", "recomputed")


def main() -> None:
    """Prints the Fréchet distance of every run of params.yaml with either statistics."""
    section = params.load()
    dataset = images.load(Path("data") / section.data.name)
    real = references.load(Path("models/reference"), dataset.digest)
    device = devices.choose(section.hardware)
    count = section.evaluate.fid_images
    z_dim = NETWORKS[section.train.network].z_dim
    z = torch.randn(count, z_dim, generator=torch.Generator().manual_seed(section.evaluate.seed))
    print(f"| {frechet.name(count)} | running | recomputed |\n|---|---:|---:|")
    for name in section.runs:
        model = checkpoint.load_model(Path("models") / name)
        G, distances = model.G.to(device.device), []
        for choice in CHOICES:
            asked = Sampling(batch_norm=choice, statistics_images=section.sampling.statistics_images)
            with sampling.evaluating(G, model.network.z_dim, asked, device):
                distances.append(real.fid(sampling.sample(G, z, device)))
        print(f"| {name} | " + " | ".join(f"{distance:.2f}" for distance in distances) + " |")


if __name__ == "__main__":
    main()
