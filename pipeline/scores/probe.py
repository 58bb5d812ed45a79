"""Linear probe: how well a linear SVM tells the classes apart on a discriminator's features.

Radford, Metz & Chintala 2016, arXiv 1511.06434, sec. 5.1 and 5.2; svhn/svhn_semisup_analysis.py: the outputs of all
convolution layers, each max-pooled to a 4x4 grid, flattened and concatenated; then a regularised linear L2-SVM.
Features are not standardised, as in the authors' code. The number means nothing without its controls: the same on raw
pixels, on an untrained D, and what D's architecture learns from the labels themselves (`supervised.py`).
"""
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
import torch
from threadpoolctl import threadpool_limits
from torch import Tensor, nn
from torch.nn import functional as F

from pipeline.errors import InputError
from pipeline.gan.build import Stack
from pipeline.gan.devices import Device
from pipeline.gan.layers import Labels
from pipeline.gan.networks import Network
from pipeline.gan.sampling import averaging
from pipeline.scores import svm
from pipeline.scores.classifier import BATCH, batches

STATISTICS_IMAGES, STATISTICS_BATCH = 12_800, 128
IN_MEMORY = 1 << 30  # bytes of features; more are kept in a file without a name, which the system forgets with us


def inputs(images: np.ndarray, network: Network, device: Device, size: int) -> Iterator[tuple[Tensor, Tensor | None]]:
    """D's inputs, at most `size` of the uint8 images at a time; a conditional D gets labels that are all 0."""
    for part in batches(images, network.low, size):
        y = torch.zeros(len(part), network.classes, device=device.device) if network.classes else None
        yield part.to(device.device), y


@contextmanager
def settled(D: Stack, network: Network, images: np.ndarray, device: Device) -> Iterator[None]:
    """D in eval mode; afterwards it is what it was.

    Its batch norms have the averages of their statistics over mini-batches of `images`, training images, as in the
    authors' code.
    """
    def feed() -> None:
        whole = max(min(len(images), STATISTICS_IMAGES) // STATISTICS_BATCH, 1) * STATISTICS_BATCH
        with torch.no_grad(), device.arithmetic():
            for x, y in inputs(images[:whole], network, device, STATISTICS_BATCH):
                D(x, y)

    with averaging(D, feed):
        yield


@torch.no_grad()
def features(D: Stack, network: Network, images: tuple[np.ndarray, ...], device: Device) -> list[np.ndarray]:
    """float32 (n, 16 * channels of all convolutions) of each array of uint8 images, taken after every activation.

    The first array is that of training images, which batch norm's statistics are from.
    """
    found = []
    with settled(D, network, images[0], device), device.arithmetic():
        for array in images:
            kept, begin = np.empty((0, 0), np.float32), 0
            for x, y in inputs(array, network, device, BATCH):
                part = torch.cat(_pooled(D, x, y), dim=1).float().cpu().numpy()
                if not begin:
                    kept = _room(len(array), part.shape[1])
                kept[begin:begin + len(part)] = part
                begin += len(part)
            found.append(kept)
    return found


def _room(n: int, d: int) -> np.ndarray:
    """A float32 array (n, d) to be filled."""
    if 4 * n * d <= IN_MEMORY:
        return np.empty((n, d), np.float32)
    # Here, because the system's folder for temporary files may be in memory.
    with tempfile.TemporaryFile(dir=".") as file:
        return np.memmap(file, np.float32, "w+", shape=(n, d))


def _pooled(D: Stack, x: Tensor, y: Tensor | None) -> list[Tensor]:
    pooled = []
    for module in D:
        x = module(x, y) if isinstance(module, Labels) else module(x)
        if isinstance(module, nn.LeakyReLU | nn.ReLU) and x.dim() == 4:
            pooled.append(F.adaptive_max_pool2d(x, 4).flatten(1))
    return pooled


def pixels(images: np.ndarray) -> np.ndarray:
    """float32 (n, c * h * w) in -1..1: the control that has learned nothing."""
    return torch.cat([part.flatten(1) for part in batches(images)]).numpy()


def score(train: np.ndarray, train_labels: np.ndarray, test: np.ndarray, test_labels: np.ndarray, classes: int,
          validation: float, grid: Sequence[float]) -> dict[str, float]:
    """`accuracy_test` of a probe that sees all training features, and its `C`.

    C is chosen on the last share `validation` of them, fitted on the others; then the SVM is fitted on all. Features
    (n, d) float32, labels (n,). InputError when the others lack a class.
    """
    count = kept(train_labels, validation)
    _check(train_labels[:count], classes, 1, "lower evaluate.probe_validation")
    weights: dict[float, np.ndarray] = {}

    def on_validation(C: float) -> float:
        nearest = weights[max(weights)] if weights else None
        weights[C] = svm.fit(train[:count], train_labels[:count], classes, C, nearest)
        return svm.accuracy(weights[C], train[count:], train_labels[count:])

    C = choose(grid, on_validation, len(train) - count)
    return {"accuracy_test": svm.accuracy(svm.fit(train, train_labels, classes, C, weights[C]), test, test_labels),
            "C": C}


def draws(labels: np.ndarray, kept_out: slice, classes: int, per_class: int, count: int, seed: int) -> list[np.ndarray]:
    """`count` random draws of `per_class` examples of each class: ascending indices into `labels` (n,).

    Examples in `kept_out`, which validate, are never drawn. InputError when a class has fewer.
    """
    there = labels.astype(np.int64)
    there[kept_out] = -1
    _check(there, classes, per_class, "lower evaluate.labels_per_class")
    return [np.sort(np.concatenate([rng.choice(np.flatnonzero(there == label), per_class, replace=False)
                                    for label in range(classes)]))
            for rng in (np.random.default_rng([seed, draw]) for draw in range(count))]


def few_labels(drawn: Sequence[np.ndarray], pool: np.ndarray, pool_labels: np.ndarray, validation: np.ndarray,
               validation_labels: np.ndarray, test: np.ndarray, test_labels: np.ndarray, classes: int,
               grid: Sequence[float]) -> dict[str, float]:
    """`accuracy_test` of probes that see few labels each, `interval` and `C`: sec. 5.2, on SVHN.

    Each of `drawn` indexes the rows of `pool` (m, d) that one probe is fitted on. Means over these draws; 1.96 standard
    deviations of one draw are the interval, as the authors report it. C has the best mean on validation over a tenth as
    many draws, at least two.
    """
    def fitted(C: float, draw: int) -> np.ndarray:
        return svm.fit(pool[drawn[draw]], pool_labels[drawn[draw]], classes, C)

    def accuracies(C: float, count: int, x: np.ndarray, labels: np.ndarray) -> list[float]:
        # Fits are small: each by one thread of its own is three times as fast as all threads at one after the other.
        with threadpool_limits(1, "blas"), ThreadPoolExecutor(torch.get_num_threads()) as workers:
            return list(workers.map(lambda draw: svm.accuracy(fitted(C, draw), x, labels), range(count)))

    C = choose(grid, lambda C: float(np.mean(accuracies(C, max(len(drawn) // 10, 2), validation, validation_labels))),
               len(validation))
    found = accuracies(C, len(drawn), test, test_labels)
    return {"accuracy_test": float(np.mean(found)), "interval": 1.96 * float(np.std(found, ddof=1)), "C": C}


def choose(grid: Sequence[float], accuracy: Callable[[float], float], images: int) -> float:
    """The C of `grid` with the best `accuracy` on so many validation `images`, the smallest of equals.

    From the smallest on, until accuracy is below the best by two standard errors: beyond, where the examples can be
    separated, a fit takes longer and longer.
    """
    best, chosen = -1.0, min(grid)
    for C in sorted(grid):
        found = accuracy(C)
        if found > best:
            best, chosen = found, C
        elif best - found > 2 * (best * (1 - best) / images) ** 0.5:
            break
    return chosen


def kept(labels: np.ndarray, validation: float) -> int:
    """How many of the first labels are not for validation."""
    return len(labels) - round(validation * len(labels))


def _check(labels: np.ndarray, classes: int, least: int, otherwise: str) -> None:
    """InputError when a class has less than `least` of the labels, -1 being none."""
    counts = np.bincount(labels[labels >= 0], minlength=classes)
    if counts.min() < least:
        raise InputError(f"class {counts.argmin()} has {counts.min()} of the {counts.sum()} images that a probe may be "
                         f"fitted on, expected {least}: raise evaluate.probe_images, {otherwise}, or leave the class "
                         "out")
