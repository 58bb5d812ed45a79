"""Running against recomputed batch-norm statistics, on the study's trained models: python -m benchmarks.batch_norm

Needs what `dvc repro` makes. The default of `train.batch_norm` follows from this table.
"""
from typing import Literal

import torch

from pipeline import folders
from pipeline.data import images
from pipeline.gan import checkpoint, devices, sampling
from pipeline.params import reading
from pipeline.params.sections import Sampling
from pipeline.scores import frechet, reference_model

CHOICES: tuple[Literal["running", "recomputed"], ...] = ("running", "recomputed")


def main() -> None:
    """Prints the Fréchet distance of every run of params.yaml with either statistics."""
    study = reading.load()
    dataset = images.load(folders.data(study.data.name))
    reference = reference_model.load(folders.REFERENCE, dataset.digest)
    device = devices.choose(study.hardware)
    count = study.evaluate.fid_images
    print(f"| {frechet.name(count)} | running | recomputed |\n|---|---:|---:|")
    for name in study.runs:
        model = checkpoint.load_model(folders.model(name, study.seeds[0]))
        G, network, distances = model.G.to(device.device), model.network, []
        z = sampling.prior(network, count, torch.Generator().manual_seed(study.evaluate.seed))
        for choice in CHOICES:
            chosen = Sampling(batch_norm=choice, statistics_images=study.train.statistics_images)
            with sampling.evaluating(G, network, chosen, device):
                distances.append(reference.fid(sampling.sample(G, network, z, device)))
        print(f"| {name} | " + " | ".join(f"{distance:.2f}" for distance in distances) + " |")


if __name__ == "__main__":
    main()
