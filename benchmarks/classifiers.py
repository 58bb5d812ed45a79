"""How well the classifiers for photographs read them: python -m benchmarks.classifiers STUDY [COUNT]

Fits the classifiers of a study in studies/, like paper-64-eurosat, whose data `dvc repro fetch` has brought there, and
prints the accuracy on the test images and the time of each. A classifier that was fitted before is not fitted again.
"""
import os
import sys
import time
from pathlib import Path

import torch

from pipeline import classifiers, folders
from pipeline.data import images
from pipeline.gan import devices
from pipeline.params import reading
from pipeline.scores import classifier, reference_model


def main() -> None:
    """Prints a line for each classifier."""
    os.chdir(Path(folders.STUDIES) / sys.argv[1])
    study = reading.load()
    dataset, device = images.load(folders.data(study.data.name)), devices.choose(study.hardware)
    for number in range(int(sys.argv[2]) if len(sys.argv) > 2 else study.reference.classifiers):
        begin = time.perf_counter()
        kept = classifiers.fitted(dataset, study.reference, number, device)
        seconds = time.perf_counter() - begin
        net = reference_model.load(kept, dataset.digest).classifier
        accuracy = classifier.accuracy(net, dataset.test_images, dataset.test_labels)
        precision, threads = str(device.dtype).removeprefix("torch."), torch.get_num_threads()
        print(f"{sys.argv[1]}, classifier {number + 1}: {accuracy:.2%} of {len(dataset.test_images):,} test images, "
              f"fitted on {len(dataset.train_images):,} for {study.reference.epochs} epochs in {seconds:.0f} s, "
              f"{threads} threads, {precision}")


if __name__ == "__main__":
    main()
