"""The supervised control: D's architecture learns labels, its conditional and convolutional ends included."""
from collections.abc import Iterator

import numpy as np
import pytest
import torch

from pipeline.data.images import Dataset
from pipeline.gan import literature
from pipeline.gan.build import build, classifier
from pipeline.scores import supervised
from pipeline.scores.supervised import Examples, Lesson
from tests.conftest import FP32


def lesson(name: str = "slides") -> Lesson:
    return Lesson(literature.network(name, 0.25), 0.2, 10, 0, FP32)


def accuracies(dataset: Dataset, labels: np.ndarray, *lengths: int, name: str = "slides") -> list[float]:
    return list(lesson(name).accuracies(Examples(dataset.train_images, labels),
                                        Examples(dataset.test_images, dataset.test_labels), 2e-3, lengths))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["slides", "guidelines-28", "paper-mnist"])
def test_it_learns_the_labels_that_it_is_taught(dataset: Dataset, name: str) -> None:
    assert accuracies(dataset, dataset.train_labels, 150, name=name)[0] > 0.85
    assert accuracies(dataset, (dataset.train_labels + 1) % 10, 150, name=name)[0] < 0.1


def test_a_look_on_the_way_changes_nothing(dataset: Dataset) -> None:
    assert accuracies(dataset, dataset.train_labels, 5, 10)[1] == accuracies(dataset, dataset.train_labels, 10)[0]


def test_the_rate_that_is_best_at_the_start_goes_on_to_its_best_length(monkeypatch: pytest.MonkeyPatch) -> None:
    curves = {0.1: [0.5, 0.6, 0.7, 0.7], 0.01: [0.6, 0.8, 0.7, 0.9, 0.85, 0.9, 0.9, 0.9, 0.99], 0.001: [0.1, 0.1, 0.95]}
    asked: list[float] = []

    def curve(self: Lesson, train: Examples, tested: Examples, lr: float, lengths: list[int]) -> Iterator[float]:
        for value in curves[lr]:
            asked.append(lr)
            yield value

    monkeypatch.setattr(Lesson, "accuracies", curve)
    nothing = Examples(np.zeros(0), np.zeros(0))
    assert supervised.choose(lesson(), nothing, nothing, list(curves), list(range(10, 110, 10))) == (0.01, 40)
    assert [asked.count(lr) for lr in curves] == [2, 8, 2]


def test_one_length_and_one_rate_are_taken_as_they_are(dataset: Dataset) -> None:
    train = Examples(dataset.train_images, dataset.train_labels)
    assert supervised.choose(lesson(), train, train, [0.001], [3]) == (0.001, 3)


@pytest.mark.parametrize("name", literature.NETWORKS)
def test_it_has_Ds_layers_but_for_the_last(name: str) -> None:
    network = literature.network(name, 0.125)
    D = build(network, 0.2, torch.Generator())[1]
    net = classifier(network, 7, 0.2, torch.Generator())
    shapes, ours = ([value.shape for value in stack.parameters()] for stack in (D, net))
    differing = [a for a, b in zip(shapes, ours) if a != b]
    assert len(shapes) == len(ours) and all(shape[0] == 1 for shape in differing) and 1 <= len(differing) <= 2
