"""The sections of params.yaml about finished runs: how they are scored, and what is looked at inside."""
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from pipeline.sections import Count, Rate, Section, Seed


@dataclass(frozen=True, kw_only=True)
class Inception(Section):
    """Scores in the features of Inception-v3: of `images` generated against `real_images` training images; 0 is none.

    `weights` is the file of its weights; without one it is looked for in PyTorch's cache, and downloaded.
    """
    images: Annotated[int, Field(ge=0)]
    real_images: Annotated[int, Field(ge=2)]
    resize: Literal["tf1", "half-pixel"]
    weights: str | None


@dataclass(frozen=True, kw_only=True)
class Evaluate(Section):
    """Scores of a finished run.

    Of samples: `seeds` sets of `fid_images`, drawn from `seed` on, with `neighbours` for precision, recall, density
    and coverage, and nearest training images of the first `memorisation_images`. Of a conditional generator also
    classifiers fitted on so many `generated_labels`. Of D: a probe that sees `probe_images` (none means all), whose
    last share `probe_validation` chooses its C, and one of `labels_per_class`, averaged over `resamples`. As a control
    D's architecture learns from the same labels, with `supervised_updates` of Adam and `supervised_lr`.
    """
    seed: Seed
    seeds: Count
    fid_images: Annotated[int, Field(ge=2)]
    neighbours: Count
    memorisation_images: Annotated[int, Field(ge=20)]
    generated_labels: list[Count]
    probe_images: Annotated[int, Field(ge=100)] | None
    probe_validation: Annotated[float, Field(ge=0.05, le=0.5)]
    probe_C: Annotated[list[Annotated[float, Field(gt=0)]], Field(min_length=1)]
    labels_per_class: Count
    resamples: Annotated[int, Field(ge=2)]
    supervised_updates: Count
    supervised_lr: Rate
    inception: Inception


@dataclass(frozen=True, kw_only=True)
class Internals(Section):
    """What is looked at inside a finished run's networks; every number of samples, `seed` on.

    A walk passes `points` random z in `steps` frames each; its smoothness is measured over `path_pairs` pairs of z that
    are `epsilon` of their path apart. For arithmetic `exemplars` of each kind are found among `candidates` samples of
    which the classifier is `confidence` sure, or are the samples whose seeds `arithmetic` lists as a, b and c; results
    are shown with uniform noise of +-`spread`, and measured over `trials`. `features` of D's last convolution are shown
    with `top` images each, out of `images` training images. An `object` is forgotten by dropping maps `layer` below the
    image, by a logistic regression with `C` over `forget_images` samples, against `draws` of as many random maps; for
    boxes, `boxes` lists them as [sample, left, top, right, bottom]. `neighbours` training images are shown for each of
    `neighbour_samples` samples. A frame of a film is shown for `milliseconds`.
    """
    seed: Seed
    points: Annotated[int, Field(ge=2)]
    steps: Count
    path_pairs: Count
    epsilon: Annotated[float, Field(gt=0, lt=0.1)]
    candidates: Annotated[int, Field(ge=10)]
    confidence: Annotated[float, Field(gt=0, lt=1)]
    exemplars: Count
    arithmetic: dict[Literal["a", "b", "c"], Annotated[list[Seed], Field(min_length=1)]] | None
    spread: Annotated[float, Field(ge=0, le=2)]
    trials: Count
    images: Annotated[int, Field(ge=10)]
    features: Count
    top: Count
    object: Literal["loops", "strokes", "boxes"]
    boxes: list[Annotated[list[int], Field(min_length=5, max_length=5)]] | None
    layer: Annotated[int, Field(ge=2)]
    C: Annotated[float, Field(gt=0)]
    forget_images: Annotated[int, Field(ge=20)]
    draws: Count
    neighbours: Count
    neighbour_samples: Count
    milliseconds: Annotated[int, Field(ge=20)]
