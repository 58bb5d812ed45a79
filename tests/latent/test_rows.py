"""Rows of z and label: one class stays, features are of exact pixels, and what cannot be drawn is refused."""
from dataclasses import replace

import pytest
import torch
from torch import nn

from pipeline.errors import DivergedError, InputError
from pipeline.gan import literature, sampling
from pipeline.gan.build import build
from pipeline.gan.networks import Sigmoid, Tanh
from pipeline.latent import rows
from pipeline.scores.classifier import Classifier
from tests.conftest import FP32

SLIDES = literature.network("slides", 0.125)
CONDITIONAL = literature.network("paper-mnist", 0.125)


class Planes(nn.Module):
    """z (n, 1) -> images (n, 1, 8, 8), all of whose pixels are z."""

    def forward(self, z: torch.Tensor, y: torch.Tensor | None = None) -> torch.Tensor:
        return z[:, :, None, None].expand(-1, 1, 8, 8)


@pytest.fixture
def classifier() -> Classifier:
    torch.manual_seed(0)
    return Classifier((1, 8, 8), 2).eval()


def test_a_conditional_generator_keeps_the_class_it_is_told() -> None:
    G, _ = build(CONDITIONAL, 0.2, torch.Generator().manual_seed(0))
    G.eval()
    z = sampling.prior(CONDITIONAL, sampling.BATCH + 10, torch.Generator().manual_seed(1))
    threes = rows.one_class(CONDITIONAL, 3, len(z))
    found = rows.images(G, CONDITIONAL, rows.joined(z, threes), FP32)
    in_turns = sampling.sample(G, CONDITIONAL, z, FP32)
    same = (abs(found - in_turns.astype(int)) <= 1).all((1, 2, 3))
    assert same[3::10].all() and not same[torch.arange(len(z)) % 10 != 3].any()


def test_without_classes_rows_are_z() -> None:
    G, _ = build(SLIDES, 0.2, torch.Generator().manual_seed(0))
    G.eval()
    z = sampling.prior(SLIDES, 5, torch.Generator().manual_seed(1))
    assert rows.one_class(SLIDES, 3, 5) is None and rows.joined(z, None) is z
    assert (rows.images(G, SLIDES, z, FP32) == sampling.sample(G, SLIDES, z, FP32)).all()


def test_a_class_that_the_generator_has_not_got_is_refused() -> None:
    with pytest.raises(InputError, match="class 10: the generator has 10, from 0 to 9"):
        rows.one_class(CONDITIONAL, 10, 1)


@pytest.mark.parametrize(("last", "low"), [(Tanh(), -1), (Sigmoid(), 0)])
def test_features_are_the_classifiers_for_pixels_in_its_range(classifier: Classifier, last: Tanh | Sigmoid,
                                                              low: int) -> None:
    network = replace(SLIDES, z_dim=1, generator=(last,))
    grey = torch.linspace(low, 1, sampling.BATCH + 3)[:, None]
    found = rows.features(Planes(), network, classifier, FP32)(grey)
    wanted = classifier.features(Planes()(torch.linspace(-1, 1, len(grey))[:, None]))
    torch.testing.assert_close(found, wanted.detach(), rtol=0, atol=1e-6)


@pytest.mark.parametrize(("last", "low"), [(Tanh(), -1), (Sigmoid(), 0)])
def test_pixels_are_those_of_images_but_for_rounding(last: Tanh | Sigmoid, low: int) -> None:
    network = replace(SLIDES, z_dim=1, generator=(last,))
    grey = torch.linspace(low, 1, sampling.BATCH + 3)[:, None]
    found = rows.pixels(Planes(), network, FP32)(grey)
    torch.testing.assert_close(found, torch.linspace(0, 1, len(grey))[:, None].expand(-1, 64))
    images = rows.images(Planes(), network, grey, FP32)
    assert abs(found.numpy() * 255 - images.reshape(len(grey), -1)).max() < 0.501


def test_features_see_steps_smaller_than_a_grey_level(classifier: Classifier) -> None:
    network, z = replace(SLIDES, z_dim=1), torch.tensor([[0.2], [0.2001]])
    first, second = rows.features(Planes(), network, classifier, FP32)(z)
    assert not torch.equal(first, second)
    same, other = rows.images(Planes(), network, z, FP32)
    assert (same == other).all()


def test_features_of_images_that_are_not_finite_are_refused(classifier: Classifier) -> None:
    see = rows.features(Planes(), SLIDES, classifier, FP32)
    with pytest.raises(DivergedError, match="not finite"):
        see(torch.tensor([[float("nan")]]))
