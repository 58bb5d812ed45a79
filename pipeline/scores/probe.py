"""Linear probe: how well a linear SVM tells the classes apart on a discriminator's features.

Radford, Metz & Chintala 2016, arXiv 1511.06434, sec. 5.1: the outputs of all convolution layers, each max-pooled to a
4x4 grid, flattened and concatenated; then a regularised linear L2-SVM. Features are not standardised, as in the
authors' code. The number means nothing without its controls: the same on raw pixels and on an untrained D.
"""
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from scipy.linalg import cholesky, lapack
from scipy.optimize import minimize
from torch import Tensor, nn
from torch.nn import functional as F

from pipeline.errors import InputError
from pipeline.gan.build import Stack
from pipeline.gan.devices import Device
from pipeline.gan.layers import Labels
from pipeline.gan.networks import Network
from pipeline.gan.sampling import averaging
from pipeline.scores.classifier import BATCH, batches

STATISTICS_IMAGES, STATISTICS_BATCH = 12_800, 128
TOLERANCE = 3e-5  # relative fall of the objective below which the fit ends


@torch.no_grad()
def features(D: Stack, network: Network, images: tuple[np.ndarray, ...], device: Device) -> list[np.ndarray]:
    """float32 (n, 16 * channels of all convolutions) of each array of uint8 images, taken after every activation.

    Batch norms have the averages of their statistics over mini-batches of the first array, which is that of training
    images, as in the authors' code; D stays as it is. A conditional D is told no class: its labels are all zero.
    """
    def pooled(array: np.ndarray, size: int) -> Iterator[Tensor]:
        with device.autocast():
            for part in batches(array, network.low, size):
                y = torch.zeros(len(part), network.classes, device=device.device) if network.classes else None
                yield torch.cat(_pooled(D, part.to(device.device), y), dim=1).float().cpu()

    def feed() -> None:
        whole = max(min(len(images[0]), STATISTICS_IMAGES) // STATISTICS_BATCH, 1) * STATISTICS_BATCH
        for _ in pooled(images[0][:whole], STATISTICS_BATCH):
            pass

    with averaging(D, feed):
        return [torch.cat(list(pooled(array, BATCH))).numpy() for array in images]


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
    """The probe's accuracy on `test` and the C behind it.

    C is chosen on the last share `validation` of the training features, fitted on the others; then the SVM is fitted
    on all of them. Features (n, d) float32, labels (n,). InputError when the others lack a class.
    """
    kept = len(train) - round(validation * len(train))
    x, held_out, y, held_out_labels = train[:kept], train[kept:], train_labels[:kept], train_labels[kept:]
    if absent := sorted(set(range(classes)) - set(y.tolist())):
        raise InputError(f"no image of class {absent[0]} among the {len(y)} that the probe is fitted on: raise "
                         "evaluate.probe_images or, where these are all images, leave the class out")
    weights, accuracies = [np.zeros((x.shape[1] + 1, classes), np.float32)], []
    gram = _gram(x)
    for C in sorted(grid):
        weights.append(fit(x, y, classes, C, weights[-1], gram))
        accuracies.append(accuracy(weights[-1], held_out, held_out_labels))
    best = int(np.argmax(accuracies))
    C = sorted(grid)[best]
    w = fit(train, train_labels, classes, C, weights[best + 1], gram)
    return {"accuracy_test": accuracy(w, test, test_labels), "C": C}


def fit(x: np.ndarray, labels: np.ndarray, classes: int, C: float, start: np.ndarray | None = None,
        gram: np.ndarray | None = None) -> np.ndarray:
    """Weights (d + 1, classes) of one-against-rest L2-SVMs on features x (n, d); the last row is the bias.

    Each column minimises |w|^2 / 2 + C * sum(max(0, 1 - y * (x w + b))^2), bias included: liblinear's default problem
    (Fan et al. 2008). L-BFGS for all classes at once, in coordinates where the Hessian is near the identity, as raw
    features are so unevenly scaled that it takes several times as many steps without. `start` and `gram` (of features
    much like x) save steps; the solution does not depend on them.
    """
    x = _with_bias(x)
    y = np.where(labels[:, None] == np.arange(classes), np.float32(1), np.float32(-1))
    # A tenth to a third of the examples stay inside the margin; only they count in the Hessian.
    hessian = np.eye(x.shape[1], dtype=np.float32) + np.float32(2 * C * 0.2) * (x.T @ x if gram is None else gram)
    root = cholesky(hessian, check_finite=False)
    scale, _ = lapack.strtri(root)
    shape = (x.shape[1], classes)

    def objective(v: np.ndarray) -> tuple[float, np.ndarray]:
        w = scale @ v.reshape(shape).astype(np.float32)
        margin = np.maximum(1 - y * (x @ w), 0)
        value = np.square(w, dtype=np.float64).sum() / 2 + C * np.square(margin, dtype=np.float64).sum()
        gradient = w - np.float32(2 * C) * (x.T @ (y * margin))
        return value, (scale.T @ gradient).astype(np.float64).ravel()

    options = {"maxiter": 500, "ftol": TOLERANCE, "gtol": 0, "maxcor": 20}
    begin = np.zeros(shape) if start is None else root @ start
    result = minimize(objective, begin.astype(np.float64).ravel(), jac=True, method="L-BFGS-B", options=options)
    return scale @ result.x.reshape(shape).astype(np.float32)


def _gram(x: np.ndarray) -> np.ndarray:
    x = _with_bias(x)
    return x.T @ x


def accuracy(w: np.ndarray, x: np.ndarray, labels: np.ndarray) -> float:
    """Share of features x (n, d) whose highest value under weights w (d + 1, classes) is that of their label."""
    return ((_with_bias(x) @ w).argmax(1) == labels).mean().item()


def _with_bias(x: np.ndarray) -> np.ndarray:
    return np.concatenate([x, np.ones((len(x), 1), x.dtype)], axis=1)
