"""Every network of the literature: how long its modules take to build, and how fast it trains: python -m
benchmarks.networks
"""
import time

import numpy as np
import torch

from pipeline.gan import devices, literature, training
from pipeline.gan.build import build
from pipeline.params.sections import Hardware, Run

SECONDS = 20.0  # of training for each network
BATCH = 128


def main() -> None:
    """Prints a table row for each network, at full width."""
    device = devices.choose(Hardware(device="cpu", precision="auto", fast=True))
    print(f"{device.facts}\n| network | parameters of G + D | built in, s | images/s |\n|---|---:|---:|---:|")
    for name in literature.NETWORKS:
        network = literature.network(name)
        begin = time.perf_counter()
        nets = build(network, 0.2, torch.Generator().manual_seed(0))
        built = time.perf_counter() - begin
        count = sum(p.numel() for net in nets for p in net.parameters())
        print(f"| {name} | {count:,} | {built:.2f} | {rate(name, device):.0f} |", flush=True)


def rate(name: str, device: devices.Device) -> float:
    """Images per second of the training loop on noise, from its third mini-batch on."""
    network = literature.network(name)
    images = np.random.default_rng(0).integers(0, 256, (BATCH * 4, *network.image), np.uint8)
    state = training.start(network, Run(batch=BATCH, lr=2e-4, beta1=0.5, leak=0.2), 0, device)
    steps = training.train(state, images, np.arange(len(images)) % 10, BATCH, 10**9, 0, 2 * BATCH, device, 0)
    next(steps)
    begin, seen = time.perf_counter(), state.images_seen
    while time.perf_counter() - begin < SECONDS:
        next(steps)
    return (state.images_seen - seen) / (time.perf_counter() - begin)


if __name__ == "__main__":
    main()
