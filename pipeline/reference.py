"""Stage reference: what every run is measured against, once per data set.

A classifier of the training images, the moments of its features on all of them, and two controls: the distance that
real test images have (the floor for a generator) and the linear probe on raw pixels.
"""
from pathlib import Path

from pipeline import params, stage
from pipeline.data import images
from pipeline.errors import InputError
from pipeline.gan import devices
from pipeline.scores import classifier, frechet, probe
from pipeline.scores import reference as references


def reference(data: Path, model: Path, report: Path) -> None:
    """Fits the classifier of the data set in DATA, keeps it in the folder MODEL and its scores in the folder REPORT."""
    section = params.load()
    fit, scoring = section.reference, section.evaluate
    dataset = images.load(data)
    n = len(dataset.train_images)
    if fit.batch > n:
        raise InputError(f"params.yaml: reference.batch = {fit.batch}: expected at most {n}, the training images")
    device = devices.choose(section.hardware)

    net = classifier.fit(dataset.train_images, dataset.train_labels, dataset.classes, fit.epochs, fit.batch, fit.lr,
                         fit.seed, device)
    moments = frechet.moments(classifier.features(net, dataset.train_images))
    test_moments = frechet.moments(classifier.features(net, dataset.test_images))
    used = min(scoring.probe_images, n)
    raw = probe.score(probe.pixels(dataset.train_images[:used]), dataset.train_labels[:used],
                      probe.pixels(dataset.test_images), dataset.test_labels, dataset.classes,
                      scoring.probe_validation, scoring.probe_C)
    scores = {
        "classifier_accuracy_test": classifier.accuracy(net, dataset.test_images, dataset.test_labels),
        "fid_classifier_of_test_images": frechet.distance(test_moments, moments),
        "test_images": len(dataset.test_images),
        "probe_accuracy_test_of_pixels": raw["accuracy_test"],
        "probe_C_of_pixels": raw["C"],
    }
    references.save(model, net, moments, {"data": dataset.digest, "shape": dataset.shape,
                                          "classes": dataset.classes})
    stage.write_scores(report / "metrics.json", scores)
    print(f"reference: classifier {scores['classifier_accuracy_test']:.2%} on test images, "
          f"whose own distance is {scores['fid_classifier_of_test_images']:.3f}")


if __name__ == "__main__":
    stage.main(reference)
