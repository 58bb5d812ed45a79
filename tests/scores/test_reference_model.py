"""The reference: a classifier that classifies, and a distance with the right direction; both survive the disk."""
import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.data.images import Dataset
from pipeline.errors import InputError
from pipeline.scores import classifier
from pipeline.scores import reference_model as references
from pipeline.scores.reference_model import Reference
from tests.conftest import FP32, ROOT


def test_the_classifier_reads_digits_it_has_not_seen(reference: Reference, dataset: Dataset) -> None:
    assert classifier.accuracy(reference.classifier, dataset.test_images, dataset.test_labels) > 0.95
    wrong = (dataset.test_labels + 1) % 10
    assert classifier.accuracy(reference.classifier, dataset.test_images, wrong) < 0.05


def test_without_labels_it_learns_how_images_were_turned(dataset: Dataset) -> None:
    """To the left: a bright top row becomes the left column. Digits like 0 and 8 cannot be told upside down."""
    images = np.zeros((5, 1, 4, 4), np.uint8)
    images[:, :, 0] = 255
    seen, turns = classifier.with_rotations(images)
    assert turns.tolist() == [0, 1, 2, 3, 0] and images[1, 0, 0].all()
    assert [seen[i, 0].astype(bool).sum(axis).argmax() for i, axis in ((0, 1), (1, 0), (2, 1), (3, 0))] == [0, 0, 3, 3]
    net = classifier.fit(dataset.train_images, None, classifier.ROTATIONS, 4, 50, 3e-3, 0, FP32)
    assert classifier.accuracy(net, *classifier.with_rotations(dataset.test_images)) > 0.75
    assert classifier.accuracy(net, dataset.test_images, np.zeros(360)) > 0.75  # as they are
    assert classifier.accuracy(net, dataset.test_images, np.full(360, 2)) < 0.25


def test_fitting_repeats_itself_and_leaves_the_global_generator_alone(dataset: Dataset) -> None:
    torch.manual_seed(5)
    expected = torch.rand(1, generator=torch.Generator().manual_seed(5))
    nets = [classifier.fit(dataset.train_images[:100], dataset.train_labels[:100], 10, 1, 50, 3e-3, 0, FP32)
            for _ in range(2)]
    assert torch.equal(torch.rand(1), expected)
    assert all(torch.equal(a, b) for a, b in zip(nets[0].state_dict().values(), nets[1].state_dict().values()))


@pytest.mark.slow
def test_the_residual_net_reads_digits_from_images_that_are_shifted_and_mirrored(dataset: Dataset) -> None:
    """Half of the digits that it learns from are mirrored, and those that it reads are not."""
    net = classifier.fit(dataset.train_images, dataset.train_labels, 10, 4, 50, 3e-3, 0, FP32, "residual", True)
    assert classifier.accuracy(net, dataset.test_images, dataset.test_labels) > 0.85
    assert classifier.features(net, dataset.test_images[:5]).shape == (5, 128)


@pytest.mark.parametrize("shape", [(3, 32, 32), (3, 64, 64), (1, 8, 8), (1, 28, 20)])
@pytest.mark.parametrize("net", ["small", "residual"])
def test_every_net_takes_every_size(shape: tuple[int, int, int], net: str) -> None:
    assert classifier.Classifier(shape, 7, net)(torch.zeros(2, *shape)).shape == (2, 7)


def test_augmented_images_are_shifted_by_up_to_an_eighth_and_half_are_mirrored() -> None:
    images = np.zeros((400, 2, 16, 16), np.uint8)
    images[:, :, 8, 5] = 255
    found = classifier.augmented(images, np.random.default_rng(0))
    assert found.dtype == np.uint8 and found.shape == images.shape and (images[:, :, 8, 5] == 255).all()
    rows, columns = np.array([np.argwhere(one[1])[0] for one in found]).T
    assert (found[:, 0] == found[:, 1]).all() and (found[:, 0] > 0).sum((1, 2)).max() == 1
    assert set(rows) == {6, 7, 8, 9, 10} and set(columns) == {3, 4, 5, 6, 7, 8, 9, 10, 11, 12}
    assert 0.4 < (columns < 7.5).mean() < 0.6


def test_the_distance_grows_with_damage(reference: Reference, dataset: Dataset) -> None:
    """Real test images are nearest; noise added to them moves them away steadily; one class alone is far."""
    rng = np.random.default_rng(0)
    noise = rng.normal(size=dataset.test_images.shape)
    damaged = [np.clip(dataset.test_images + level * noise, 0, 255).astype(np.uint8) for level in (0, 20, 60, 120)]
    distances = [reference.fid(images) for images in damaged]
    assert distances == sorted(distances) and distances[3] > 5 * distances[0]
    assert reference.fid(dataset.train_images[dataset.train_labels == 3]) > 5 * distances[0]
    assert reference.fid(dataset.train_images) == pytest.approx(0, abs=1e-3)


def test_it_survives_the_disk_and_belongs_to_its_data(reference: Reference, dataset: Dataset, tmp_path: Path) -> None:
    folder = tmp_path / "reference"
    references.save(folder, reference.classifier, reference.moments,
                    {"data": "abc", "shape": (1, 28, 28), "classes": 10, "extractor": "classifier"})
    loaded = references.load(folder, "abc")
    assert loaded.facts["net"] == "small"
    assert loaded.fid(dataset.test_images) == pytest.approx(reference.fid(dataset.test_images), rel=1e-9)
    with pytest.raises(InputError, match="made from other data"):
        references.load(folder, "xyz")
    content = (folder / references.FILE).read_bytes()
    (folder / references.FILE).write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(InputError, match="damaged"):
        references.load(folder, "abc")
    (folder / references.FILE).unlink()
    with pytest.raises(InputError, match="not found; run `dvc repro reference`"):
        references.load(folder, "abc")


def test_the_studys_classifier_reads_mnist() -> None:
    """The committed result of stage controls: at least 99 % of MNIST's test images."""
    command = ["git", "show", "HEAD:reports/controls/scores.json"]
    show = subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    assert json.loads(show.stdout)["classifier_accuracy_test"] >= 0.99


def test_the_distance_depends_neither_on_batches_nor_on_order(reference: Reference, dataset: Dataset,
                                                              monkeypatch: pytest.MonkeyPatch) -> None:
    """float32 convolutions of other batches may differ in the last bit; sums in float64 add nothing to that."""
    expected = reference.fid(dataset.test_images)
    order = np.random.default_rng(0).permutation(len(dataset.test_images))
    assert reference.fid(dataset.test_images[order]) == pytest.approx(expected, rel=1e-6)
    monkeypatch.setattr(classifier, "BATCH", 7)
    assert reference.fid(np.array(dataset.test_images)) == pytest.approx(expected, rel=1e-6)


def test_images_of_another_type_are_refused(reference: Reference) -> None:
    with pytest.raises(ValueError, match="images are uint8, 0..255; found float32"):
        reference(np.zeros((2, 1, 28, 28), np.float32))
