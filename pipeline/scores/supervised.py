"""The probe's supervised control: D's architecture, taught the labels that the linear SVM sees.

Radford, Metz & Chintala 2016, arXiv 1511.06434, sec. 5.2, compare with a CNN of the same architecture that learns from
the labels alone. Departure: they search its hyperparameters over 64 trials; ours are given, so that a CNN which does
worse than the probe may be one that was trained badly.
"""
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


def accuracy(network: Network, leak: float, train: np.ndarray, train_labels: np.ndarray, test: np.ndarray,
             test_labels: np.ndarray, classes: int, updates: int, lr: float, seed: int, device: Device) -> float:
    """Share of `test` images that D's architecture reads after `updates` of Adam on mini-batches of `train` images.

    Images are uint8 (n, c, h, w), labels (n,).
    """
    generator = torch.Generator().manual_seed(seed)
    net = classifier(network, classes, leak, generator).to(device.device)
    if device.device.type != "cpu":
        for module in net:
            if isinstance(module, Dropout):
                module.generator = torch.Generator(device.device).manual_seed(seed)
    _teach(net, network, train, train_labels, updates, lr, seed, device)
    with probe.settled(net, network, train, device), torch.no_grad(), device.arithmetic():
        logits = [net(x, y).float().cpu() for x, y in probe.inputs(test, network, device, AT_A_TIME)]
    return (torch.cat(logits).argmax(1).numpy() == test_labels).mean().item()


def _teach(net: Stack, network: Network, images: np.ndarray, labels: np.ndarray, updates: int, lr: float, seed: int,
           device: Device) -> None:
    """So many mini-batches, in a new order whenever too few images for one are left of the last."""
    adam = torch.optim.Adam(net.parameters(), lr, fused=True)
    rng, batch = np.random.default_rng(seed), min(BATCH, len(images))
    order = np.empty(0, np.int64)
    net.train()
    for _ in range(updates):
        if len(order) < batch:
            order = rng.permutation(len(images))
        index, order = order[:batch], order[batch:]
        (x, y), = probe.inputs(images[index], network, device, batch)
        with device.arithmetic():
            logits = net(x, y)
        adam.zero_grad()
        F.cross_entropy(logits.float(), torch.from_numpy(labels[index]).long().to(device.device)).backward()
        adam.step()
