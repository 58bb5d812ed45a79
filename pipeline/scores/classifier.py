"""The data set's own classifier, whose 128 features span the space that distances are measured in.

On digits, features of a digit classifier are the honest choice: Inception-v3 has seen photographs of objects
(mseitzer/pytorch-fid#12, bioinf-jku/TTUR#24). Scores made with it carry `classifier` in their name.

Images without labels, or of one class, get rotation prediction (Gidaris, Singh & Komodakis 2018, arXiv 1803.07728): the
classes are the four quarter turns by which an image is rotated, and scores carry `rotation` in their name.
"""
from collections.abc import Callable, Iterable, Iterator

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pipeline.data.pixels import to_float
from pipeline.gan.devices import Device

BATCH = 500  # images at a time when nothing is learned
ROTATIONS = 4


class Classifier(nn.Module):
    """Convolutions, 128 features, one logit for each class.

    Images float (n, c, h, w) in -1..1 of `shape` (c, h, w), h and w at least 8. `net` is small, three 3x3 convolutions
    with batch norm and pooling, or residual, seven with two shortcuts (He et al. 2016, arXiv 1512.03385).
    """

    def __init__(self, shape: tuple[int, int, int], classes: int, net: str = "small"):
        super().__init__()
        self.net = net
        channels, height, width = shape
        if net == "small":
            self.convolutions = nn.Sequential(
                _block(channels, 32), nn.MaxPool2d(2), _block(32, 64), nn.MaxPool2d(2), _block(64, 128),
                nn.MaxPool2d(2), nn.Flatten())
            places = (height // 8) * (width // 8)
        else:
            self.convolutions = nn.Sequential(
                _block(channels, 32, stride=2 if min(height, width) >= 64 else 1), _block(32, 64, stride=2),
                _Residual(64), _block(64, 128, stride=2), _Residual(128), nn.AdaptiveMaxPool2d(2), nn.Flatten())
            places = 4
        self.dense = nn.Linear(128 * places, 128)
        self.logits = nn.Linear(128, classes)

    def features(self, x: Tensor) -> Tensor:
        """(n, c, h, w) -> (n, 128), not negative."""
        return F.relu(self.dense(self.convolutions(x)))

    def forward(self, x: Tensor) -> Tensor:
        return self.logits(F.dropout(self.features(x), 0.25, self.training))


class _Residual(nn.Module):
    """x + two convolutions of x, (n, c, h, w) -> (n, c, h, w)."""

    def __init__(self, channels: int):
        super().__init__()
        self.blocks = nn.Sequential(_block(channels, channels), _block(channels, channels))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.blocks(x)


def _block(channels: int, out: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(channels, out, 3, stride, padding=1, bias=False), nn.BatchNorm2d(out), nn.ReLU())


def augmented(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The images (n, c, h, w), each shifted by up to an eighth of its size, its border repeated, and half mirrored."""
    n, _, height, width = images.shape
    rows, columns = (np.clip(np.arange(size) + rng.integers(-(size // 8), size // 8 + 1, (n, 1)), 0, size - 1)
                     for size in (height, width))
    columns = np.where(rng.random((n, 1)) < 0.5, columns[:, ::-1], columns)
    shifted = np.take_along_axis(images, rows[:, None, :, None], 2)
    return np.take_along_axis(shifted, columns[:, None, None, :], 3)


def rotated(images: np.ndarray, rotations: np.ndarray) -> np.ndarray:
    """Square images (n, c, s, s), each rotated to the left by so many quarter turns (n,)."""
    result = np.array(images)
    for k in (1, 2, 3):
        result[rotations == k] = np.rot90(images[rotations == k], k, (2, 3))
    return result


def with_rotations(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The images, rotated by 0, 1, 2 and 3 quarter turns one after another, and these counts (n,)."""
    rotations = np.arange(len(images)) % ROTATIONS
    return rotated(images, rotations), rotations


def fit(images: np.ndarray, labels: np.ndarray | None, classes: int, epochs: int, batch: int, lr: float,
        seed: int, device: Device, net: str = "small", augment: bool = False,
        shown: Callable[[Iterable[int]], Iterable[int]] = iter) -> Classifier:
    """A classifier trained on uint8 images (n, c, h, w) and labels (n,), with Adam and a one-cycle learning rate.

    Without labels it learns rotation prediction, with ROTATIONS as `classes`. Its epochs pass through `shown`.
    """
    n = len(images)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        classifier = Classifier(images.shape[1:], classes, net).to(device.device).to(memory_format=torch.channels_last)
        adam = torch.optim.Adam(classifier.parameters(), lr, fused=True)
        schedule = torch.optim.lr_scheduler.OneCycleLR(adam, lr, total_steps=epochs * (n // batch))
        for epoch in shown(range(epochs)):
            numbers = np.random.default_rng([seed, epoch])
            order = numbers.permutation(n)
            for part in np.split(order[:n // batch * batch], n // batch):
                target = numbers.integers(ROTATIONS, size=batch) if labels is None else labels[part]
                seen = augmented(images[part], numbers) if augment else images[part]
                seen = rotated(seen, target) if labels is None else seen
                x, y = to_float(torch.from_numpy(seen)), torch.from_numpy(target).long()
                with device.arithmetic():
                    logits = classifier(x.to(device.device))
                adam.zero_grad()
                F.cross_entropy(logits.float(), y.to(device.device)).backward()
                adam.step()
                schedule.step()
    return classifier.cpu().eval()


@torch.no_grad()
def outputs(classifier: Classifier, images: np.ndarray) -> tuple[Tensor, Tensor]:
    """Features float32 (n, 128) and logits (n, classes) of uint8 images (n, c, h, w)."""
    features = torch.cat([classifier.features(part) for part in batches(images)])
    return features, classifier.logits(features)


def features(classifier: Classifier, images: np.ndarray) -> Tensor:
    """float32 (n, 128) of uint8 images (n, c, h, w)."""
    return outputs(classifier, images)[0]


def accuracy(classifier: Classifier, images: np.ndarray, labels: np.ndarray) -> float:
    """Share of uint8 images (n, c, h, w) whose largest logit is that of their label."""
    return (outputs(classifier, images)[1].argmax(1).numpy() == labels).mean().item()


def batches(images: np.ndarray, low: float = -1.0, size: int = BATCH) -> Iterator[Tensor]:
    """uint8 images in parts of at most `size`, in low..1, channels last; ValueError for images of another type."""
    if images.dtype != np.uint8:
        raise ValueError(f"images are uint8, 0..255; found {images.dtype}")
    for i in range(0, len(images), size):
        part = torch.from_numpy(np.array(images[i:i + size]))
        yield to_float(part, low).contiguous(memory_format=torch.channels_last)
