"""The supervised control: D's architecture learns labels, its conditional and convolutional ends included."""
import numpy as np
import pytest
import torch

from pipeline.data.images import Dataset
from pipeline.gan import literature
from pipeline.gan.build import build, classifier
from pipeline.scores import supervised
from tests.conftest import FP32


def accuracy(dataset: Dataset, labels: np.ndarray, updates: int, name: str = "slides") -> float:
    return supervised.accuracy(literature.network(name, 0.25), 0.2, dataset.train_images, labels, dataset.test_images,
                               dataset.test_labels, 10, updates, 2e-3, 0, FP32)


@pytest.mark.parametrize("name", ["slides", "guidelines-28", "paper-mnist"])
def test_it_learns_the_labels_that_it_is_taught(dataset: Dataset, name: str) -> None:
    assert accuracy(dataset, dataset.train_labels, 150, name) > 0.85
    assert accuracy(dataset, (dataset.train_labels + 1) % 10, 150, name) < 0.1


def test_it_repeats_itself(dataset: Dataset) -> None:
    assert accuracy(dataset, dataset.train_labels, 5) == accuracy(dataset, dataset.train_labels, 5)


@pytest.mark.parametrize("name", literature.NETWORKS)
def test_it_has_Ds_layers_but_for_the_last(name: str) -> None:
    network = literature.network(name, 0.125)
    D = build(network, 0.2, torch.Generator())[1]
    net = classifier(network, 7, 0.2, torch.Generator())
    shapes, ours = ([value.shape for value in stack.parameters()] for stack in (D, net))
    differing = [a for a, b in zip(shapes, ours) if a != b]
    assert len(shapes) == len(ours) and all(shape[0] == 1 for shape in differing) and 1 <= len(differing) <= 2
