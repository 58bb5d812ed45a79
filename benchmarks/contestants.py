"""Who takes part in a race (`contest.py`), by name: this project and its peers on the same work."""
from collections.abc import Callable

import numpy as np
import torch

from pipeline.gan import devices, literature, sampling, training
from pipeline.gan.devices import Device
from pipeline.gan.networks import Network
from pipeline.params.sections import Hardware, Run, Sampling

STEPS = 8  # batches in the made-up data set
SAMPLES = 10_000


def ours(name: str, batch: int, precision: str = "auto", fast: bool = True) -> Callable[[], None]:
    """One step of this project's training loop."""
    network, images = work(name, batch)
    device = chosen(precision, fast)
    state = training.start(network, Run(batch=batch, lr=2e-4, beta1=0.5, leak=0.2), 0, device)
    steps = training.train(state, images, np.zeros(len(images), np.uint8), batch, 10**9, 0, batch, device, 0)

    def step() -> None:
        next(steps)

    return step


def textbook(name: str, batch: int) -> Callable[[], None]:
    """One step of the textbook's PyTorch."""
    from benchmarks.peers import textbook
    return textbook.trainer(*work(name, batch), batch)


def keras(name: str, batch: int, precision: str, xla: bool = False) -> Callable[[], None]:
    """One step of Keras on TensorFlow."""
    from benchmarks.peers import keras_
    return keras_.trainer(*work(name, batch), batch, precision, xla)


def our_samples(name: str) -> Callable[[], None]:
    """SAMPLES images from this project's generator, uint8, batch norm with running averages."""
    network, device = literature.network(name), chosen("auto", True)
    state = training.start(network, Run(batch=100, lr=2e-4, beta1=0.5, leak=0.2), 0, device)
    plan = Sampling(batch_norm="running", statistics_images=2)

    def sample() -> None:
        with sampling.evaluating(state.G, network, plan, device) as G:
            sampling.sample(G, network, sampling.prior(network, SAMPLES, state.generator), device)

    return sample


def textbook_samples(name: str) -> Callable[[], None]:
    """SAMPLES images from the textbook's generator."""
    from benchmarks.peers import textbook
    return textbook.sampler(literature.network(name), SAMPLES)


def keras_samples(name: str, precision: str) -> Callable[[], None]:
    """SAMPLES images from Keras' `predict`."""
    from benchmarks.peers import keras_
    return keras_.sampler(literature.network(name), SAMPLES, precision)


def work(name: str, batch: int) -> tuple[Network, np.ndarray]:
    """The network and uint8 images enough for STEPS batches."""
    network = literature.network(name)
    return network, np.random.default_rng(0).integers(0, 256, (STEPS * batch, *network.image), np.uint8)


def chosen(precision: str, fast: bool) -> Device:
    """The CPU with that precision."""
    return devices.choose(Hardware(device="cpu", precision=precision, fast=fast))  # type: ignore[arg-type]


def roof() -> Callable[[], None]:
    """A product of two matrices of 2048 x 2048 in bfloat16: as fast as this machine multiplies."""
    a = torch.randn(2048, 2048).to(torch.bfloat16)

    def multiply() -> None:
        a @ a

    return multiply
