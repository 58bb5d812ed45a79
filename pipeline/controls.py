"""Stage controls: the scores that samples and discriminators are held against.

These are the scores of real test images, which no generator can be expected to beat; the linear probe on raw pixels;
and what D's architecture, as section train has it, learns from the same labels alone. Images of one class have no
probe.
"""
from dataclasses import replace

from pipeline import code, folders, progress, stage
from pipeline.data import images
from pipeline.data.images import Dataset
from pipeline.errors import InputError
from pipeline.gan import devices, literature
from pipeline.params import reading
from pipeline.params.scoring import Evaluate
from pipeline.scores import classifier, discriminator, reference_model, sample_scores
from pipeline.scores.reference_model import Reference


def controls() -> None:
    """Writes reports/controls/scores.json."""
    study = reading.load()
    dataset = images.load(folders.data(study.data.name))
    scoring, labelled = study.evaluate, dataset.classes > 1
    check(scoring, dataset)
    reference = reference_model.load(folders.REFERENCE, dataset.digest)
    code.check_made("reference", reference.facts.get("code"), folders.REFERENCE)
    with progress.steps("controls", 4 if labelled else 2) as step:
        step("the reference's accuracy")
        inputs = ((dataset.test_images, dataset.test_labels) if labelled
                  else classifier.with_rotations(dataset.test_images))
        scores = {f"{reference.extractor}_accuracy_test": classifier.accuracy(reference.classifier, *inputs),
                  "test_images": len(dataset.test_images)}
        step("real test images")
        scores |= of_test_images(reference, dataset, scoring)
        if labelled:
            step("a probe of pixels")
            scores |= discriminator.of_pixels(dataset, scoring)
            step("a supervised CNN")
            run = study.train.run
            network = literature.network(run.network, run.width, run.violate)
            if network.image == dataset.shape:
                scores |= discriminator.of_supervised(network, run.leak, dataset, scoring,
                                                      devices.choose(study.hardware))
    stage.write_scores(folders.report("controls") / "scores.json", scores)
    print("controls: " + ", ".join(f"{key} {value:.4g}" for key, value in scores.items()))


def check(scoring: Evaluate, dataset: Dataset) -> None:
    """InputError when there are too few images for scores by neighbours, or two probes would have one name."""
    if (test := len(dataset.test_images)) <= scoring.neighbours:
        raise InputError(f"params.yaml: evaluate.neighbours = {scoring.neighbours}: expected fewer than the {test} "
                         "test images: choose fewer neighbours or hold out more images")
    few, many = discriminator.few(dataset, scoring), discriminator.many(dataset, scoring)
    if dataset.classes > 1 and few >= many:
        raise InputError(f"params.yaml: evaluate.labels_per_class = {scoring.labels_per_class}: makes {few} labels; "
                         f"expected fewer than the {many} of evaluate.probe_images")


def of_test_images(reference: Reference, dataset: Dataset, scoring: Evaluate) -> dict[str, float]:
    """The scores of real test images, as many as there are samples in a set if there are so many."""
    tested = dataset.test_images[:scoring.fid_images]
    space = replace(sample_scores.classifier_space(reference, dataset, scoring.fid_images, folders.work("features")),
                    count=len(tested))
    scores = sample_scores.scores_of(space, *reference(tested), scoring.neighbours, scoring.seed)
    return {f"{name}_of_test_images": value for name, value in scores.items()}


if __name__ == "__main__":
    stage.main(controls)
