"""Images per second of this project's training step against the textbook's: python -m benchmarks.training

On the CPU, taking turns.

The textbook loop follows the public PyTorch DCGAN example's method on the slides' networks: a DataLoader over
tensors, float32, `nn.Dropout`, symmetric-padding convolutions of the same sizes, D's step on real and fake as two
backward passes, then G's step through the updated D.
"""
import statistics
import time
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

from pipeline.gan import devices, literature, training
from pipeline.sections import Hardware, Run

REPETITIONS = 5
STEPS = 12


def main() -> None:
    """Prints a table row for each batch size: both rates and their ratio, medians of interleaved repetitions."""
    images = np.random.default_rng(0).integers(0, 256, (256 * STEPS, 1, 28, 28), np.uint8)
    device = devices.choose(Hardware(device="cpu", precision="auto", fast=True))
    print(f"{device.facts}\n| batch | textbook, images/s | this project, images/s | ratio |\n|---|---:|---:|---:|")
    for batch in (100, 256):
        contestants = [textbook(images, batch), ours(images, batch, device)]
        rates: list[list[float]] = [[], []]
        for step in contestants:
            step()
        for _ in range(REPETITIONS):
            for step, seen in zip(contestants, rates):
                begin = time.perf_counter()
                for _ in range(STEPS):
                    step()
                seen.append(batch * STEPS / (time.perf_counter() - begin))
        plain, fast = map(statistics.median, rates)
        ratio = statistics.median(b / a for a, b in zip(*rates))
        print(f"| {batch} | {plain:.0f} | {fast:.0f} | {ratio:.2f} |")


def ours(images: np.ndarray, batch: int, device: devices.Device) -> Callable[[], None]:
    """A function that takes one step of this project's training loop."""
    state = training.start(literature.network("slides"), Run(batch=batch, lr=2e-4, beta1=0.5, leak=0.2), 0, device)
    images = images[:len(images) // batch * batch]
    labels = np.zeros(len(images), np.uint8)
    steps = training.train(state, images, labels, batch, 1_000 * len(images), 0, batch, device, 0)

    def step() -> None:
        next(steps)

    return step


def textbook(images: np.ndarray, batch: int) -> Callable[[], None]:
    """A function that takes one step of the textbook's loop."""
    torch.manual_seed(0)
    G = nn.Sequential(
        nn.Linear(100, 12544, bias=False), nn.BatchNorm1d(12544), nn.LeakyReLU(0.2), nn.Unflatten(1, (256, 7, 7)),
        nn.ConvTranspose2d(256, 128, 5, 1, 2, bias=False), nn.BatchNorm2d(128), nn.LeakyReLU(0.2),
        nn.ConvTranspose2d(128, 64, 5, 2, 2, 1, bias=False), nn.BatchNorm2d(64), nn.LeakyReLU(0.2),
        nn.ConvTranspose2d(64, 1, 5, 2, 2, 1, bias=False), nn.Tanh())
    D = nn.Sequential(
        nn.Conv2d(1, 64, 5, 2, 2), nn.LeakyReLU(0.2), nn.Dropout(0.3),
        nn.Conv2d(64, 128, 5, 2, 2), nn.LeakyReLU(0.2), nn.Dropout(0.3), nn.Flatten(), nn.Linear(6272, 1))
    adam_G, adam_D = (torch.optim.Adam(net.parameters(), 2e-4, (0.5, 0.999)) for net in (G, D))
    dataset = TensorDataset(torch.from_numpy(images).float() / 127.5 - 1)

    def batches() -> Iterator[torch.Tensor]:
        while True:
            for real, in DataLoader(dataset, batch, shuffle=True, drop_last=True):
                yield real

    source = batches()

    def step() -> None:
        real = next(source)
        ones, zeros = torch.ones(batch, 1), torch.zeros(batch, 1)
        adam_D.zero_grad()
        F.binary_cross_entropy_with_logits(D(real), ones).backward()
        fake = G(torch.randn(batch, 100))
        F.binary_cross_entropy_with_logits(D(fake.detach()), zeros).backward()
        adam_D.step()
        adam_G.zero_grad()
        F.binary_cross_entropy_with_logits(D(fake), ones).backward()
        adam_G.step()

    return step


if __name__ == "__main__":
    main()
