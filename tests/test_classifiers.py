"""Classifiers: fitted once for each data set and seed, by content; another part of the images makes another one."""
from pathlib import Path

import numpy as np
import pytest

from pipeline import classifiers
from pipeline.data.images import Dataset
from pipeline.params.sections import ReferenceFit
from pipeline.scores import classifier, reference_model
from tests.conftest import FP32

FIT = ReferenceFit(epochs=1, batch=50)


@pytest.fixture
def fits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many images every fit has seen, in an empty repository."""
    monkeypatch.chdir(tmp_path)
    seen: list[int] = []
    fit = classifier.fit

    def counted(images: np.ndarray, *words: object) -> classifier.Classifier:
        seen.append(len(images))
        return fit(images[:100], words[0][:100], *words[1:])  # type: ignore[index,arg-type]

    monkeypatch.setattr(classifier, "fit", counted)
    return seen


def test_a_classifier_is_fitted_once_and_its_seed_and_images_make_another(dataset: Dataset, fits: list[int]) -> None:
    first = classifiers.fitted(dataset, FIT, 0, FP32)
    assert classifiers.fitted(dataset, FIT, 0, FP32) == first and fits == [1437]
    second = classifiers.fitted(dataset, FIT, 1, FP32)
    part = classifiers.fitted(dataset, FIT, 0, FP32, np.arange(700))
    assert len({first, second, part}) == 3 and fits == [1437, 1437, 700]
    assert classifiers.fitted(dataset, ReferenceFit(epochs=1, batch=50, classifiers=5), 0, FP32) == first
    assert classifiers.fitted(dataset, ReferenceFit(epochs=1, batch=50, seed=1), 0, FP32) == second
    assert reference_model.load(part, dataset.digest).moments.count == 700


def test_a_damaged_classifier_is_fitted_again(dataset: Dataset, fits: list[int]) -> None:
    folder = classifiers.fitted(dataset, FIT, 0, FP32)
    content = (folder / reference_model.FILE).read_bytes()
    (folder / reference_model.FILE).write_bytes(content[:-5])
    assert classifiers.fitted(dataset, FIT, 0, FP32) == folder and len(fits) == 2
    assert (folder / reference_model.FILE).read_bytes() == content
