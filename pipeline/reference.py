"""Stage reference: what every training of a study is measured against.

A classifier of the training images, the moments of its features on all of them, and two controls: the scores of real
test images, which no generator can be expected to beat, and the linear probe on raw pixels. Images of one class have no
probe, and their classifier predicts by how much an image was rotated.
"""
import json
import shutil
from dataclasses import asdict, replace
from pathlib import Path

from pipeline import code, files, folders, stage
from pipeline.data import images
from pipeline.data.images import Dataset
from pipeline.errors import InputError
from pipeline.gan import devices
from pipeline.gan.devices import Device
from pipeline.params import reading
from pipeline.params.scoring import Evaluate
from pipeline.params.sections import ReferenceFit
from pipeline.scores import classifier, discriminator, frechet, reference_model, sample_scores
from pipeline.scores.reference_model import Reference

CHUNK = 1 << 16  # images whose features are in memory at a time


def reference() -> None:
    """Fills models/reference with the classifier and its moments, and reports/reference with its scores."""
    study = reading.load()
    data = folders.data(study.data.name)
    dataset = images.load(data)
    check(study.reference, study.evaluate, dataset)
    kept = fitted(dataset, study.reference, devices.choose(study.hardware))
    with files.replacing(folders.REFERENCE) as temporary:
        shutil.copytree(kept, temporary, dirs_exist_ok=True)
        facts = json.loads((kept / "reference.json").read_text()) | {"code": code.digest("reference")}
        files.write(temporary / "reference.json", (json.dumps(facts, indent=2) + "\n").encode())
    loaded = reference_model.load(folders.REFERENCE, dataset.digest)

    labelled = dataset.classes > 1
    inputs = (dataset.test_images, dataset.test_labels) if labelled else classifier.with_rotations(dataset.test_images)
    scores = {f"{loaded.extractor}_accuracy_test": classifier.accuracy(loaded.classifier, *inputs),
              "test_images": len(dataset.test_images)}
    scores |= of_test_images(loaded, dataset, study.evaluate)
    if labelled:
        scores |= discriminator.of_pixels(dataset, study.evaluate)
    stage.write_scores(folders.report("reference") / "scores.json", scores)
    print("reference: " + ", ".join(f"{key} {value:.4g}" for key, value in scores.items()))


def check(params: ReferenceFit, scoring: Evaluate, dataset: Dataset) -> None:
    """InputError when there are too few images for the classifier or for scores by neighbours."""
    train, test = len(dataset.train_images), len(dataset.test_images)
    if params.batch > train:
        raise InputError(f"params.yaml: reference.batch = {params.batch}: expected at most {train}, the training "
                         "images")
    if test <= scoring.neighbours:
        raise InputError(f"params.yaml: evaluate.neighbours = {scoring.neighbours}: expected fewer than the {test} "
                         "test images: choose fewer neighbours or hold out more images")


def fitted(dataset: Dataset, params: ReferenceFit, device: Device) -> Path:
    """The scratch folder with this data set's reference, which is fitted unless a study already did so here."""
    labelled = dataset.classes > 1
    extractor, classes = ("classifier", dataset.classes) if labelled else ("rotation", classifier.ROTATIONS)
    kept = folders.work("reference", stage.digest(
        asdict(params), dataset.digest, device.facts, code.digest("scores.classifier"), code.digest("scores.frechet")))
    try:
        reference_model.load(kept, dataset.digest)
    except InputError:  # not there, or damaged
        net = classifier.fit(dataset.train_images, dataset.train_labels if labelled else None, classes, params.epochs,
                             params.batch, params.lr, params.seed, device)
        moments = frechet.stream(classifier.features(net, dataset.train_images[i:i + CHUNK])
                                 for i in range(0, len(dataset.train_images), CHUNK))
        reference_model.save(kept, net, moments, {"data": dataset.digest, "shape": dataset.shape, "classes": classes,
                                                  "extractor": extractor})
    return kept


def of_test_images(loaded: Reference, dataset: Dataset, scoring: Evaluate) -> dict[str, float]:
    """The scores of real test images, as many as there are samples in a set if there are so many."""
    tested = dataset.test_images[:scoring.fid_images]
    space = replace(sample_scores.classifier_space(loaded, dataset, scoring.fid_images, folders.work("features")),
                    count=len(tested))
    scores, _ = sample_scores.scores_of(space, tested, scoring.neighbours, scoring.seed)
    return {f"{name}_of_test_images": value for name, value in scores.items()}


if __name__ == "__main__":
    stage.main(reference)
