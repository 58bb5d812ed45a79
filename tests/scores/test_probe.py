"""The linear probe: the paper's features, liblinear's problem, chance on shuffled labels, D untouched."""
import numpy as np
import pytest
import torch
from sklearn.svm import LinearSVC

from pipeline.data.images import Dataset
from pipeline.errors import InputError
from pipeline.gan import literature
from pipeline.gan.build import Stack, build
from pipeline.scores import probe
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


@pytest.mark.parametrize("C", [1e-3, 0.1])
def test_the_fit_solves_liblinears_problem(dataset: Dataset, C: float) -> None:
    x, y = probe.pixels(dataset.train_images), dataset.train_labels
    w = probe.fit(x, y, 10, C)
    peer = LinearSVC(C=C, tol=1e-6, max_iter=20_000, dual=False).fit(x, y)
    theirs = np.concatenate([peer.coef_.T, peer.intercept_[None]])
    assert objective(w, x, y, C) <= objective(theirs, x, y, C) * (1 + 1e-3)
    test_x, test_y = probe.pixels(dataset.test_images), dataset.test_labels
    assert probe.accuracy(w, test_x, test_y) == pytest.approx(peer.score(test_x, test_y), abs=1.1 / 360)


def objective(w: np.ndarray, x: np.ndarray, labels: np.ndarray, C: float) -> float:
    y = np.where(labels[:, None] == np.arange(10), 1.0, -1.0)
    margin = np.maximum(1 - y * (x.astype(float) @ w[:-1] + w[-1]), 0)
    return float((w.astype(float) ** 2).sum() / 2 + C * (margin ** 2).sum())


def test_the_solution_does_not_depend_on_the_start(dataset: Dataset) -> None:
    x, y = probe.pixels(dataset.train_images), dataset.train_labels
    cold = probe.fit(x, y, 10, 0.01)
    warm = probe.fit(x, y, 10, 0.01, probe.fit(x[:500], y[:500], 10, 0.1), probe._gram(x[:900]))
    assert objective(warm, x, y, 0.01) == pytest.approx(objective(cold, x, y, 0.01), rel=1e-3)
    assert np.linalg.norm(warm - cold) < 0.05 * np.linalg.norm(cold)


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

    monkeypatch.setattr(probe, "fit", fit)
    monkeypatch.setattr(probe, "accuracy", lambda w, x, labels: float(w[0, 0]) if len(x) == 37 else 1 - float(w[0, 0]))
    x, y = np.zeros((100, 4), np.float32), np.arange(100) % 10
    assert probe.score(x, y, x[:20], y[:20], 10, 0.37, [0.1, 0.3, 0.2])["C"] == 0.3
    assert seen == [(63, 0.1), (63, 0.2), (63, 0.3), (100, 0.3)]


def test_a_probe_without_a_class_is_refused() -> None:
    x, y = np.zeros((30, 4), np.float32), np.arange(30) % 9
    with pytest.raises(InputError, match="no image of class 9 among the 25 that"):
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
