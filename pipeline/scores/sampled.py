"""All scores of one set of samples, by names that say whose features and how many samples are behind them."""
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from pipeline.data.images import Dataset
from pipeline.finished import Evaluate
from pipeline.scores import (extractors, frechet, generated_labels, inception_score, kernel, manifold, memorisation,
                             modes)
from pipeline.scores.extractors import Extractor, Real
from pipeline.scores.memorisation import Nearest
from pipeline.scores.reference import Reference

Scores = dict[str, float]


@dataclass(frozen=True)
class Side:
    """An extractor, what real images are to it, and how many samples it scores."""
    extractor: Extractor
    real: Real
    count: int

    def name(self, score: str) -> str:
        return frechet.name(self.count, self.extractor.extractor, score)

    @property
    def warning(self) -> str:
        """What is wrong with its distance when covariances lack directions; '' when they do not."""
        needed = self.real.features.shape[1] + 1
        if min(self.count, self.real.moments.count) >= needed:
            return ""
        return (f"{self.name('fid')}: {self.count} samples and {self.real.moments.count} real images; fewer than "
                f"{needed} leave the covariance of {needed - 1} features singular, and the distance too large")


@dataclass(frozen=True)
class Set:
    """A set of samples, its scores, its shares of the classes (classes,), and the training images nearest to some."""
    scores: Scores
    images: np.ndarray
    shares: np.ndarray
    nearest: Nearest


@dataclass(frozen=True)
class Yardstick:
    """What every set of samples is measured against.

    `shares` (classes,) are those of the training images; `test` are the distances of test images from them;
    `held_out` are labelled images that nobody trained on, and the name of their split; the generator was trained on
    the first `trained_on` training images.
    """
    dataset: Dataset
    sides: Sequence[Side]
    shares: np.ndarray
    test: Nearest
    held_out: tuple[np.ndarray, np.ndarray, str]
    trained_on: int

    def measure(self, samples: np.ndarray, asked: np.ndarray | None, scoring: Evaluate, seed: int) -> Set:
        """The scores of uint8 `samples` (n, c, h, w), as many as the largest count; `asked` are their labels (n,).

        Random subsets are drawn from `seed`. ValueError when there are too few images for a score, or features are not
        finite.
        """
        some = scoring.memorisation_images
        nearest = memorisation.nearest(samples[:some], self.dataset.train_images)
        scores: Scores = {}
        generated = np.ones(1)  # without labels there is one class
        for side in self.sides:
            found, shares = of(side, samples[:side.count], scoring.neighbours, seed)
            scores |= found
            if side.extractor.extractor == "classifier":
                generated = shares
                scores |= {side.name("missing_classes"): modes.missing(shares, self.shares),
                           side.name("class_divergence"): modes.divergence(shares, self.shares)}
        scores |= {frechet.name(some, "pixels", "memorisation"): memorisation.ratio(nearest.distances,
                                                                                    self.test.distances),
                   frechet.name(some, "pixels", "near_copies"): memorisation.near_copies(nearest.distances,
                                                                                         self.test.distances)}
        if asked is not None:
            scores |= dict(self._taught(samples, asked, scoring.generated_labels))
        return Set(scores, samples, generated, nearest)

    def _taught(self, images: np.ndarray, labels: np.ndarray, counts: Sequence[int]) -> Iterator[tuple[str, float]]:
        """The errors of nearest-neighbour classifiers fitted on so many samples, and on as many real images."""
        real, real_labels, split = self.held_out
        train, train_labels = self.dataset.train_images, self.dataset.train_labels
        for n in counts:
            name = frechet.name(n, split, "nearest_neighbour_error")
            yield name, generated_labels.error(images[:n], labels[:n], real, real_labels)
            if n <= self.trained_on:
                yield f"{name}_of_real_images", generated_labels.error(train[:n], train_labels[:n], real, real_labels)


def yardstick(dataset: Dataset, sides: Sequence[Side], scoring: Evaluate, trained_on: int) -> Yardstick:
    """What samples of a generator are measured against that was trained on the first `trained_on` training images.

    InputError when a class has no training image.
    """
    test = memorisation.nearest(dataset.test_images[:scoring.memorisation_images], dataset.train_images)
    held_out = dataset.train_images[trained_on:], dataset.train_labels[trained_on:], "validation"
    if not len(held_out[0]):
        held_out = dataset.test_images, dataset.test_labels, "test"
    shares = modes.real_shares(dataset.train_labels, dataset.meta["classes"])
    return Yardstick(dataset, sides, shares, test, held_out, trained_on)


def judged(judge: Reference, dataset: Dataset, count: int) -> Side:
    """The data set's classifier for `count` samples: all training images' moments, features of as many of them."""
    real = extractors.real(judge, dataset.train_images[:count], dataset.digest, extractors.KEPT)
    return Side(judge, replace(real, moments=judge.moments), count)


def of(side: Side, samples: np.ndarray, k: int, seed: int) -> tuple[Scores, np.ndarray]:
    """The scores that compare the features of uint8 `samples` (n, c, h, w) with real ones, and their shares of classes.

    Random subsets are drawn from `seed`; balls reach to the `k`-th neighbour.
    """
    features, logits = side.extractor(samples)
    rng = np.random.default_rng(seed)
    kid, spread = kernel.kid(side.real.features, features, rng)
    scores = {side.name("fid"): frechet.distance(frechet.moments(features), side.real.moments),
              f"fid_{side.extractor.extractor}_infinity": frechet.at_infinity(features, side.real.moments, rng),
              side.name("kid"): kid, f"{side.name('kid')}_spread": spread}
    scores |= {side.name(score): value for score, value in manifold.scores(side.real.features, features, k).items()}
    scores[side.name("score")] = inception_score.score(logits)
    return scores, modes.shares(logits)


def averaged(sets: Sequence[Scores]) -> Scores:
    """The mean of each score over sets of samples and, of more than one, its standard deviation as <name>_std."""
    result: Scores = {}
    for key in sets[0]:
        values = [float(scores[key]) for scores in sets]
        result[key] = statistics.mean(values)
        if len(values) > 1:
            result[f"{key}_std"] = statistics.stdev(values)  # in fractions: 0 for equal values
    return result
