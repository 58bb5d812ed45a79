"""The probe's supervised control: D's architecture, taught the labels that the linear SVM sees.

Radford, Metz & Chintala 2016, arXiv 1511.06434, sec. 5.2, compare with a CNN of the same architecture that learns from
the labels alone, its hyperparameters searched over 64 trials. Here the learning rate and the length of the training are
chosen by validation images, which also choose the probe's C; the fit with the chosen ones sees these images too, as the
probe's does.
"""
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

import numpy as np
import torch
from torch.nn import functional as F

from pipeline.gan.build import Stack, classifier
from pipeline.gan.devices import Device
from pipeline.gan.layers import Dropout
from pipeline.gan.networks import Network
from pipeline.scores import probe
from pipeline.scores.classifier import BATCH as AT_A_TIME

BATCH = 100
PATIENCE = 4  # lengths without a better one end the training


class Examples(NamedTuple):
    """Images uint8 (n, c, h, w) and their labels (n,)."""
    images: np.ndarray
    labels: np.ndarray


@dataclass(frozen=True)
class Lesson:
    """D's architecture with `classes` logits and LeakyReLU's slope `leak`, on `device`, initialised from `seed`."""
    network: Network
    leak: float
    classes: int
    seed: int
    device: Device

    def accuracies(self, train: Examples, tested: Examples, lr: float, lengths: Sequence[int]) -> Iterator[float]:
        """Shares of the images of `tested` that are read after so many mini-batches of `train`, ascending `lengths`."""
        net, rng, order, done = self._net(), np.random.default_rng(self.seed), np.empty(0, np.int64), 0
        adam, batch = torch.optim.Adam(net.parameters(), lr, fused=True), min(BATCH, len(train.images))
        for length in lengths:
            net.train()
            for _ in range(length - done):
                if len(order) < batch:  # too few images for a mini-batch are left of the last order
                    order = rng.permutation(len(train.images))
                index, order = order[:batch], order[batch:]
                self._learn(net, adam, train.images[index], train.labels[index])
            done = length
            with probe.settled(net, self.network, train.images, self.device), torch.no_grad(), self.device.arithmetic():
                logits = [net(x, y).float().cpu()
                          for x, y in probe.inputs(tested.images, self.network, self.device, AT_A_TIME)]
            yield float((torch.cat(logits).argmax(1).numpy() == tested.labels).mean())

    def _net(self) -> Stack:
        net = classifier(self.network, self.classes, self.leak, torch.Generator().manual_seed(self.seed))
        net = net.to(self.device.device)
        for module in net:
            if isinstance(module, Dropout):
                module.generator = torch.Generator(self.device.device).manual_seed(self.seed)
        return net

    def _learn(self, net: Stack, adam: torch.optim.Optimizer, images: np.ndarray, labels: np.ndarray) -> None:
        (x, y), = probe.inputs(images, self.network, self.device, len(images))
        with self.device.arithmetic():
            logits = net(x, y)
        adam.zero_grad()
        F.cross_entropy(logits.float(), torch.from_numpy(labels).long().to(self.device.device)).backward()
        adam.step()


def choose(lesson: Lesson, train: Examples, validation: Examples, rates: Sequence[float],
           lengths: Sequence[int]) -> tuple[float, int]:
    """The rate of `rates` and the length of `lengths` with the best accuracy on validation, the first of equals.

    Rates are compared over the first fifth of the lengths. The best goes on, up to PATIENCE lengths without a better
    one.
    """
    tried = -(-len(lengths) // 5)
    curves = {lr: lesson.accuracies(train, validation, lr, lengths) for lr in rates}
    seen = {lr: list(islice(curve, tried)) for lr, curve in curves.items()}
    lr = max(rates, key=lambda rate: max(seen[rate]))
    for accuracy in curves[lr]:
        seen[lr].append(accuracy)
        if len(seen[lr]) - np.argmax(seen[lr]) > PATIENCE:
            break
    return lr, lengths[int(np.argmax(seen[lr]))]
