"""The linear SVM: liblinear's problem and its solution, in any memory, from any start, for any shape."""
from pathlib import Path

import numpy as np
import pytest
from sklearn.svm import LinearSVC

from pipeline.data.images import Dataset
from pipeline.errors import ScoreError
from pipeline.scores import probe, svm


@pytest.fixture(scope="module")
def digits(dataset: Dataset) -> tuple[np.ndarray, np.ndarray]:
    return probe.pixels(dataset.train_images), dataset.train_labels


def objective(w: np.ndarray, x: np.ndarray, labels: np.ndarray, C: float) -> float:
    y = np.where(labels[:, None] == np.arange(w.shape[1]), 1.0, -1.0)
    margin = np.maximum(1 - y * (x.astype(float) @ w[:-1] + w[-1]), 0)
    return float((w.astype(float) ** 2).sum() / 2 + C * (margin ** 2).sum())


def liblinear(x: np.ndarray, labels: np.ndarray, C: float) -> np.ndarray:
    peer = LinearSVC(C=C, tol=1e-6, max_iter=20_000, dual=False).fit(x, labels)
    return np.concatenate([peer.coef_.T, peer.intercept_[None]])


@pytest.mark.parametrize("C", [1e-3, 0.1])
def test_the_fit_solves_liblinears_problem(digits: tuple[np.ndarray, np.ndarray], dataset: Dataset, C: float) -> None:
    """Its objective within a thousandth, and its accuracy within one of 360 images."""
    x, y = digits
    w, theirs = svm.fit(x, y, 10, C), liblinear(x, y, C)
    assert objective(w, x, y, C) <= objective(theirs, x, y, C) * 1.001
    test = probe.pixels(dataset.test_images)
    accuracies = [svm.accuracy(weights, test, dataset.test_labels) for weights in (w, theirs)]
    assert accuracies[0] == pytest.approx(accuracies[1], abs=1.1 / 360)


def test_two_points_have_the_solution_of_the_formula() -> None:
    """x = ±1, y = ±1: 2 w = 4 C (1 - w) for the weight, the bias stays 0."""
    w = svm.fit(np.array([[1.0], [-1.0]], np.float32), np.array([1, 0]), 2, 0.5)
    slope = 4 * 0.5 / (1 + 4 * 0.5)
    np.testing.assert_allclose(w, [[-slope, slope], [0, 0]], atol=1e-5)


def test_a_start_with_no_example_inside_the_margin_leads_to_the_same_solution() -> None:
    x, y = np.array([[1.0], [-1.0]], np.float32), np.array([1, 0])
    start = np.array([[-9.0, 9.0], [0.0, 0.0]], np.float32)
    np.testing.assert_allclose(svm.fit(x, y, 2, 0.5, start), svm.fit(x, y, 2, 0.5), atol=1e-5)


def test_classes_with_few_examples_inside_the_margin_may_have_them_to_themselves(
        monkeypatch: pytest.MonkeyPatch) -> None:
    """The problem's solution is the same when all classes share all examples, and liblinear's."""
    rng = np.random.default_rng(0)
    y = rng.integers(5, size=5000)
    x = np.maximum(rng.normal(0, 1, (5, 80))[y] + rng.normal(0, 1, (5000, 80)), 0).astype(np.float32)
    own, rows, sizes = svm.fit(x, y, 5, 1.0), svm.Rows, []

    def counted(x: np.ndarray, bias: bool) -> svm.Rows:
        sizes.append(len(x))
        return rows(x, bias)

    monkeypatch.setattr(svm, "Rows", counted)
    assert np.array_equal(svm.fit(x, y, 5, 1.0), own) and len(set(sizes)) > 10
    monkeypatch.setattr(svm, "OWN_SHARE", 0.0)
    shared, theirs = svm.fit(x, y, 5, 1.0), liblinear(x, y, 1.0)
    for weights in (own, shared):
        assert objective(weights, x, y, 1.0) == pytest.approx(objective(theirs, x, y, 1.0), rel=1e-3)


@pytest.mark.slow
def test_a_larger_C_fits_the_examples_more_closely(digits: tuple[np.ndarray, np.ndarray]) -> None:
    x, y = digits
    weights = [svm.fit(x[:400], y[:400], 10, C) for C in (1e-5, 1e-3, 1e-1)]
    fitted = [svm.accuracy(w, x[:400], y[:400]) for w in weights]
    assert fitted == sorted(fitted) and fitted[0] < fitted[2] == 1


@pytest.mark.slow
def test_the_solution_does_not_depend_on_the_start(digits: tuple[np.ndarray, np.ndarray]) -> None:
    x, y = digits
    cold, warm = svm.fit(x, y, 10, 0.01), svm.fit(x, y, 10, 0.01, svm.fit(x[:900], y[:900], 10, 0.1))
    assert objective(warm, x, y, 0.01) == pytest.approx(objective(cold, x, y, 0.01), rel=1e-3)
    assert np.linalg.norm(warm - cold) < 0.05 * np.linalg.norm(cold)


@pytest.mark.slow
def test_blocks_and_mapped_memory_change_nothing(digits: tuple[np.ndarray, np.ndarray], tmp_path: Path,
                                                 monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = digits
    expected = svm.fit(x, y, 10, 0.01)
    np.save(tmp_path / "x.npy", x)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    assert np.array_equal(svm.fit(mapped, y, 10, 0.01), expected)
    monkeypatch.setattr(svm, "BLOCK", 100 * x.shape[1])
    np.testing.assert_allclose(svm.fit(mapped, y, 10, 0.01), expected, atol=0.02 * np.abs(expected).max())
    assert svm.accuracy(expected, mapped, y) == svm.accuracy(expected, x, y)


def test_with_more_features_than_examples_it_is_the_same_problem(digits: tuple[np.ndarray, np.ndarray],
                                                                 monkeypatch: pytest.MonkeyPatch) -> None:
    """Also with examples that are there twice, whose Gram matrix is singular."""
    x, y = np.tile(digits[0][:200], (2, 4)), np.tile(digits[1][:200], 2)
    few = svm.fit(x, y, 10, 0.01)
    monkeypatch.setattr(svm, "ROWS", 100)
    many = svm.fit(x, y, 10, 0.01)
    assert len(x) < x.shape[1] and objective(few, x, y, 0.01) == pytest.approx(objective(many, x, y, 0.01), rel=2e-3)
    assert objective(few, x, y, 0.01) <= objective(liblinear(x, y, 0.01), x, y, 0.01) * 1.001


@pytest.mark.parametrize(("n", "d", "scale", "C"), [(300, 600, 10, 0.001), (2500, 400, 3, 1.0), (4000, 400, 100, 0.1)])
def test_large_features_and_constant_ones_are_no_other_problem(n: int, d: int, scale: float, C: float) -> None:
    """float32 has not enough digits for |x|^2 + 1 there."""
    x = np.maximum(np.random.default_rng(0).normal(size=(n, d)), 0)
    x[:, :d // 3] = x[0, :d // 3]
    x, y = (scale * x).astype(np.float32), np.random.default_rng(1).integers(3, size=n)
    w = svm.fit(x, y, 3, C)
    assert objective(w, x, y, C) <= objective(liblinear(x, y, C), x, y, C) * 1.005


@pytest.mark.parametrize(("n", "row"), [(300, 100), (2000, 667), (3000, 1000), (3000, 1001)])
def test_features_that_are_not_finite_are_refused(n: int, row: int) -> None:
    """In any example, also in one that is not among those that the problem is solved for first."""
    x = np.random.default_rng(0).normal(size=(n, 400)).astype(np.float32)
    x[row, 5] = np.nan
    with pytest.raises(ScoreError, match="finite features"), np.errstate(invalid="ignore"):
        svm.fit(x, np.arange(n) % 3, 3, 0.1)


def test_accuracy_is_LinearSVCs_within_a_tenth_of_a_point() -> None:
    """On 20,000 examples of ten classes that overlap, with features as unevenly scaled as real ones."""
    rng = np.random.default_rng(0)
    labels = rng.integers(10, size=22_000)
    x = rng.normal(0, 1, (10, 60))[labels] + rng.normal(0, 2, (len(labels), 60))
    x = (np.maximum(x, 0) * np.exp(-4 * np.arange(60) / 60)).astype(np.float32)
    train, test = slice(2_000), slice(2_000, None)
    for C in (1e-3, 1e-1):
        found = svm.accuracy(svm.fit(x[train], labels[train], 10, C), x[test], labels[test])
        expected = LinearSVC(C=C, dual=False).fit(x[train], labels[train]).score(x[test], labels[test])
        assert 0.5 < found < 0.95 and found == pytest.approx(expected, abs=1e-3)
