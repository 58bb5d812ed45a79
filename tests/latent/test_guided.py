"""Guided backpropagation: a two-layer net by hand, all networks, and a D that stays what it was."""
import numpy as np
import pytest
import torch
from torch import nn

from pipeline.errors import InputError
from pipeline.gan import literature
from pipeline.gan.build import Stack, build
from pipeline.gan.layers import Flatten
from pipeline.latent import guided, maps
from tests.conftest import FP32


def by_hand() -> Stack:
    """1x1 convolutions: hidden h = lrelu((1, -1, 2) x), features f = lrelu(((1, 3, -1), (-1, 0, 0)) h)."""
    first, second = nn.Conv2d(1, 3, 1, bias=False), nn.Conv2d(3, 2, 1, bias=False)
    with torch.no_grad():
        first.weight[:] = torch.tensor([1.0, -1.0, 2.0])[:, None, None, None]
        second.weight[:] = torch.tensor([[1.0, 3.0, -1.0], [-1.0, 0.0, 0.0]])[:, :, None, None]
    return Stack(first, nn.LeakyReLU(0.2), second, nn.LeakyReLU(0.2), Flatten(), nn.Linear(4, 1))


def test_a_two_layer_net_by_hand() -> None:
    """Feature 0 at x = -1: h = (-.2, 1, -.4), f = -.2 + 3 + .4 = 3.2, and 3 goes back through h2 alone: 3 * -1.

    The plain gradient is (.2 * 1 + 3 * -1 - .2 * 2) = -3.2. At x = 2: h = (2, -.4, 4), f = 2 - 1.2 - 4 < 0, so that the
    largest of the map is the -1's.
    """
    x = torch.tensor([[[[-1.0, 2.0]]]])
    assert guided.gradient(by_hand(), 3, x, None, 0).tolist() == [[[[-3.0, 0.0]]]]
    assert by_hand()[:4](x)[0, 0, 0, 0].item() == pytest.approx(3.2)


def test_negative_gradients_stay_behind_and_features_that_are_negative_everywhere_send_none() -> None:
    """At x = 1 feature 0 is 1 * 1 + 3 * -.2 - 2 < 0 and feature 1 is -1: nothing. At x = -1 feature 1 is .2: its
    gradient meets h1 = -.2, which is not positive.
    """
    for value in (1.0, -1.0):
        assert guided.gradient(by_hand(), 3, torch.full((1, 1, 1, 1), value), None, 1).tolist() == [[[[0.0]]]]
    assert guided.gradient(by_hand(), 3, torch.ones(1, 1, 1, 1), None, 0).tolist() == [[[[0.0]]]]


@pytest.mark.parametrize("name", [*literature.NETWORKS, "slides without strides"])
def test_all_networks_keep_their_state_and_show_what_top_images_have(name: str) -> None:
    violate = ["pooling", "relu_D"] if name.endswith("strides") else []
    network = literature.network(name.split()[0], 1 / 8, violate)
    D = build(network, 0.2, torch.Generator().manual_seed(0))[1]
    images = np.random.default_rng(0).integers(0, 256, (9, *network.image), dtype=np.uint8)
    labels = np.arange(9) if network.classes else None
    before = {key: value.clone() for key, value in D.state_dict().items()}
    found = guided.guided(D, network, images, labels, 6, 2, FP32)
    assert D.training and all(torch.equal(value, before[key]) for key, value in D.state_dict().items())
    assert all(parameter.grad is None and parameter.requires_grad for parameter in D.parameters())
    assert not any(module._forward_hooks or module._backward_hooks for module in D.modules())

    channels = [module.out_channels for module in D if isinstance(module, nn.Conv2d)][guided.last(D)]
    assert found.indices.shape == found.responses.shape == (channels, 2) and channels > 6
    assert found.gradients.shape == (6, 2, *network.image) and np.isfinite(found.gradients).all()
    assert (found.gradients[found.responses[:6] > 0] != 0).any((1, 2, 3)).all()
    # A step along the gradient raises the response: it is one of ascent, for positive responses.
    D.eval()
    place = maps.layers(D)[guided.last(D)]
    x = torch.from_numpy(images[found.indices[:6]]).float() / 255 * (1 - network.low) + network.low
    step = torch.from_numpy(found.gradients)
    step = 0.1 * step / step.abs().amax((2, 3, 4), keepdim=True).clamp(min=1e-12)
    for feature in range(6):
        y = None if labels is None else torch.eye(10)[found.indices[feature]]
        with torch.no_grad():
            plain, moved = (D[:place + 1](one, y)[:, feature].amax((1, 2))
                            for one in (x[feature], x[feature] + step[feature]))
        np.testing.assert_allclose(plain, found.responses[feature], rtol=1e-3, atol=1e-6)
        assert (moved > plain)[plain > 0].all()


def test_on_positive_paths_it_is_the_plain_gradient() -> None:
    """With positive weights and inputs no rectifier holds anything back."""
    network = literature.network("paper-mnist", 1 / 16)
    D = build(network, 0.2, torch.Generator().manual_seed(0))[1].eval()
    with torch.no_grad():
        for parameter in D.parameters():
            parameter.abs_()
    x, y = torch.rand(3, 1, 28, 28, generator=torch.Generator().manual_seed(1)), torch.eye(10)[:3]
    place = maps.layers(D)[guided.last(D)]
    leaf = x.clone().requires_grad_()
    expected, = torch.autograd.grad(D[:place + 1](leaf, y)[:, 1].amax((1, 2)).sum(), leaf)
    torch.testing.assert_close(guided.gradient(D, place, x, y, 1), expected)


def test_the_logit_of_a_convolution_is_no_feature() -> None:
    D = build(literature.network("torch-64", 1 / 16), 0.2, torch.Generator().manual_seed(0))[1]
    assert guided.last(D) == len(maps.layers(D)) - 2
    with pytest.raises(InputError, match="a convolution that a ReLU or LeakyReLU follows"):
        guided.last(Stack(nn.Conv2d(1, 1, 1), Flatten()))


def test_more_features_than_there_are_are_refused() -> None:
    network = literature.network("slides", 1 / 16)
    D = build(network, 0.2, torch.Generator().manual_seed(0))[1]
    with pytest.raises(InputError, match="9 features: expected 1 to 8"):
        guided.guided(D, network, np.zeros((2, 1, 28, 28), np.uint8), None, 9, 1, FP32)


def test_each_picture_has_its_own_scale() -> None:
    gradients = np.zeros((1, 2, 1, 1, 3), np.float32)
    gradients[0, :, 0, 0, 1] = 4, -0.01
    assert guided.pictures(gradients)[0, :, 0, 0].tolist() == [[0.5, 1, 0.5], [0.5, 0, 0.5]]
