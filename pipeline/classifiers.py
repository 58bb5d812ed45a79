"""The classifiers that measure samples, fitted once for each data set and kept by content.

They are in the repository's scratch folder, under a digest of everything that decides about them, so that studies of
the same images share them.
"""
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

import numpy as np

from pipeline import code, folders, progress, stage, temporary
from pipeline.data.images import Dataset
from pipeline.errors import InputError
from pipeline.gan.devices import Device
from pipeline.params.sections import ReferenceFit
from pipeline.scores import classifier, frechet, reference_model

CHUNK = 1 << 16  # images whose features are in memory at a time


def fitted(dataset: Dataset, params: ReferenceFit, number: int, device: Device, kept: np.ndarray | None = None) -> Path:
    """The scratch folder with classifier `number` of this data set, which is fitted unless a study already did so.

    It is fitted on all training images, or on those at the indices `kept`.
    """
    labelled = dataset.classes > 1
    extractor, classes = ("classifier", dataset.classes) if labelled else ("rotation", classifier.ROTATIONS)
    fit = {key: value for key, value in asdict(params).items() if key != "classifiers"} | {"seed": params.seed + number}
    part = "all" if kept is None else stage.digest(kept.tolist())
    folder = folders.work("reference", stage.digest(
        fit, dataset.digest, part, device.facts, code.digest("scores.classifier"), code.digest("scores.frechet")))
    try:
        reference_model.load(folder, dataset.digest)
        with suppress(OSError), temporary.folder(folder):
            pass  # what a process left that was killed when it had just kept the classifier
    except InputError:  # not there, or damaged
        images = dataset.train_images if kept is None else dataset.train_images[kept]
        labels = dataset.train_labels if kept is None else dataset.train_labels[kept]
        net = classifier.fit(images, labels if labelled else None, classes, params.epochs, params.batch, params.lr,
                             params.seed + number, device, params.net, params.augment,
                             lambda epochs: progress.shown(epochs, f"classifier {number + 1}, epochs"))
        moments = frechet.stream(classifier.features(net, images[i:i + CHUNK]) for i in range(0, len(images), CHUNK))
        reference_model.save(folder, net, moments, {"data": dataset.digest, "shape": dataset.shape, "classes": classes,
                                                    "extractor": extractor})
    return folder
