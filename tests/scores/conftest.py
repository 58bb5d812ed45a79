"""What tests of scores share: the reference of scikit-learn's digits."""
import pytest

from pipeline.data.images import Dataset
from pipeline.scores import classifier, frechet
from pipeline.scores.reference_model import Reference
from tests.conftest import FP32


@pytest.fixture(scope="session")
def reference(dataset: Dataset) -> Reference:
    net = classifier.fit(dataset.train_images, dataset.train_labels, 10, 4, 50, 3e-3, 0, FP32)
    moments = frechet.moments(classifier.features(net, dataset.train_images))
    return Reference(net, moments, {"extractor": "classifier", "sha256": "0" * 64, "classes": 10})
