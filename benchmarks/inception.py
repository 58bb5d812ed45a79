"""Images per second through FID's Inception-v3, and the distance they give: python -m benchmarks.inception

Against torchmetrics' FrechetInceptionDistance, float32, which people would use; on the CPU, taking turns. The peer's
best batch size counts. Both resize as TensorFlow did, and `devices.choose` keeps freed memory for both, since it does
so for the whole process. Weights are random, which does not change the rate: the distances are comparable with each
other and with nothing else.
"""
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F
from torchmetrics.image.fid import FrechetInceptionDistance
from torchvision.models import inception_v3

from pipeline import files
from pipeline.gan import devices
from pipeline.params.sections import Hardware
from pipeline.scores import frechet, inception

REPETITIONS = 3
IMAGES = 64
BATCHES = (16, 32, 64)


@torch.inference_mode()
def main() -> None:
    """Prints both rates, medians of interleaved repetitions, their ratio, and how far the two distances are apart."""
    device = devices.choose(Hardware(device="cpu", precision="fp32", fast=True))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "weights.pth"
        write_weights(path, 0)
        metric = FrechetInceptionDistance(feature_extractor_weights_path=str(path), antialias=False)
        ours = inception.load(path, "tf1", device, files.sha256(path))
    real, fake = smooth(IMAGES, 4, 0), smooth(IMAGES, 6, 1)
    contestants: dict[str, Callable[[], object]] = {
        f"torchmetrics, batch {size}": partial(peer, metric, real, size) for size in BATCHES}
    contestants[f"this project, batch {ours.batch}"] = partial(ours, real)
    rates = race(contestants)
    print(f"{device.facts}\n| features of {IMAGES} images of 32x32 | images/s |\n|---|---:|")
    for name, seen in rates.items():
        print(f"| {name} | {statistics.median(seen):.1f} |")
    *peers, mine = rates.values()
    best = max(peers, key=statistics.median)
    print(f"| ratio to torchmetrics' best | {statistics.median(b / a for a, b in zip(best, mine)):.2f} |")

    metric.update(torch.from_numpy(real), real=True)
    metric.update(torch.from_numpy(fake), real=False)
    theirs = metric.set_dtype(torch.float64).compute().item()
    distance = frechet.distance(*(frechet.moments(ours(images)[0]) for images in (real, fake)))
    print(f"\ndistance: torchmetrics {theirs:.6f}, this project {distance:.6f}, {abs(distance / theirs - 1):.1e} apart")


def race(contestants: dict[str, Callable[[], object]]) -> dict[str, list[float]]:
    """Images per second of each contestant in each of REPETITIONS rounds, after one that does not count."""
    rates: dict[str, list[float]] = {name: [] for name in contestants}
    for repetition in range(REPETITIONS + 1):
        for name, extract in contestants.items():
            begin = time.perf_counter()
            extract()
            if repetition:
                rates[name].append(IMAGES / (time.perf_counter() - begin))
    return rates


def peer(metric: FrechetInceptionDistance, images: np.ndarray, size: int) -> torch.Tensor:
    """torchmetrics' features of uint8 images (n, 3, h, w), so many at a time."""
    return torch.cat([metric.inception(part) for part in torch.from_numpy(images).split(size)])


def write_weights(path: Path, seed: int) -> None:
    """A file like the official one, with random weights that keep activations near 1 and no batch norm at rest."""
    generator = torch.Generator().manual_seed(seed)
    state = inception_v3(weights=None, num_classes=1008, aux_logits=False, init_weights=False).state_dict()
    for key, value in state.items():
        if key.endswith(("conv.weight", "fc.weight")):
            value.normal_(0, (2 / value[0].numel()) ** 0.5, generator=generator)
        elif key.endswith(("running_var", "bn.weight")):
            value.uniform_(0.7, 1.3, generator=generator)
        elif value.is_floating_point():
            value.normal_(0, 0.1, generator=generator)
    torch.save(state, path)


def smooth(n: int, detail: int, seed: int) -> np.ndarray:
    """uint8 (n, 3, 32, 32): random colours on a detail x detail grid, blended."""
    colours = torch.rand(n, 3, detail, detail, generator=torch.Generator().manual_seed(seed))
    return (F.interpolate(colours, (32, 32), mode="bicubic").clamp(0, 1) * 255).byte().numpy()


if __name__ == "__main__":
    main()
