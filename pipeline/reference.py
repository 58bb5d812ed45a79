"""Stage reference: what every run is measured against, once per data set.

A classifier of the training images, the moments of its features on all of them, and two controls: the distance that
real test images have (the floor for a generator) and the linear probe on raw pixels. Images of one class have no
probe, and their classifier tells how they were turned.
"""
from pathlib import Path

from pipeline import params, stage
from pipeline.data import images
from pipeline.errors import InputError
from pipeline.gan import devices
from pipeline.scores import classifier, frechet, probe
from pipeline.scores import reference as references


def reference(name: str, data: Path, model: Path, report: Path) -> None:
    """Fits the classifier of the data set NAME in DATA, keeps it in the folder MODEL and its scores in REPORT."""
    section = params.shared(name)
    fit, scoring = section.reference, section.evaluate
    dataset = images.load(data)
    n = len(dataset.train_images)
    if fit.batch > n:
        raise InputError(f"params.yaml: reference.batch = {fit.batch}: expected at most {n}, the training images")
    device = devices.choose(section.hardware)

    labelled = dataset.classes > 1
    if not (labelled or Path(name).parent.parts):
        raise InputError(f"params.yaml: data: {name} has one class only, and the study compares probes, which need "
                         "two; `dcgan recipe` trains on such images: see recipes/params.yaml")
    extractor, classes = ("classifier", dataset.classes) if labelled else ("turns", classifier.TURNS)
    net = classifier.fit(dataset.train_images, dataset.train_labels if labelled else None, classes, fit.epochs,
                         fit.batch, fit.lr, fit.seed, device)
    moments = frechet.moments(classifier.features(net, dataset.train_images))
    test_moments = frechet.moments(classifier.features(net, dataset.test_images))
    asked = (dataset.test_images, dataset.test_labels) if labelled else classifier.with_turns(dataset.test_images)
    scores = {
        f"{extractor}_accuracy_test": classifier.accuracy(net, *asked),
        f"fid_{extractor}_of_test_images": frechet.distance(test_moments, moments),
        "test_images": len(dataset.test_images),
    }
    if labelled:
        used = min(scoring.probe_images, n)
        raw = probe.score(probe.pixels(dataset.train_images[:used]), dataset.train_labels[:used],
                          probe.pixels(dataset.test_images), dataset.test_labels, dataset.classes,
                          scoring.probe_validation, scoring.probe_C)
        scores |= {"probe_accuracy_test_of_pixels": raw["accuracy_test"], "probe_C_of_pixels": raw["C"]}
    references.save(model, net, moments, {"data": dataset.digest, "shape": dataset.shape,
                                          "classes": classes, "extractor": extractor})
    stage.write_scores(report / "metrics.json", scores)
    print(f"reference: {extractor} {scores[f'{extractor}_accuracy_test']:.2%} on test images, "
          f"whose own distance is {scores[f'fid_{extractor}_of_test_images']:.3f}")


if __name__ == "__main__":
    stage.main(reference)
