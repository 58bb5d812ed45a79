"""All scores of one discriminator: as an extractor of features, beside its controls, and by what it calls real."""
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from pipeline.data.images import Dataset
from pipeline.gan.build import Stack, build
from pipeline.gan.devices import Device
from pipeline.gan.networks import Network
from pipeline.params.scoring import Evaluate
from pipeline.scores import probe, supervised
from pipeline.scores.classifier import BATCH, batches
from pipeline.scores.supervised import Examples, Lesson


@dataclass(frozen=True)
class Labelled:
    """The images that probes see: uint8 (n, c, h, w), their labels, and how many of the first are not for validation.

    `pool` is the union of all `draws` of few labels from the training images, which index its rows.
    """
    images: np.ndarray
    labels: np.ndarray
    kept: int
    pool: np.ndarray
    pool_labels: np.ndarray
    draws: list[np.ndarray]


def labelled(dataset: Dataset, scoring: Evaluate) -> Labelled:
    """What probes see of the training images; InputError when a class has too few."""
    labels = dataset.train_labels[:scoring.probe_images]
    kept = probe.kept(labels, scoring.probe_validation)
    draws = probe.draws(dataset.train_labels, slice(kept, len(labels)), dataset.classes, scoring.labels_per_class,
                        scoring.resamples, scoring.seed)
    union = np.unique(np.concatenate(draws))
    return Labelled(dataset.train_images[:scoring.probe_images], labels, kept, dataset.train_images[union],
                    dataset.train_labels[union], [np.searchsorted(union, draw) for draw in draws])


def of(D: Stack, network: Network, leak: float, seed: int, dataset: Dataset, scoring: Evaluate,
       device: Device) -> dict[str, float]:
    """The linear probe on D's features, with many labels and with few, and the same on D as it was before training.

    `leak` and `seed` are those of D's training. `dataset`, of images of D's shape, need not be what D was trained on.
    D may lack its last layers; the names of its scores say so. The other controls, raw pixels and D's architecture
    taught the labels, need no trained D: `of_pixels`, `of_supervised`. D is moved to the device, and otherwise stays as
    it is.
    """
    seen = labelled(dataset, scoring)
    _, untrained = build(network, leak, torch.Generator().manual_seed(seed))
    whole, layers = len(untrained), sum(isinstance(module, nn.Conv2d) for module in D)
    probed = "probe" if len(D) == whole else f"probe_of_{layers}_layers"
    scores: dict[str, float] = {}
    for net, suffix in ((D, ""), (Stack(*list(untrained)[:len(D)]), "_of_untrained_D")):
        features = probe.features(net.to(device.device), network, (seen.images, dataset.test_images, seen.pool), device)
        scores |= _probes(features, seen, dataset, scoring, suffix, probed)
    return scores


def of_pixels(dataset: Dataset, scoring: Evaluate) -> dict[str, float]:
    """The same probes on raw pixels."""
    seen = labelled(dataset, scoring)
    features = [probe.pixels(images) for images in (seen.images, dataset.test_images, seen.pool)]
    return _probes(features, seen, dataset, scoring, "_of_pixels")


def of_supervised(network: Network, leak: float, dataset: Dataset, scoring: Evaluate,
                  device: Device) -> dict[str, float]:
    """The accuracy of D's architecture taught the same labels, many and few (the first draw), with what was chosen."""
    seen, lesson = labelled(dataset, scoring), Lesson(network, leak, dataset.classes, scoring.seed, device)
    updates = scoring.supervised_epochs * max(seen.kept // supervised.BATCH, 1)
    lengths = sorted({max(1, updates * part // scoring.supervised_epochs)
                      for part in range(1, scoring.supervised_epochs + 1)})
    fitted, validation = (Examples(seen.images[part], seen.labels[part])
                          for part in (slice(seen.kept), slice(seen.kept, None)))
    rare = Examples(seen.pool[seen.draws[0]], seen.pool_labels[seen.draws[0]])
    test = Examples(dataset.test_images, dataset.test_labels)
    scores: dict[str, float] = {}
    for count, shown, whole in ((many, fitted, Examples(seen.images, seen.labels)), (few, rare, rare)):
        lr, length = supervised.choose(lesson, shown, validation, scoring.supervised_lr, lengths)
        accuracy, = lesson.accuracies(whole, test, lr, [length])
        name = f"{count(dataset, scoring)}_labels"
        scores |= {f"accuracy_{name}_of_supervised_CNN": accuracy, f"supervised_lr_{name}": lr,
                   f"supervised_updates_{name}": length}
    return scores


def authenticity(D: Stack, network: Network, dataset: Dataset, trained_on: int, device: Device) -> dict[str, float]:
    """The shares of images that D was trained on, the first `trained_on`, and of as many test images that it calls
    real: one that knows its training images by heart calls them so more often.

    D is in eval mode; a conditional one is given the images' labels.
    """
    count = min(trained_on, len(dataset.test_images))
    train = dataset.train_images[:count], dataset.train_labels[:count]
    with probe.settled(D, network, train[0], device):
        return {f"D_calls_{name}_images_real": _real(D, network, images, labels, device)
                for name, (images, labels) in (("training", train),
                                               ("test", (dataset.test_images[:count], dataset.test_labels[:count])))}


@torch.no_grad()
def _real(D: Stack, network: Network, images: np.ndarray, labels: np.ndarray, device: Device) -> float:
    """The share of uint8 images (n, c, h, w) whose logit is above 0."""
    real = 0
    with device.arithmetic():
        for place, x in enumerate(batches(images, network.low)):
            y = None
            if network.classes:
                part = torch.from_numpy(labels[place * BATCH:place * BATCH + len(x)].astype(np.int64))
                y = F.one_hot(part, network.classes).float().to(device.device)
            real += int((D(x.to(device.device), y) > 0).sum())
    return real / len(images)


def many(dataset: Dataset, scoring: Evaluate) -> int:
    """How many labels the chief probe is fitted on."""
    return min(scoring.probe_images or len(dataset.train_images), len(dataset.train_images))


def few(dataset: Dataset, scoring: Evaluate) -> int:
    """How many labels the probe with few has."""
    return dataset.classes * scoring.labels_per_class


def _probes(features: list[np.ndarray], seen: Labelled, dataset: Dataset, scoring: Evaluate,
            suffix: str, probed: str = "probe") -> dict[str, float]:
    """Both probes, of features of the labelled images, of the test images, and of the pool of draws."""
    train, test, pool = features
    chief = probe.score(train, seen.labels, test, dataset.test_labels, dataset.classes, scoring.probe_validation,
                        scoring.probe_C)
    rare = probe.few_labels(seen.draws, pool, seen.pool_labels, train[seen.kept:], seen.labels[seen.kept:], test,
                            dataset.test_labels, dataset.classes, scoring.probe_C)
    first, second = (f"{count(dataset, scoring)}_labels" for count in (many, few))
    return {f"{probed}_accuracy_{first}{suffix}": chief["accuracy_test"], f"{probed}_C_{first}{suffix}": chief["C"],
            f"{probed}_accuracy_{second}{suffix}": rare["accuracy_test"],
            f"{probed}_accuracy_{second}_interval{suffix}": rare["interval"]}
