"""Sections of params.yaml about finished trainings: how they are scored, and how their networks are looked into."""
from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import Field

from pipeline.params.sections import Count, Label, Place, Rate, Samples, Section, Seed

Some = Annotated[int, Field(ge=1, le=10**5)]


def listed(*values: float) -> list[float]:
    """A list as the default of a field."""
    return field(default_factory=lambda: list(values))


@dataclass(frozen=True, kw_only=True)
class InceptionScores(Section):
    """Scores in the features of Inception-v3, of `images` samples against `real_images` training images; 0 is none.

    `weights` is the file of its weights; without one it is looked for in PyTorch's cache, and downloaded. Where there
    are none to be had, scoring stops if they are `required`, and otherwise says that these scores were not computed.
    `resize` is tf1, as the original and torch-fidelity do it, or half-pixel, as pytorch-fid does it.
    """
    images: Annotated[int, Field(ge=0, le=10**7)] = 0
    required: bool = True
    real_images: Samples = 10000
    resize: Literal["tf1", "half-pixel"] = "tf1"
    weights: Place | None = None


@dataclass(frozen=True, kw_only=True)
class Evaluate(Section):
    """Scores of a finished training.

    Samples: `seeds` sets of `fid_images` samples, from `seed` on, with the `neighbours` nearest for precision, recall,
    density and coverage; the nearest training images of the first `memorisation_images`. A sample counts for its class
    when the classifier is `confidence` sure. For a conditional generator, nearest-neighbour classifiers fitted on so
    many `generated_labels`. D: a linear probe on `probe_images` labelled training images (empty: all), whose last
    share `probe_validation` chooses C among `probe_C`; a probe of `labels_per_class`, averaged over `resamples` draws
    from all training images. As a control, D's architecture learns the same labels from scratch with Adam; the best of
    `supervised_lr`, and of the lengths up to `supervised_epochs`, are chosen by the same validation images.
    """
    seed: Seed = 1
    seeds: Annotated[int, Field(ge=1, le=1000)] = 3
    fid_images: Samples = 10000
    neighbours: Annotated[int, Field(ge=1, le=1000)] = 5
    memorisation_images: Annotated[int, Field(ge=20, le=10**7)] = 2000
    confidence: Annotated[float, Field(gt=0, lt=1)] = 0.9
    generated_labels: list[Count] = field(default_factory=lambda: [1000, 10000, 50000])
    probe_images: Annotated[int, Field(ge=100, le=10**7)] | None = 10000
    probe_validation: Annotated[float, Field(ge=0.05, le=0.5)] = 0.25
    probe_C: Annotated[list[Annotated[float, Field(gt=0)]], Field(min_length=1)] = listed(1e-4, 1e-3, 1e-2, 0.1, 1.0)
    labels_per_class: Count = 100
    resamples: Annotated[int, Field(ge=2, le=10**5)] = 20
    supervised_epochs: Count = 12
    supervised_lr: Annotated[list[Rate], Field(min_length=1)] = listed(3e-4, 1e-3, 3e-3)
    inception: InceptionScores = field(default_factory=InceptionScores)


@dataclass(frozen=True, kw_only=True)
class Internals(Section):
    """What is looked at inside the networks of the first training of each of `runs`, with samples from `seed` on.

    A walk passes `points` random z, `steps` frames apart; its smoothness is measured over `path_pairs` pairs of z that
    are `epsilon` of their path apart. Arithmetic takes `exemplars` of each concept from `candidates` samples of whose
    class the classifier is `confidence` sure, or the samples whose seeds `arithmetic` lists as a, b and c; results are
    shown with uniform noise of +-`spread` and measured over `trials` of each of `pairs` pairs of classes, which the
    training images choose. `features` of D's last convolution are shown with their `top` images out of `images`
    training images. Ablation drops the feature maps that draw `object`, `layer` convolutions below the image, chosen by
    a logistic regression with `C` over `ablation_images` samples, and compares with `draws` random draws of as many
    maps; `boxes` lists boxes as [sample, left, top, right, bottom]. `neighbours` training images are shown for each of
    `neighbour_samples` samples. A film shows a frame for `milliseconds`.
    """
    runs: Annotated[list[Label], Field(min_length=1)]
    seed: Seed = 2
    points: Annotated[int, Field(ge=2, le=10**5)] = 8
    steps: Some = 12
    path_pairs: Some = 500
    epsilon: Annotated[float, Field(gt=0, lt=0.1)] = 0.0001
    candidates: Annotated[int, Field(ge=10, le=10**7)] = 5000
    confidence: Annotated[float, Field(gt=0, lt=1)] = 0.9
    exemplars: Some = 3
    pairs: Some = 3
    arithmetic: dict[Literal["a", "b", "c"], Annotated[list[Seed], Field(min_length=1)]] | None = None
    spread: Annotated[float, Field(ge=0, le=2)] = 0.25
    trials: Some = 200
    images: Annotated[int, Field(ge=10, le=10**7)] = 5000
    features: Some = 6
    top: Some = 8
    object: Literal["loops", "strokes", "boxes"] = "strokes"
    boxes: list[Annotated[list[int], Field(min_length=5, max_length=5)]] | None = None
    layer: Annotated[int, Field(ge=2, le=100)] = 2
    C: Annotated[float, Field(gt=0)] = 0.01
    ablation_images: Annotated[int, Field(ge=20, le=10**7)] = 1000
    draws: Some = 100
    neighbours: Some = 4
    neighbour_samples: Some = 8
    milliseconds: Annotated[int, Field(ge=20, le=10**7)] = 80
