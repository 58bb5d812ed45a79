"""Stage reference: the classifiers that every training of a study is measured by.

Each has the moments of its features on all training images. The first measures; the others, which differ in their
seeds, tell how far rankings depend on it. Where images have no labels, or one, they predict by how much an image was
rotated.
"""
import json
import shutil

from pipeline import classifiers, code, files, folders, stage
from pipeline.data import images
from pipeline.data.images import Dataset
from pipeline.errors import InputError
from pipeline.gan import devices
from pipeline.params import reading
from pipeline.params.sections import ReferenceFit
from pipeline.scores import classifier, reference_model


def reference() -> None:
    """Fills models/reference with the classifiers, each with its moments."""
    study = reading.load()
    dataset = images.load(folders.data(study.data.name))
    check(study.reference, dataset)
    device = devices.choose(study.hardware)
    with files.replacing(folders.REFERENCE) as temporary:
        for number in range(study.reference.classifiers):
            kept = classifiers.fitted(dataset, study.reference, number, device)
            place = folders.classifier(number, temporary)
            shutil.copytree(kept, place, dirs_exist_ok=True)
            facts = json.loads((kept / "reference.json").read_text()) | {"code": code.digest("reference")}
            files.write(place / "reference.json", (json.dumps(facts, indent=2) + "\n").encode())
    labelled = dataset.classes > 1
    inputs = (dataset.test_images, dataset.test_labels) if labelled else classifier.with_rotations(dataset.test_images)
    for number in range(study.reference.classifiers):
        loaded = reference_model.load(folders.classifier(number), dataset.digest)
        accuracy = classifier.accuracy(loaded.classifier, *inputs)
        print(f"reference: {loaded.extractor} {number + 1} is right about {accuracy:.2%} of the test images")


def check(params: ReferenceFit, dataset: Dataset) -> None:
    """InputError when there are too few images for the classifier."""
    if params.batch > (train := len(dataset.train_images)):
        raise InputError(f"params.yaml: reference.batch = {params.batch}: expected at most {train}, the training "
                         "images")


if __name__ == "__main__":
    stage.main(reference)
