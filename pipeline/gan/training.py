"""The training loop: a generator of progress, exactly resumable from its state.

How a mini-batch updates the networks is the network's: `updates.py`. The last batch of an epoch, or of the training,
has fewer real images.
"""
import copy
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from pipeline.data.pixels import to_float
from pipeline.errors import DivergedError, InputError
from pipeline.gan import parallel, sampling, updates
from pipeline.gan.build import build
from pipeline.gan.devices import Device
from pipeline.gan.layers import Dropout
from pipeline.gan.networks import Network
from pipeline.gan.updates import Batch, State
from pipeline.params.sections import Run


@dataclass(frozen=True)
class Progress:
    """Where training is: images seen, whether an epoch ended, and the mean losses since the last progress."""
    images_seen: int
    epoch_ended: bool
    loss_D: float
    loss_G: float


def start(network: Network, run: Run, seed: int, device: Device) -> State:
    """An untrained state on `device`; every random number of the training follows from `seed`."""
    initial = torch.Generator().manual_seed(seed)
    generator = initial if device.device.type == "cpu" else torch.Generator(device.device).manual_seed(seed)
    G, D = build(network, run.leak, initial)
    for module in D:
        if isinstance(module, Dropout):
            module.generator = generator
    G, D = G.to(device.device), D.to(device.device)
    average = copy.deepcopy(G) if run.ema else None
    optimiser_G, optimiser_D = updates.optimisers(network, G, D, run)
    parallel.join([G, D], [optimiser_G, optimiser_D])
    return State(G, D, optimiser_G, optimiser_D, generator, network, run, average)


def train(state: State, images: np.ndarray, labels: np.ndarray, batch: int, total: int, seed: int, every: int,
          device: Device, decay: int) -> Iterator[Progress]:
    """Trains `state` on uint8 `images` (n, c, h, w), in a new order every epoch, until it has seen `total` of them.

    Conditional networks are conditioned on `labels` (n,). Over the last `decay` epochs the learning rate falls by equal
    steps towards 0. Yields at every multiple of `every` images, or with the batch that passes it, and at the end of
    each epoch. A state that was saved at a yield goes on as if it had never stopped. DivergedError when a loss is not
    finite.
    """
    n, epochs = len(images), math.ceil(total / len(images))
    check(state, n, batch, total)
    step, pixels = updates.RULES[state.network.updates], resident(images, device)
    state.G.train()
    state.D.train()
    while state.images_seen < total:
        epoch, done = divmod(state.images_seen, n)
        if decay:
            updates.set_rate(state, min(1.0, (epochs - epoch) / decay))
        order, mirrored = np.random.default_rng([seed, epoch]).permutation(n), flips(state.run, n, seed, epoch)
        stop = min(n, total - epoch * n)
        losses_seen, steps = torch.zeros(2, device=device.device), 0
        for begin in range(done, stop, batch):
            index = order[begin:min(begin + batch, stop)]
            turn = epoch * math.ceil(n / batch) + begin // batch
            losses_seen += step(state, load(state, pixels, labels, index, batch, device, mirrored), turn, device)
            if state.average is not None:
                updates.follow(state.average, state.G, state.run.ema, turn)
            steps += 1
            before, state.images_seen = state.images_seen, state.images_seen + len(index)
            if begin + batch >= stop or state.images_seen // every > before // every:
                yield progress(state.images_seen, state.images_seen % n == 0, parallel.mean(losses_seen / steps))
                losses_seen, steps = torch.zeros_like(losses_seen), 0


def check(state: State, n: int, batch: int, total: int) -> None:
    """InputError when the batch norm of vectors would see a single one, which has no variance, or when processes that
    train together would have unequal shares of a batch.
    """
    parallel.check(n, batch, total)
    nets = [*state.D, *(state.G if state.network.last_fakes == "as many" else [])]
    vectors = any(isinstance(module, torch.nn.BatchNorm1d) for module in nets)
    if vectors and 1 in (n % batch, total % n % batch):
        raise InputError(f"batches of {batch} leave a last one of a single image out of {n}, which batch norm cannot "
                         "take: change the batch size or the number of images by one")


def resident(images: np.ndarray, device: Device) -> np.ndarray | Tensor:
    """`images` on a GPU with twice their memory to spare, where mini-batches need no copies; else as they are."""
    if device.device.type != "cuda" or 2 * images.nbytes > torch.cuda.mem_get_info(device.device)[0]:
        return images
    return torch.from_numpy(np.array(images)).to(device.device)


def flips(run: Run, n: int, seed: int, epoch: int) -> np.ndarray | None:
    """bool (n,): which of n training images are mirrored in this epoch; None when none is."""
    return np.random.default_rng([seed, epoch, 1]).random(n) < 0.5 if run.flip else None


def load(state: State, images: np.ndarray | Tensor, labels: np.ndarray, index: np.ndarray, batch: int,
         device: Device, mirrored: np.ndarray | None = None) -> Batch:
    """This process's share of the mini-batch of the images at `index`, on `device`; copies to a GPU are not waited for.

    All processes draw the same z, of which each keeps its own. `mirrored`, bool (n,), says which images are flipped.
    """
    network = state.network
    z = parallel.share(sampling.prior(network, len(index) if network.last_fakes == "as many" else batch,
                                      state.generator))
    index, y = parallel.share(index), None
    if isinstance(images, Tensor):
        pixels = images[torch.from_numpy(index).to(device.device, non_blocking=True)]
    else:
        pixels = torch.from_numpy(images[index])
        if device.device.type == "cuda":
            pixels = pixels.pin_memory()
    if mirrored is not None:
        which = torch.from_numpy(mirrored[index]).to(pixels.device)
        pixels = torch.where(which[:, None, None, None], pixels.flip(3), pixels)
    real = to_float(pixels.to(device.device, non_blocking=True), network.low)
    if network.classes:
        y = F.one_hot(torch.from_numpy(labels[index]).long(), network.classes).float().to(device.device)
    return Batch(real, y, z)


def progress(images_seen: int, epoch_ended: bool, mean: Tensor) -> Progress:
    """The progress with `mean` (loss_D, loss_G); DivergedError when they are not finite."""
    loss_D, loss_G = mean.tolist()
    if not (math.isfinite(loss_D) and math.isfinite(loss_G)):
        raise DivergedError(f"the losses left the finite numbers before image {images_seen:,} (loss_D {loss_D}, "
                            f"loss_G {loss_G}): lower lr")
    return Progress(images_seen, epoch_ended, loss_D, loss_G)
