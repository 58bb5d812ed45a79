"""How long a study's trainings take on this machine, by two seconds of each kind of training step."""
import time
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pipeline import folders
from pipeline.data import images
from pipeline.gan import devices, literature, training
from pipeline.gan.devices import Device
from pipeline.params.sections import Run
from pipeline.params.study import Study

TRAINING_IMAGES = {"mnist": 60_000, "fashion_mnist": 60_000, "cifar10": 50_000, "svhn": 73_257, "digits": 1_437}
SECONDS = 2.0  # of measuring, for all kinds together
BATCHES = 4  # of random images, which are trained on again and again; the first is not timed


@dataclass(frozen=True)
class Duration:
    """Of all trainings of a study from their beginning: images, seconds, and the slowest and fastest kind's rate."""
    images: int
    seconds: float
    slowest: float
    fastest: float


def estimate(study: Study) -> Duration | None:
    """None where the count of training images is not known yet."""
    count = training_images(study)
    if count is None:
        return None
    device = devices.choose(study.hardware)
    kinds = {kind(run): run for run in study.runs.values()}
    rates = {key: rate(run, device, SECONDS / len(kinds)) for key, run in kinds.items()}
    wanted = [(len(study.seeds) * run.epochs * min(run.images or count, count), rates[kind(run)])
              for run in study.runs.values()]
    return Duration(sum(images for images, _ in wanted), sum(images / rate for images, rate in wanted),
                    min(rates.values()), max(rates.values()))


def kind(run: Run) -> tuple[Any, ...]:
    """What decides about the time that an image takes."""
    return run.network, run.width, tuple(run.violate), run.batch, run.d_steps, bool(run.ema)


def training_images(study: Study) -> int | None:
    """How many there are: of the data set's own name, or of the arrays that have been fetched."""
    folder = folders.data(study.data.name)
    if folder.exists():
        return len(images.load(folder).train_images)
    return TRAINING_IMAGES.get(study.data.name)


def rate(run: Run, device: Device, limit: float) -> float:
    """Images a second of `run`, measured for about `limit` seconds."""
    network = literature.network(run.network, run.width, run.violate)
    n = BATCHES * run.batch
    pixels = np.random.default_rng(0).integers(0, 256, (n, *network.image), np.uint8)
    labels = np.arange(n) % max(network.classes, 1)
    slow = replace(run, lr=1e-6, lr_G=None, lr_D=None)  # which takes as long, and does not diverge on noise
    state = training.start(network, slow, 0, device)
    steps = training.train(state, pixels, labels, run.batch, 1 << 40, 0, run.batch, device, 0)
    next(steps)
    begin, before = time.perf_counter(), state.images_seen
    while time.perf_counter() - begin < limit:
        next(steps)
    return (state.images_seen - before) / (time.perf_counter() - begin)
