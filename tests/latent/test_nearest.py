"""Neighbours of a few images: those of brute force, in pixels over several parts, and in features among the first."""
import numpy as np
import pytest
from scipy.spatial.distance import cdist

from pipeline.data.images import Dataset
from pipeline.errors import ScoreError
from pipeline.latent.nearest import nearest
from pipeline.scores import classifier, memorisation
from pipeline.scores.reference_model import Reference
from tests.conftest import FP32


@pytest.fixture(scope="module")
def judge(dataset: Dataset) -> Reference:
    net = classifier.fit(dataset.train_images[:500], dataset.train_labels[:500], 10, 1, 50, 3e-3, 0, FP32)
    return Reference(net, None, {"extractor": "classifier"})  # type: ignore[arg-type]


def test_neighbours_are_those_of_brute_force_by_both_measures(dataset: Dataset, judge: Reference,
                                                              monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memorisation, "PART", 400 * 784)
    queries, train = dataset.test_images[:9], dataset.train_images
    train_features, _ = judge(train[:600])
    found = nearest(queries, train, judge, train_features, 5)
    pixels = cdist(*(images.reshape(len(images), -1) / 255 for images in (queries, train)))
    features = cdist(judge(queries)[0].double(), train_features.double())
    for one, distances in ((found.pixels, pixels), (found.features, features)):
        assert np.array_equal(one.indices, distances.argsort(1)[:, :5])
        np.testing.assert_allclose(one.distances, np.sort(distances, 1)[:, :5], rtol=1e-6)
    assert not np.array_equal(found.pixels.indices, found.features.indices)


def test_the_last_part_may_be_smaller_than_k_but_not_the_training_set(dataset: Dataset, judge: Reference,
                                                                      monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memorisation, "PART", 4 * 784)
    train = dataset.train_images[:10]
    found = memorisation.closest(dataset.test_images[:3], train, 7).indices
    assert found.shape == (3, 7) and all(len(set(row)) == 7 for row in found.tolist())
    with pytest.raises(ScoreError, match="11 training images .* there are 10"):
        nearest(dataset.test_images[:3], train, judge, judge(train)[0], 11)
