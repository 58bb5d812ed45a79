"""All scores of one set of samples, by names that say whose features and how many samples are behind them."""
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from torch import Tensor

from pipeline.data.images import Dataset
from pipeline.params.scoring import Evaluate
from pipeline.scores import (extractors, frechet, generated_labels, inception_score, kernel, manifold, memorisation,
                             modes, spectrum)
from pipeline.scores.extractors import Extractor, ReferenceFeatures
from pipeline.scores.memorisation import Nearest
from pipeline.scores.reference_model import Reference

Scores = dict[str, float]


@dataclass(frozen=True)
class FeatureSpace:
    """What samples are compared in: an extractor, real images' features, and how many samples it scores."""
    extractor: Extractor
    reference: ReferenceFeatures
    count: int

    def name(self, score: str) -> str:
        """The name of a score of so many samples in these features."""
        return frechet.name(self.count, self.extractor.extractor, score)

    @property
    def warning(self) -> str:
        """One line when too few images leave a covariance singular, or ''."""
        needed = self.reference.features.shape[1] + 1
        if min(self.count, self.reference.moments.count) >= needed:
            return ""
        return (f"{self.name('fid')}: {self.count} samples and {self.reference.moments.count} real images; fewer than "
                f"{needed} leave the covariance of {needed - 1} features singular, and the distance too large")


@dataclass(frozen=True)
class ScoredSet:
    """A set of samples, its scores, its shares of the classes (classes,), and the training images nearest to some."""
    scores: Scores
    images: np.ndarray
    shares: np.ndarray
    nearest: Nearest


@dataclass(frozen=True)
class SampleScorer:
    """Scores sets of samples of one generator.

    `shares` (classes,) are the training images' shares of the classes. `test` holds the distances of test images from
    training images, `fine_energy` the training images' energy of fine patterns. `held_out` is labelled images that the
    generator was not trained on, with the name of their split: it was trained on the first `trained_on` training
    images. The `floor` is how many real test images have which distance in the first space.
    """
    dataset: Dataset
    spaces: Sequence[FeatureSpace]
    shares: np.ndarray
    test: Nearest
    fine_energy: float
    held_out: tuple[np.ndarray, np.ndarray, str]
    trained_on: int
    floor: tuple[int, float]

    def measure(self, samples: np.ndarray, labels: np.ndarray | None, scoring: Evaluate, seed: int) -> ScoredSet:
        """The scores of uint8 `samples` (n, c, h, w), as many as the largest count.

        `labels` (n,) are those that a conditional generator was conditioned on. Random subsets are drawn from `seed`.
        ScoreError when there are too few images for a score, or features are not finite.
        """
        count = scoring.memorisation_images
        nearest = memorisation.nearest(samples[:count], self.dataset.train_images)
        scores: Scores = {}
        generated = np.ones(1)  # without labels there is one class
        for space in self.spaces:
            features, logits = space.extractor(samples[:space.count])
            scores |= scores_of(space, features, logits, scoring.neighbours, seed)
            if space is self.spaces[0]:
                scores |= self._beside_the_floor(space, features)
            if space.extractor.extractor == "classifier":
                generated = modes.shares(logits)
                sure = modes.confident(logits, scoring.confidence)
                scores |= {space.name("missing_classes"): modes.missing(sure, self.shares),
                           space.name("class_divergence"): modes.divergence(generated, self.shares)}
        scores |= {frechet.name(self.spaces[0].count, "pixels", "checkerboard"):
                   spectrum.energy(samples[:self.spaces[0].count]) / self.fine_energy}
        scores |= {frechet.name(count, "pixels", "memorisation"): memorisation.ratio(
                       nearest.distances, self.test.distances),
                   frechet.name(count, "pixels", "near_copies"): memorisation.near_copies(
                       nearest.distances, self.test.distances)}
        if labels is not None:
            scores |= dict(self._label_errors(samples, labels, scoring.generated_labels))
        return ScoredSet(scores, samples, generated, nearest)

    def _beside_the_floor(self, space: FeatureSpace, features: Tensor) -> Scores:
        """The distance as a multiple of that of real test images; both of as many images."""
        count, floor = self.floor
        some = replace(space, count=count)
        found = _distances(some, features[:count]) if count < space.count else {}
        distance = frechet.distance(frechet.moments(features[:count]), space.reference.moments)
        return found | {f"{some.name('fid')}_floors": distance / floor}

    def _label_errors(self, images: np.ndarray, labels: np.ndarray,
                      counts: Sequence[int]) -> Iterator[tuple[str, float]]:
        """Errors of nearest-neighbour classifiers fitted on so many samples, and on as many real images."""
        real, real_labels, split = self.held_out
        train, train_labels = self.dataset.train_images, self.dataset.train_labels
        for n in counts:
            name = frechet.name(n, split, "nearest_neighbour_error")
            yield name, generated_labels.error(images[:n], labels[:n], real, real_labels)
            if n <= self.trained_on:
                yield f"{name}_of_real_images", generated_labels.error(train[:n], train_labels[:n], real, real_labels)


def sample_scorer(dataset: Dataset, spaces: Sequence[FeatureSpace], scoring: Evaluate, trained_on: int,
                  floor: tuple[int, float]) -> SampleScorer:
    """The scorer for a generator that was trained on the first `trained_on` training images.

    `floor` is how many real test images have which distance in the first of `spaces`. InputError when a class has no
    training image.
    """
    test = memorisation.nearest(dataset.test_images[:scoring.memorisation_images], dataset.train_images)
    held_out = dataset.train_images[trained_on:], dataset.train_labels[trained_on:], "validation"
    if not len(held_out[0]):
        held_out = dataset.test_images, dataset.test_labels, "test"
    shares = modes.real_shares(dataset.train_labels, dataset.meta["classes"])
    fine = spectrum.energy(dataset.train_images[:spaces[0].count])
    return SampleScorer(dataset, spaces, shares, test, fine, held_out, trained_on, floor)


def classifier_space(reference: Reference, dataset: Dataset, count: int, folder: Path) -> FeatureSpace:
    """The features of the data set's classifier, for `count` samples.

    Distances compare with the moments of all training images, other scores with the features of the first `count`,
    which `folder` keeps.
    """
    features = extractors.reference_features(reference, dataset.train_images[:count], dataset.digest, folder)
    return FeatureSpace(reference, replace(features, moments=reference.moments), count)


def scores_of(space: FeatureSpace, features: Tensor, logits: Tensor, k: int, seed: int) -> Scores:
    """The scores that compare features (n, d) of samples, and their logits (n, classes), with those of real images.

    Random subsets are drawn from `seed`; balls reach to the `k`-th neighbour.
    """
    rng, real = np.random.default_rng(seed), space.reference.features
    kid, spread, size = kernel.kid(real, features, rng)
    scores = _distances(space, features)
    scores |= {f"fid_{space.extractor.extractor}_infinity": frechet.at_infinity(features, space.reference.moments, rng),
               space.name(f"kid{size}"): kid, f"{space.name(f'kid{size}')}_spread": spread}
    scores |= {space.name(score): value for score, value in manifold.scores(real, features, k).items()}
    scores[space.name("score")] = inception_score.score(logits)
    return scores


def _distances(space: FeatureSpace, features: Tensor) -> Scores:
    """The Fréchet distance of features (n, d), and as a share of that of a generator of the mean image.

    Such a generator has no variance, so its distance is the trace of the real images' covariance.
    """
    real = space.reference.moments
    distance = frechet.distance(frechet.moments(features), real)
    name = space.name("fid")
    return {name: distance, f"{name}_relative": distance / real.covariance.trace().item()}


def averaged(sets: Sequence[Scores]) -> Scores:
    """The mean of each score over sets of samples and, of more than one, its standard deviation as <name>_std."""
    result: Scores = {}
    for key in sets[0]:
        values = [float(scores[key]) for scores in sets]
        result[key] = statistics.mean(values)
        if len(values) > 1:
            result[f"{key}_std"] = statistics.stdev(values)  # in fractions: 0 for equal values
    return result
