"""All scores of a set of samples: each moves in its direction, and only where it should."""
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import reduce

import numpy as np
import pytest
import torch

from pipeline.data.images import Dataset
from pipeline.errors import InputError, ScoreError
from pipeline.params.scoring import Evaluate
from pipeline.scores import extractors, sample_scores
from pipeline.scores.reference_model import Reference
from pipeline.scores.sample_scores import FeatureSpace, SampleScorer, Scores

N = 300


@pytest.fixture(scope="module")
def scoring() -> Evaluate:
    return Evaluate(fid_images=N, memorisation_images=100, neighbours=3, generated_labels=[200])


@pytest.fixture(scope="module")
def scorer(reference: Reference, dataset: Dataset, scoring: Evaluate,
           tmp_path_factory: pytest.TempPathFactory) -> SampleScorer:
    """Of all training images: samples are drawn from test images, so that none is a copy."""
    folder = tmp_path_factory.mktemp("features")
    real = extractors.reference_features(reference, dataset.train_images, dataset.digest, folder)
    return sample_scores.sample_scorer(dataset, [FeatureSpace(reference, real, N)], scoring, len(dataset.train_images),
                                       (N, 50.0))


@pytest.fixture
def scorer_of(scorer: SampleScorer) -> Callable[[Dataset, Evaluate, int], SampleScorer]:
    return lambda dataset, scoring, count: sample_scores.sample_scorer(dataset, scorer.spaces, scoring, count, (N, 1.0))


@pytest.fixture(scope="module")
def honest(scorer: SampleScorer, dataset: Dataset, scoring: Evaluate) -> Scores:
    return measure(scorer, dataset.test_images[:N], scoring)


def measure(scorer: SampleScorer, samples: np.ndarray, scoring: Evaluate) -> Scores:
    scores = scorer.measure(samples, None, scoring, 0).scores
    short = {"_classifier_300": "", "_pixels_100": "", "kid300": "kid"}
    return {reduce(lambda text, part: text.replace(part, short[part]), short, name): value
            for name, value in scores.items()}


def test_real_images_are_near_the_best_of_every_score(honest: Scores) -> None:
    assert abs(honest["kid"]) < 2 * honest["kid_spread"] and honest["precision"] > 0.7
    assert honest["recall"] > 0.7 and honest["density"] > 0.7 and honest["coverage"] > 0.35
    assert honest["missing_classes"] == 0 and honest["class_divergence"] < 0.02 and honest["score"] > 8
    assert honest["fid_relative"] < 0.1 and honest["fid_floors"] == honest["fid"] / 50
    assert honest["checkerboard_pixels_300"] == pytest.approx(1, abs=0.1)
    assert honest["memorisation"] == pytest.approx(1, abs=0.05) and honest["near_copies"] <= 0.03


def test_a_collapsed_generator_is_precise_and_remembers_little(scorer: SampleScorer, honest: Scores, dataset: Dataset,
                                                               scoring: Evaluate) -> None:
    """Fifteen pictures, each twenty times: most look real, and almost nothing of the data is there."""
    found = measure(scorer, dataset.test_images[:15].repeat(N // 15, 0), scoring)
    assert found["precision"] > 0.6 and found["recall"] < 0.1
    assert found["coverage"] < honest["coverage"] / 3 and found["fid"] > 5 * honest["fid"]


def test_the_relative_distance_of_the_mean_image_is_one(scorer: SampleScorer, reference: Reference) -> None:
    """Features of no variance at the real ones' mean: the trace of the covariance is the distance."""
    mean = reference.moments.mean.float().repeat(N, 1)
    found = sample_scores._distances(scorer.spaces[0], mean)
    assert found["fid_classifier_300_relative"] == pytest.approx(1, rel=1e-4)


@pytest.mark.slow
def test_fewer_test_images_make_a_floor_of_their_own_count(
        scorer: SampleScorer, dataset: Dataset, scoring: Evaluate) -> None:
    found = replace(scorer, floor=(200, 40.0)).measure(dataset.test_images[:N], None, scoring, 0).scores
    alone = replace(scorer, spaces=[replace(scorer.spaces[0], count=200)], floor=(200, 40.0))
    expected = alone.measure(dataset.test_images[:200], None, scoring, 0).scores
    assert found["fid_classifier_200"] == pytest.approx(expected["fid_classifier_200"])
    assert found["fid_classifier_200_floors"] == found["fid_classifier_200"] / 40
    assert "fid_classifier_300_floors" not in found and "fid_classifier_300" in found


def test_stripes_miss_every_class_and_have_energy_at_two_pixels(scorer: SampleScorer, scoring: Evaluate) -> None:
    """Diagonal stripes, which a classifier gives some class, but is not sure of."""
    place = np.indices((28, 28)).sum(0)
    images = np.stack([127 + 120 * np.sin(np.pi * place / 2 + phase) for phase in np.linspace(0, 6, N)])
    logits = torch.zeros(N, 10).index_put_((torch.arange(N), torch.arange(N) % 10), torch.tensor(1.0))
    space = replace(scorer.spaces[0], extractor=Unsure(logits))
    found = replace(scorer, spaces=[space]).measure(images[:, None].astype(np.uint8), None, scoring, 0).scores
    assert found["missing_classes_classifier_300"] == 10 and found["class_divergence_classifier_300"] < 0.01
    board = 255 * (place % 2).astype(np.uint8)[None, None].repeat(N, 0)
    assert measure(scorer, board, scoring)["checkerboard_pixels_300"] > 50


@dataclass(frozen=True)
class Unsure:
    """An extractor whose classes are evenly spread and never sure."""
    logits: torch.Tensor
    extractor: str = "classifier"
    digest: str = ""

    def __call__(self, images: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.randn(len(images), 128, generator=torch.Generator().manual_seed(0)), self.logits


def test_noise_has_neither_precision_nor_coverage(scorer: SampleScorer, honest: Scores, scoring: Evaluate) -> None:
    found = measure(scorer, np.random.default_rng(0).integers(0, 256, (N, 1, 28, 28), np.uint8), scoring)
    assert found["precision"] < 0.05 and found["coverage"] < 0.05 and found["density"] < 0.05
    assert found["kid"] > 10 * abs(honest["kid"]) and found["memorisation"] > 1.5


@pytest.mark.slow
def test_blurring_raises_the_distances_step_by_step(scorer: SampleScorer, honest: Scores, dataset: Dataset,
                                                    scoring: Evaluate) -> None:
    found, images = [honest], dataset.test_images[:N]
    for _ in range(3):
        images = sum(np.roll(images, (i, j), (2, 3)).astype(np.float32) for i in (-1, 0, 1) for j in (-1, 0, 1))
        images = (np.asarray(images) / 9).astype(np.uint8)
        found.append(measure(scorer, images, scoring))
    for key in ("fid", "fid_classifier_infinity", "kid"):
        values = [scores[key] for scores in found]
        assert values == sorted(values) and values[-1] > 3 * values[0], key


@pytest.mark.slow
def test_dropped_classes_show_in_coverage_and_in_the_histogram(scorer: SampleScorer, honest: Scores, dataset: Dataset,
                                                               scoring: Evaluate) -> None:
    kept = dataset.test_images[dataset.test_labels < 6]
    one = scorer.measure(np.concatenate([kept, kept])[:N], None, scoring, 0)
    found = measure(scorer, one.images, scoring)
    assert found["coverage"] < honest["coverage"] - 0.1 and found["class_divergence"] > 0.3
    assert found["missing_classes"] >= 2 and one.shares[:6].sum() > 0.97
    assert found["precision"] > honest["precision"] - 0.1


def test_copies_of_the_training_set_are_caught_though_their_distance_is_perfect(
        scorer: SampleScorer, honest: Scores, dataset: Dataset, scoring: Evaluate) -> None:
    whole = replace(scorer, spaces=[replace(scorer.spaces[0], count=len(dataset.train_images))])
    found = measure(whole, dataset.train_images, scoring)
    assert found["fid_classifier_1437"] < 1e-6 * honest["fid"]
    assert found["memorisation"] == 0 and found["near_copies"] == 1


@pytest.mark.slow
def test_labelled_samples_teach_a_nearest_neighbour_classifier(scorer: SampleScorer, dataset: Dataset,
                                                               scoring: Evaluate) -> None:
    """Samples here are training images: the error is that of the control. Wrong labels teach nothing."""
    samples, labels = dataset.train_images[:N], dataset.train_labels[:N].astype(int)
    name = "nearest_neighbour_error_test_200"
    fewer = replace(scorer, trained_on=199)  # the control would see images that the generator did not
    assert f"{name}_of_real_images" not in fewer.measure(samples, labels, scoring, 0).scores
    found = scorer.measure(samples, labels, scoring, 0).scores
    assert found[name] == found[f"{name}_of_real_images"] < 0.2
    assert scorer.measure(samples, (labels + 1) % 10, scoring, 0).scores[name] > 0.8


def test_they_are_read_by_images_that_nobody_trained_on(scorer_of: Callable[..., SampleScorer], dataset: Dataset,
                                                        scoring: Evaluate) -> None:
    held_out, labels, split = scorer_of(dataset, scoring, 1000).held_out
    assert split == "validation" and np.array_equal(held_out, dataset.train_images[1000:])
    assert np.array_equal(labels, dataset.train_labels[1000:])
    assert np.array_equal(scorer_of(dataset, scoring, len(dataset.train_images)).held_out[0], dataset.test_images)


def test_too_few_images_are_refused_with_their_number(scorer: SampleScorer, dataset: Dataset,
                                                      scoring: Evaluate) -> None:
    space = replace(scorer.spaces[0], count=3)
    with pytest.raises(ScoreError, match="need 4 fake images; there are 3"):
        sample_scores.scores_of(space, *space.extractor(dataset.test_images[:3]), 3, 0)


def test_a_class_without_images_is_named(scorer_of: Callable[..., SampleScorer], dataset: Dataset,
                                         scoring: Evaluate) -> None:
    there = dataset.train_labels != 7
    lacking = replace(dataset, train_images=dataset.train_images[there], train_labels=dataset.train_labels[there])
    with pytest.raises(InputError, match="class '7' has no training image"):
        scorer_of(lacking, scoring, 100)


@pytest.mark.parametrize(("count", "expected"), [(128, "fid_classifier_128"), (129, "")])
def test_covariances_without_full_rank_are_named(scorer: SampleScorer, count: int, expected: str) -> None:
    warning = replace(scorer.spaces[0], count=count).warning
    assert warning.startswith(expected) and bool(warning) == bool(expected)
    assert not warning or "128 samples and 1437 real images; fewer than 129 leave" in warning


def test_several_sets_have_a_mean_and_a_standard_deviation() -> None:
    assert sample_scores.averaged([{"a": 1.0}, {"a": 3.0}]) == {"a": 2.0, "a_std": pytest.approx(2 ** 0.5)}
    assert sample_scores.averaged([{"a": 1.0}]) == {"a": 1.0}
    assert sample_scores.averaged([{"a": 0.1}] * 3) == {"a": 0.1, "a_std": 0.0}
