"""Where layers end, in all networks of the literature; zero is mid grey."""
import numpy as np
import pytest
import torch
from torch import nn

from pipeline.gan import literature
from pipeline.gan.build import Stack, build
from pipeline.latent import maps


@pytest.mark.parametrize("name", literature.NETWORKS)
def test_every_convolution_ends_in_its_activation(name: str) -> None:
    """One place for each, and every rectified map is one of them; the highest of G is the image."""
    network = literature.network(name, 1 / 16)
    G, D = build(network, 0.2, torch.Generator().manual_seed(0))
    for net in (G, D):
        places = maps.layers(net)
        convs = [place for place, module in enumerate(net) if isinstance(module, nn.Conv2d | nn.ConvTranspose2d)]
        assert len(places) == len(convs) and all(a <= b for a, b in zip(convs, places))
        assert all(b < a for a, b in zip(convs[1:], places))
        logit = net is D and name == "torch-64"  # its last convolution is the logit
        assert [isinstance(net[place], maps.RECTIFIERS) for place in places[:-1]] == [True] * (len(places) - 1)
        assert places[-1] == convs[-1] if logit else isinstance(net[places[-1]], nn.LeakyReLU | nn.Tanh | nn.Sigmoid)
    assert maps.layers(G)[-1] == len(G) - 1


def test_pooling_and_what_follows_a_dense_layer_belong_to_no_convolution() -> None:
    conv = nn.Conv2d(1, 1, 1)
    net = Stack(conv, nn.BatchNorm2d(1), nn.ReLU(), nn.MaxPool2d(2), conv, nn.Flatten(), nn.Linear(1, 1), nn.ReLU())
    assert maps.layers(net) == [2, 4]


def test_shades_have_one_scale_around_grey() -> None:
    assert maps.shades(np.array([[0.0, 2.0], [-4.0, 1.0]])).tolist() == [[0.5, 0.75], [0.0, 0.625]]
    assert maps.shades(np.zeros(2)).tolist() == [0.5, 0.5] and maps.shades(np.zeros(2)).dtype == np.float32
