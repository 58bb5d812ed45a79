"""Memorisation and the paper's MNIST table: distances in pixels against brute force, and what cannot be compared."""
import numpy as np
import pytest
from scipy.spatial.distance import cdist

from pipeline.data.images import Dataset
from pipeline.errors import ScoreError
from pipeline.scores import generated_labels, memorisation


def test_nearest_training_images_are_those_of_brute_force(dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memorisation, "PART", 500 * 784)
    found = memorisation.nearest(dataset.test_images[:50], dataset.train_images)
    sets = dataset.test_images[:50], dataset.train_images
    distances = cdist(*(images.reshape(len(images), -1) / 255 for images in sets))
    np.testing.assert_allclose(found.distances, distances.min(1), rtol=1e-6)
    assert np.array_equal(found.indices, distances.argmin(1))


def test_the_ratio_is_of_medians_and_near_copies_are_below_one_in_a_hundred() -> None:
    test = np.arange(1.0, 201)
    assert memorisation.ratio(np.array([1.0, 50.25, 90]), test) == 0.5
    assert memorisation.near_copies(np.array([0.5, 2.0, 2.5, 100]), test) == 0.5  # the 2nd of 200 is the border
    assert memorisation.near_copies(test, test) == 0.01


def test_a_test_set_of_copies_is_nothing_to_compare_with() -> None:
    with pytest.raises(ScoreError, match="more than half of the test images are training images"):
        memorisation.ratio(np.ones(3), np.array([0.0, 0, 1]))


def test_a_class_that_was_never_taught_is_always_wrong(dataset: Dataset) -> None:
    few = dataset.train_labels < 9
    nines = dataset.test_labels == 9
    assert generated_labels.error(dataset.train_images[few], dataset.train_labels[few], dataset.test_images[nines],
                                  dataset.test_labels[nines]) == 1
