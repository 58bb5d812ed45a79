"""The networks are those of the sources: counts, initialisation, normalisation, activations."""
import pytest
import torch
from torch import nn

from pipeline.gan.networks import NETWORKS, build

SLIDES = NETWORKS["slides"]


def networks(leak: float = 0.3, seed: int = 0) -> tuple[nn.Sequential, nn.Sequential]:
    return build(SLIDES, leak, torch.Generator().manual_seed(seed))


def test_the_slides_networks_have_the_slides_parameter_counts() -> None:
    G, D = networks()
    assert sum(p.numel() for p in G.parameters()) == 2_305_472
    with_statistics = [value for key, value in G.state_dict().items() if "num_batches" not in key]
    assert sum(value.numel() for value in with_statistics) == 2_330_944  # what Keras' summary() prints
    assert sum(p.numel() for p in D.parameters()) == 212_865


def test_the_generators_shapes_are_those_of_the_slides() -> None:
    G, D = networks()
    shapes, x = [], torch.randn(2, 100)
    for module in G:
        x = module(x)
        if not isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d, nn.LeakyReLU)):
            shapes.append(tuple(x.shape[1:]))
    assert shapes == [(12544,), (256, 7, 7), (128, 7, 7), (64, 14, 14), (1, 28, 28), (1, 28, 28)]
    assert x.abs().max() <= 1
    assert D(x).shape == (2, 1)


def test_keras_defaults_are_ported() -> None:
    G, D = networks(leak=0.3)
    norms = [module for module in G if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d))]
    assert [norm.num_features for norm in norms] == [12544, 128, 64]
    assert all(norm.eps == 1e-3 and norm.momentum == pytest.approx(0.01) for norm in norms)
    assert not any(isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)) for module in D)
    assert all(p.abs().max() == 0 for name, p in D.named_parameters() if name.endswith("bias"))
    slopes = [module.negative_slope for net in (G, D) for module in net if isinstance(module, nn.LeakyReLU)]
    assert slopes == [0.3] * 5


@pytest.mark.parametrize(("net", "layer", "fan"), [
    (0, 0, 100 + 12544), (0, 4, 25 * (256 + 128)), (0, 7, 25 * (128 + 64)), (0, 10, 25 * (64 + 1)),
    (1, 0, 25 * (1 + 64)), (1, 3, 25 * (64 + 128)), (1, 7, 6272 + 1)])
def test_weights_are_glorot_uniform(net: int, layer: int, fan: int) -> None:
    """U(-a, a) with a = sqrt(6 / (fan_in + fan_out)): the bound is all but reached, the variance is a^2 / 3."""
    weight = networks()[net][layer].weight
    a = (6 / fan) ** 0.5
    assert 0.99 * a < weight.abs().max() <= a
    assert weight.var().item() == pytest.approx(a ** 2 / 3, rel=5 / weight.numel() ** 0.5)


def test_the_seed_decides_about_every_weight() -> None:
    first, same, other = (networks(seed=seed)[0].state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(first[key], same[key]) for key in first)
    assert not torch.equal(first["0.weight"], other["0.weight"])
