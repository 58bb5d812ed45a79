"""The linear probe: the paper's features and protocols, chance on shuffled labels, better than pixels, D untouched."""
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.data.images import Dataset
from pipeline.errors import InputError
from pipeline.gan import literature
from pipeline.gan.build import Stack, build
from pipeline.scores import probe, svm
from tests.conftest import FP32

SLIDES = literature.network("slides")


@pytest.fixture(scope="module")
def D() -> Stack:
    return build(SLIDES, 0.2, torch.Generator().manual_seed(0))[1].eval()


def test_features_are_the_pooled_outputs_of_all_convolutions(D: Stack, dataset: Dataset) -> None:
    found, = probe.features(D, SLIDES, (dataset.train_images[:3],), FP32)
    assert found.shape == (3, 16 * (64 + 128)) and found.dtype == np.float32
    x = torch.from_numpy(dataset.train_images[:3].copy()) / 127.5 - 1
    with torch.no_grad():
        first = D[1](D[0](x))  # 14x14: windows of 4 that overlap; the second layer's 7x7 likewise, of 2 or 3
        second = D[4](D[3](first))
    corner = first[:, :, :4, :4].amax((2, 3)), second[:, :, :2, :2].amax((2, 3))
    np.testing.assert_allclose(found[:, 0:1024:16], corner[0], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found[:, 1024::16], corner[1], rtol=1e-5, atol=1e-6)


def test_features_leave_D_as_it_is_and_do_not_depend_on_the_batch(D: Stack, dataset: Dataset) -> None:
    before = {key: value.clone() for key, value in D.state_dict().items()}
    together, alone = (probe.features(D, SLIDES, (dataset.train_images[:n],), FP32)[0] for n in (600, 1))
    np.testing.assert_allclose(together[:1], alone, rtol=1e-5, atol=1e-6)
    assert all(torch.equal(value, before[key]) for key, value in D.state_dict().items())


def test_shuffled_labels_leave_chance_and_real_ones_do_not(dataset: Dataset) -> None:
    x, test = probe.pixels(dataset.train_images), probe.pixels(dataset.test_images)
    shuffled = np.random.default_rng(0).permutation(dataset.train_labels)

    def accuracy(labels: np.ndarray) -> float:
        return probe.score(x, labels, test, dataset.test_labels, 10, 0.2, [0.01])["accuracy_test"]

    assert accuracy(shuffled) < 0.2 < 0.9 < accuracy(dataset.train_labels)


def test_C_is_chosen_on_validation_images_only(dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    """The best C on the held-out end of the training set wins, whatever it does elsewhere."""
    seen = []

    def fit(x: np.ndarray, labels: np.ndarray, classes: int, C: float, *helps: np.ndarray) -> np.ndarray:
        seen.append((len(x), C))
        return np.full((x.shape[1] + 1, classes), C, np.float32)

    monkeypatch.setattr(svm, "fit", fit)
    monkeypatch.setattr(svm, "accuracy", lambda w, x, labels: float(w[0, 0]) if len(x) == 37 else 1 - float(w[0, 0]))
    x, y = np.zeros((100, 4), np.float32), np.arange(100) % 10
    assert probe.score(x, y, x[:20], y[:20], 10, 0.37, [0.1, 0.3, 0.2])["C"] == 0.3
    assert seen == [(63, 0.1), (63, 0.2), (63, 0.3), (100, 0.3)]


def test_the_grid_is_left_where_accuracy_falls_for_certain() -> None:
    """Two standard errors of 0.8 on 400 images are 0.04."""
    asked = []

    def accuracy(C: float) -> float:
        asked.append(C)
        return {1: 0.7, 2: 0.8, 3: 0.77, 4: 0.8, 5: 0.75, 6: 0.9}[C]

    assert probe.choose([6, 1, 2, 3, 4, 5], accuracy, 400) == 2 and asked == [1, 2, 3, 4, 5]


def test_draws_have_as_many_of_each_class_from_all_images_but_those_that_validate(dataset: Dataset) -> None:
    labels, validating = dataset.train_labels, slice(300, 600)
    draws = probe.draws(labels, validating, 10, 12, 40, 0)
    for drawn in draws:
        assert (np.bincount(labels[drawn]) == 12).all() and len(set(drawn)) == 120 and (np.diff(drawn) > 0).all()
        assert not ((drawn >= 300) & (drawn < 600)).any()
    assert (np.concatenate(draws) >= 600).mean() == pytest.approx((len(labels) - 600) / (len(labels) - 300), abs=0.05)
    again = probe.draws(labels, validating, 10, 12, 2, 0)
    assert (again[0] == draws[0]).all() and (draws[0] != draws[1]).any()


def test_C_of_few_labels_is_chosen_on_validation_and_the_interval_is_of_all_draws(
        monkeypatch: pytest.MonkeyPatch) -> None:
    """Three draws for each C, then thirty at the best; the interval is 1.96 standard deviations."""
    x, labels = np.arange(500, dtype=np.float32)[:, None], np.arange(500) % 10  # an example is its own number
    drawn = probe.draws(labels, slice(0, 0), 10, 12, 30, 0)
    fitted = []

    def fit(features: np.ndarray, its_labels: np.ndarray, classes: int, C: float) -> np.ndarray:
        fitted.append((C, features[:, 0].astype(int)))
        assert (its_labels == labels[fitted[-1][1]]).all()
        return np.array([[C]])

    accuracies = iter(np.tile([0.8, 0.9, 0.7], 10))
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)  # one draw after the other, for the lists here
    monkeypatch.setattr(svm, "fit", fit)
    monkeypatch.setattr(svm, "accuracy", lambda w, x, y: float(w[0, 0]) if len(x) == 37 else next(accuracies))
    found = probe.few_labels(drawn, x, labels, x[:37], labels[:37], x[:7], labels[:7], 10, [0.3, 0.5])
    assert found == {"C": 0.5, "accuracy_test": pytest.approx(0.8),
                     "interval": pytest.approx(1.96 * np.std([0.8, 0.9, 0.7] * 10, ddof=1))}
    assert [C for C, _ in fitted] == [0.3] * 3 + [0.5] * 3 + [0.5] * 30
    assert all((rows == drawn[place % 30]).all() for place, (_, rows) in enumerate(fitted[6:]))


def test_labels_that_are_too_few_are_refused() -> None:
    labels = np.repeat(np.arange(8), [20, 20, 20, 20, 12, 20, 20, 20])
    with pytest.raises(InputError, match="class 4 has 9 of the 149 images that a probe may be fitted on, expected 10: "
                                         ".* lower evaluate.labels_per_class"):
        probe.draws(labels, slice(80, 83), 8, 10, 2, 0)


def test_a_probe_without_a_class_is_refused() -> None:
    x, y = np.zeros((30, 4), np.float32), np.arange(30) % 9
    with pytest.raises(InputError, match="class 9 has 0 of the 25 images that a probe may be fitted on, expected 1"):
        probe.score(x, y, x, y, 10, 5 / 30, [1.0])


def test_batch_norm_has_the_training_images_statistics_and_stays_as_it_is(dataset: Dataset) -> None:
    """Means over mini-batches of 128 of the first array, for both arrays; an untrained D's 0 and 1 would not do."""
    network = literature.network("guidelines-28")
    D = build(network, 0.2, torch.Generator().manual_seed(0))[1]
    before = {key: value.clone() for key, value in D.state_dict().items()}
    train, test = probe.features(D, network, (dataset.train_images, dataset.test_images), FP32)
    assert D.training and all(torch.equal(value, before[key]) for key, value in D.state_dict().items())

    x = [torch.from_numpy(images.copy()) / 127.5 - 1 for images in (dataset.train_images, dataset.test_images)]
    with torch.no_grad():
        maps = [D[2](D[1](D[0](images))) for images in x]
    parts = maps[0][:11 * 128].split(128)
    mean = torch.stack([part.mean((0, 2, 3)) for part in parts]).mean(0)[:, None, None]
    var = torch.stack([part.var((0, 2, 3)) for part in parts]).mean(0)[:, None, None]
    for found, incoming in zip((train, test), maps):
        second = torch.nn.functional.leaky_relu(
            (incoming - mean) / (var + 1e-8).sqrt() * D[3].weight[:, None, None] + D[3].bias[:, None, None], 0.2)
        expected = torch.nn.functional.adaptive_max_pool2d(second, 4).flatten(1).detach()
        np.testing.assert_allclose(found[:, 1024:], expected, rtol=1e-3, atol=1e-4)


def test_a_conditional_D_is_told_no_class(dataset: Dataset) -> None:
    network = literature.network("paper-mnist", 0.25)
    D = build(network, 0.2, torch.Generator().manual_seed(0))[1]
    found, = probe.features(D, network, (dataset.train_images[:128],), FP32)
    assert found.shape == (128, 16 * (16 + 32))
    x = torch.from_numpy(dataset.train_images[:128].copy()) / 255  # its images are in 0..1
    with torch.no_grad():
        first = D[2](D[1](D[0](x, torch.zeros(128, 10))))
    expected = torch.nn.functional.adaptive_max_pool2d(first, 4).flatten(1)
    np.testing.assert_allclose(found[:, :256], expected, rtol=1e-4, atol=1e-5)


def test_features_too_large_for_memory_are_the_same_from_a_file(D: Stack, dataset: Dataset, tmp_path: Path,
                                                                monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    parts = dataset.train_images[:700], dataset.test_images
    expected = probe.features(D, SLIDES, parts, FP32)
    monkeypatch.setattr(probe, "IN_MEMORY", 0)
    found = probe.features(D, SLIDES, parts, FP32)
    assert isinstance(found[0], np.memmap) and not list(tmp_path.iterdir())  # the file has no name
    for a, b in zip(expected, found):
        assert np.array_equal(a, b)
    w = svm.fit(found[0], dataset.train_labels[:700], 10, 0.01)
    assert np.array_equal(w, svm.fit(expected[0], dataset.train_labels[:700], 10, 0.01))


def test_features_of_convolutions_beat_raw_pixels(D: Stack, dataset: Dataset) -> None:
    """On 200 digits that are shifted by up to three pixels, even those of an untrained D: pooling forgives a shift."""
    rng = np.random.default_rng(0)
    train_images, test_images = (np.stack([np.roll(image, rng.integers(-3, 4, 2), (1, 2)) for image in images])
                                 for images in (dataset.train_images, dataset.test_images))
    kept = probe.kept(dataset.train_labels, 0.3)
    drawn = probe.draws(dataset.train_labels, slice(kept, None), 10, 20, 10, 0)

    def accuracy(train: np.ndarray, test: np.ndarray) -> float:
        return probe.few_labels(drawn, train, dataset.train_labels, train[kept:], dataset.train_labels[kept:], test,
                                dataset.test_labels, 10, [0.001, 0.01, 0.1])["accuracy_test"]

    found = accuracy(*probe.features(D, SLIDES, (train_images, test_images), FP32))
    assert found > accuracy(probe.pixels(train_images), probe.pixels(test_images)) + 0.1
