"""What all trials of a search share."""
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pipeline.data.images import Dataset
from pipeline.gan.devices import Device
from pipeline.params.scoring import Evaluate
from pipeline.params.searching import Search
from pipeline.params.sections import Train
from pipeline.scores import classifier, frechet
from pipeline.scores.reference_model import Reference
from pipeline.tuning.storages import Storage


@dataclass(frozen=True)
class Setup:
    """Images uint8 (n, c, h, w) to train on and to validate with, whose moments the reference has, and the sections of
    params.yaml: `search`, the numbers that `train` gives to every trial, and `scoring`.
    """
    search: Search
    train: Train
    scoring: Evaluate
    train_images: np.ndarray
    train_labels: np.ndarray
    validation_images: np.ndarray
    validation_labels: np.ndarray
    reference: Reference
    device: Device
    meta: dict[str, Any]
    storage: Storage

    @property
    def score(self) -> str:
        """The name of the distance that decides between trials."""
        return self.reference.name(self.train.fid_images)


def prepare(search: Search, train: Train, scoring: Evaluate, dataset: Dataset, reference: Reference, device: Device,
            storage: Storage) -> Setup:
    """Holds out the validation images: a random draw, the same for the same seed."""
    order = np.random.default_rng(search.seed).permutation(len(dataset.train_images))
    held_out, kept = (np.sort(part) for part in np.split(order, [search.validation]))
    validation = dataset.train_images[held_out]
    moments = frechet.moments(classifier.features(reference.classifier, validation))
    return Setup(search, train, scoring, dataset.train_images[kept], dataset.train_labels[kept], validation,
                 dataset.train_labels[held_out], replace(reference, moments=moments), device, dataset.meta, storage)
