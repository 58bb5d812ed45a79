"""What all trials of a search share."""
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pipeline.data.images import Dataset
from pipeline.documents import Params
from pipeline.gan.devices import Device
from pipeline.scores import classifier, frechet
from pipeline.scores.reference import Reference
from pipeline.tuning.storages import Storage


@dataclass(frozen=True)
class Laboratory:
    """What all trials share: images uint8 (n, c, h, w) to train on and to validate with; `real` is of the latter."""
    section: Params
    train_images: np.ndarray
    train_labels: np.ndarray
    validation_images: np.ndarray
    validation_labels: np.ndarray
    real: Reference
    device: Device
    meta: dict[str, Any]
    storage: Storage

    @property
    def score(self) -> str:
        """The name of the distance that trials are judged by."""
        return self.real.name(self.section.train.fid_images)


def prepare(section: Params, dataset: Dataset, real: Reference, device: Device, storage: Storage) -> Laboratory:
    """Sets the validation images apart: a random draw, the same for the same seed."""
    order = np.random.default_rng(section.search.seed).permutation(len(dataset.train_images))
    held_out, kept = (np.sort(part) for part in np.split(order, [section.search.validation]))
    validation = dataset.train_images[held_out]
    moments = frechet.moments(classifier.features(real.classifier, validation))
    return Laboratory(section, dataset.train_images[kept], dataset.train_labels[kept], validation,
                      dataset.train_labels[held_out], replace(real, moments=moments), device, dataset.meta, storage)
