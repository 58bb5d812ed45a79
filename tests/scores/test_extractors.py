"""Features of real images are computed once, and found again by what they were made from, never by a name."""
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from pipeline.scores import extractors, frechet


class Stub:
    """Means of channels, and how often it was asked."""
    extractor = "stub"

    def __init__(self, digest: str = "a"):
        self.digest = digest
        self.calls = 0

    def __call__(self, images: np.ndarray) -> tuple[Tensor, Tensor]:
        self.calls += 1
        features = torch.from_numpy(images.mean((2, 3), dtype=np.float32))
        return features, features


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (40, 3, 8, 8), np.uint8)


def test_features_are_computed_once(images: np.ndarray, tmp_path: Path) -> None:
    first, again = Stub(), Stub()
    expected = images.mean((2, 3))
    for stub in (first, again):
        real = extractors.reference_features(stub, images, "data", tmp_path / "kept")
        np.testing.assert_allclose(real.features, expected, rtol=1e-6)
        assert frechet.distance(real.moments, frechet.moments(torch.from_numpy(expected))) == pytest.approx(0, abs=1e-6)
    assert (first.calls, again.calls) == (1, 0)


def test_other_images_weights_or_counts_are_not_served_stale(images: np.ndarray, tmp_path: Path) -> None:
    """The data set's digest stands for its images: images.load compares it with their bytes."""
    extractors.reference_features(Stub(), images, "data", tmp_path)
    others = (Stub("b"), images, "data"), (Stub(), images, "other data"), (Stub(), images[:30], "data")
    for stub, seen, data in others:
        assert len(extractors.reference_features(stub, seen, data, tmp_path).features) == len(seen) and stub.calls == 1


@pytest.mark.parametrize("damage", [lambda content: content[:-1], lambda content: b"", lambda content: bytes(
    [*content[:-3], content[-3] ^ 1, *content[-2:]])])
def test_a_damaged_file_is_made_again(images: np.ndarray, tmp_path: Path, damage: object) -> None:
    expected = extractors.reference_features(Stub(), images, "data", tmp_path).features
    file, = tmp_path.iterdir()
    whole = file.read_bytes()
    file.write_bytes(damage(whole))  # type: ignore[operator]
    stub = Stub()
    assert torch.equal(extractors.reference_features(stub, images, "data", tmp_path).features, expected)
    assert stub.calls == 1 and file.read_bytes() == whole
