"""Stage reference: what every run is measured against, once per data set.

A classifier of the training images, the moments of its features on all of them, and two controls: the scores that real
test images have (what a generator could reach) and the linear probe on raw pixels. Images of one class have no probe,
and their classifier tells how they were turned.
"""
from dataclasses import replace
from pathlib import Path

from pipeline import params, stage
from pipeline.data import images
from pipeline.data.images import Dataset
from pipeline.errors import InputError
from pipeline.finished import Evaluate
from pipeline.gan import devices
from pipeline.scores import classifier, discriminator, frechet
from pipeline.scores import reference as references
from pipeline.scores import sampled
from pipeline.scores.reference import Reference

PART = 1 << 16  # images whose features are in memory at a time


def reference(name: str, data: Path, model: Path, report: Path) -> None:
    """Fits the classifier of the data set NAME in DATA, keeps it in the folder MODEL and its scores in REPORT."""
    section = params.shared(name)
    fit, scoring = section.reference, section.evaluate
    dataset = images.load(data)
    n = len(dataset.train_images)
    if fit.batch > n:
        raise InputError(f"params.yaml: reference.batch = {fit.batch}: expected at most {n}, the training images")
    if len(dataset.test_images) <= scoring.neighbours:
        raise InputError(f"{data}: {len(dataset.test_images)} test images; scores by neighbours need "
                         f"{scoring.neighbours + 1}: lower evaluate.neighbours or hold out more of them")
    device = devices.choose(section.hardware)

    labelled = dataset.classes > 1
    if not (labelled or Path(name).parent.parts):
        raise InputError(f"params.yaml: data: {name} has one class only, and the study compares probes, which need "
                         "two; `dcgan recipe` trains on such images: see recipes/params.yaml")
    extractor, classes = ("classifier", dataset.classes) if labelled else ("turns", classifier.TURNS)
    net = classifier.fit(dataset.train_images, dataset.train_labels if labelled else None, classes, fit.epochs,
                         fit.batch, fit.lr, fit.seed, device)
    moments = frechet.stream(classifier.features(net, dataset.train_images[i:i + PART]) for i in range(0, n, PART))
    asked = (dataset.test_images, dataset.test_labels) if labelled else classifier.with_turns(dataset.test_images)
    scores = {f"{extractor}_accuracy_test": classifier.accuracy(net, *asked), "test_images": len(dataset.test_images)}
    references.save(model, net, moments, {"data": dataset.digest, "shape": dataset.shape,
                                          "classes": classes, "extractor": extractor})
    scores |= of_test_images(references.load(model, dataset.digest), dataset, scoring)
    if labelled:
        scores |= discriminator.of_pixels(dataset, scoring)
    stage.write_scores(report / "metrics.json", scores)
    print("reference: " + ", ".join(f"{key} {value:.4g}" for key, value in scores.items()))


def of_test_images(judge: Reference, dataset: Dataset, scoring: Evaluate) -> dict[str, float]:
    """What real test images score, as many as there are samples in a set if there are so many: a generator's goal."""
    tested = dataset.test_images[:scoring.fid_images]
    side = replace(sampled.judged(judge, dataset, scoring.fid_images), count=len(tested))
    scores, _ = sampled.of(side, tested, scoring.neighbours, scoring.seed)
    return {f"{name}_of_test_images": value for name, value in scores.items()}


if __name__ == "__main__":
    stage.main(reference)
