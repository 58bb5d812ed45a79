"""What all trials of a search share."""
import json
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from filelock import FileLock

from pipeline import classifiers, code, folders
from pipeline.data.images import Dataset
from pipeline.gan.devices import Device
from pipeline.params.scoring import Evaluate
from pipeline.params.searching import Search
from pipeline.params.sections import ReferenceFit, Train
from pipeline.params.study import Study
from pipeline.scores.reference_model import Reference
from pipeline.tuning import shared
from pipeline.tuning.storages import Storage


@dataclass(frozen=True)
class Setup:
    """Images uint8 (n, c, h, w) to train on and to validate with, and sections of params.yaml: `search`, the numbers
    that `train` gives to every trial, and `scoring`.

    The reference is a classifier that was fitted on the training images, with the moments of the validation images.
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


def prepare(search: Search, train: Train, scoring: Evaluate, dataset: Dataset, fit: ReferenceFit, device: Device,
            storage: Storage) -> Setup:
    """Holds out the validation images, a random draw, the same for the same seed; fits the classifier on the others."""
    order = np.random.default_rng(search.seed).permutation(len(dataset.train_images))
    held_out, kept = (np.sort(part) for part in np.split(order, [search.validation]))
    with FileLock(folders.work("classifier.lock")):  # workers begin together, and one of them fits it
        classifier = shared.classifier(storage, [asdict(fit) | {"classifiers": 1}, kept.tolist(), str(device.dtype),
                                                 code.digest("scores.reference_model")],
                                       lambda: classifiers.fitted(dataset, fit, 0, device, kept), dataset.digest)
    validation = dataset.train_images[held_out]
    return Setup(search, train, scoring, dataset.train_images[kept], dataset.train_labels[kept], validation,
                 dataset.train_labels[held_out], replace(classifier, moments=classifier.moments_of(validation)), device,
                 dataset.meta, storage)


def conditions_of(params: Study, dataset: Dataset, device: Device) -> dict[str, Any]:
    """All that decides about the scores of a study's trials, as JSON has it.

    The classifier follows from section reference, the data and the split (search.seed and search.validation). Its
    weights are not here: those of another kind of machine differ by rounding, and its workers share the study. Nor is
    the length of a run, which only the confirmation trains.
    """
    conditions, train = asdict(params.search), asdict(params.train)
    for key in ("n_trials", "hours", "candidates", "seeds", "storage", "artifacts"):
        del conditions[key]  # how many trials there are, where, and what follows them
    for key in ("epochs", "decay_epochs", "checkpoint_seconds"):
        del train[key]
    conditions |= {
        "first": {name: {key: value for key, value in asdict(params.runs[name]).items() if key in train}
                  for name in tried_first(params.search)},
        "train": train, "probe_validation": params.evaluate.probe_validation, "data": dataset.digest,
        "reference": asdict(params.reference), "dtype": str(device.dtype), "fast": device.fast,
        "code": code.digest("tuning.trials")}
    del conditions["reference"]["classifiers"]  # trials have the first
    return json.loads(json.dumps(conditions))


def against(search: Search) -> str:
    """The run that the best trials have to beat; '' for none."""
    return search.against or (search.first[-1] if search.first else "")


def tried_first(search: Search) -> list[str]:
    """The runs that a study begins with: that to be beaten, which then prunes what is worse early, and the others."""
    return list(dict.fromkeys([*([against(search)] if against(search) else []), *search.first]))
