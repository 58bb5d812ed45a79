"""All scores of one discriminator as a feature extractor, beside its controls."""
import numpy as np
import torch

from pipeline.data.images import Dataset
from pipeline.gan.build import Stack, build
from pipeline.gan.devices import Device
from pipeline.gan.networks import Network
from pipeline.params.scoring import Evaluate
from pipeline.scores import probe, supervised


def of(D: Stack, network: Network, leak: float, seed: int, dataset: Dataset, scoring: Evaluate,
       device: Device) -> dict[str, float]:
    """The linear probe on D's features, with all labels and with few, and the same on D as it was before training.

    `leak` and `seed` are those of D's training. `dataset`, of images of D's shape, need not be what D was trained on;
    all labels are those of its first `probe_images`. D's architecture, taught from the same labels, is the other
    control; the third, raw pixels, needs no D and is in `of_pixels`. D is moved to the device,
    and otherwise stays as it is.
    """
    images, labels = seen(dataset, scoring)
    _, untrained = build(network, leak, torch.Generator().manual_seed(seed))
    scores: dict[str, float] = {}
    for net, suffix in ((D, ""), (untrained, "_of_untrained_D")):
        train, test = probe.features(net.to(device.device), network, (images, dataset.test_images), device)
        scores |= _probes(train, labels, test, dataset, scoring, suffix)
    few = probe.drawn(labels, dataset.classes, scoring.probe_validation, scoring.labels_per_class, scoring.seed, 0)
    for subset, name in ((slice(None), "test"), (few, few_name(dataset, scoring))):
        scores[f"accuracy_{name}_of_supervised_CNN"] = supervised.accuracy(
            network, leak, images[subset], labels[subset], dataset.test_images, dataset.test_labels, dataset.classes,
            scoring.supervised_updates, scoring.supervised_lr, seed, device)
    return scores


def of_pixels(dataset: Dataset, scoring: Evaluate) -> dict[str, float]:
    """The same probes on raw pixels."""
    images, labels = seen(dataset, scoring)
    return _probes(probe.pixels(images), labels, probe.pixels(dataset.test_images), dataset, scoring, "_of_pixels")


def seen(dataset: Dataset, scoring: Evaluate) -> tuple[np.ndarray, np.ndarray]:
    """The training images that probes see, and their labels."""
    return dataset.train_images[:scoring.probe_images], dataset.train_labels[:scoring.probe_images]


def few_name(dataset: Dataset, scoring: Evaluate) -> str:
    """How few labels are called in names of scores, like 1000_labels."""
    return f"{dataset.classes * scoring.labels_per_class}_labels"


def _probes(train: np.ndarray, labels: np.ndarray, test: np.ndarray, dataset: Dataset, scoring: Evaluate,
            suffix: str) -> dict[str, float]:
    shared = train, labels, test, dataset.test_labels, dataset.classes, scoring.probe_validation, scoring.probe_C
    found = probe.score(*shared)
    few = probe.few_labels(*shared, scoring.labels_per_class, scoring.resamples, scoring.seed)
    name = f"probe_accuracy_{few_name(dataset, scoring)}"
    return {f"probe_accuracy_test{suffix}": found["accuracy_test"], f"probe_C{suffix}": found["C"],
            f"{name}{suffix}": few["accuracy_test"], f"{name}_interval{suffix}": few["interval"]}
