"""Forgetting: the planted map is found, its object goes and the rest stays; random maps do less."""
from collections.abc import Iterator
from functools import partial

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from pipeline.errors import InputError, ScoreError
from pipeline.gan import literature, sampling
from pipeline.gan.build import Stack, build
from pipeline.gan.layers import Reshape
from pipeline.gan.networks import SGD, Conv, Network, ReLU
from pipeline.gan.networks import Reshape as Shape
from pipeline.gan.networks import Tanh
from pipeline.latent import ablation, objects
from pipeline.params.sections import Sampling
from tests.conftest import FP32

RUNNING = Sampling(batch_norm="running", statistics_images=2)
find = partial(objects.loops, threshold=127, smallest=4, rim=4)
rest = partial(objects.ink, threshold=127)


@pytest.fixture(scope="module")
def planted() -> tuple[Stack, Network, Tensor]:
    """z is six maps of 7 x 7, each pixel 4 x 4 of the image: map 2 draws rings, map 4 bars, others next to nothing."""
    network = Network((1, 28, 28), 6 * 49, "normal", (Shape(6, 7, 7), Conv(6, 1, 1, "valid"), ReLU(), Tanh()), (),
                      "normal", SGD(), "in turns")
    first, last = nn.Conv2d(6, 6, 1, bias=False), nn.ConvTranspose2d(6, 1, 4, 4)
    with torch.no_grad():
        first.weight[:] = torch.eye(6)[:, :, None, None]
        last.weight[:], last.bias[:] = 6.0, -3.0
    rng = np.random.default_rng(0)
    z = torch.from_numpy(0.02 * rng.random((40, 7, 7, 6), np.float32))
    z[::2, :3, :3, 2] += torch.tensor([[1.0, 1, 1], [1, 0, 1], [1, 1, 1]])
    z[:, 5, :, 4] += 1
    return Stack(Reshape(6, 7, 7), first, nn.ReLU(), last, nn.Tanh()), network, z.flatten(1)


def test_the_planted_map_is_found_and_its_object_goes(planted: tuple[Stack, Network, Tensor]) -> None:
    G, network, z = planted
    place = ablation.layer(G, 2)
    images = sampling.sample(G, network, z, FP32)
    masks = find(images)
    assert masks.any((1, 2)).tolist() == [True, False] * 20 and place == 2
    evidence = ablation.fit(ablation.activations(G, network, z, place, FP32), masks, ~masks, 1.0,
                            np.random.default_rng(0))
    assert evidence.weights.argmax() == 2 and evidence.weights[4] < 0 and evidence.positions == 2 * 20 * 9
    assert evidence.accuracy > 0.9

    found = ablation.measure(G, network, z, place, np.array([2]), find, rest, 30, np.random.default_rng(0), FP32)
    assert np.array_equal(found.images, images) and found.share == 0.5 and found.dropped.share == 0
    assert found.dropped.inside > 0.8 and found.dropped.outside < 0.01
    assert abs(found.dropped.images[1::2].astype(int) - images[1::2]).max() <= 3  # without a ring no ring is lost
    kept = [one for one in found.random if one.share]  # five of six
    assert 15 < len(kept) < 30 and all(one.share == 0.5 and one.inside < 0.2 for one in kept)
    assert any(one.outside > 0.5 for one in kept)  # the bars', once


def test_dropping_leaves_G_and_the_other_maps_as_they_are(planted: tuple[Stack, Network, Tensor]) -> None:
    G, network, z = planted
    before, size = {key: value.clone() for key, value in G.state_dict().items()}, len(G)
    made = ablation.without(G, 2, np.array([1, 3]))
    out = made[:4](z)
    assert (out[:, [1, 3]] == 0).all() and torch.equal(out[:, [0, 2, 4, 5]], G[:3](z)[:, [0, 2, 4, 5]])
    assert len(G) == size and all(torch.equal(value, before[key]) for key, value in G.state_dict().items())
    assert np.array_equal(sampling.sample(ablation.without(G, 2, np.array([], int)), network, z, FP32),
                          sampling.sample(G, network, z, FP32))


@pytest.fixture(params=[*literature.NETWORKS, "slides by repeating pixels"])
def trained(request: pytest.FixtureRequest) -> Iterator[tuple[Stack, Network]]:
    violate = ["nearest", "leaky_relu_G"] if request.param == "paper-64" else []
    violate = ["nearest"] if request.param.endswith("pixels") else violate
    network = literature.network(request.param.split()[0], 1 / 16, violate)
    G = build(network, 0.2, torch.Generator().manual_seed(0))[0]
    with sampling.evaluating(G, network, RUNNING, FP32):
        yield G, network


def test_all_networks_draw_with_and_without_maps(trained: tuple[Stack, Network]) -> None:
    """Activations are those that lead to the sampled images, labels included; without any map a G has only biases."""
    G, network = trained
    z = sampling.prior(network, 11, torch.Generator().manual_seed(0))
    place = ablation.layer(G, 2)
    found = ablation.activations(G, network, z, place, FP32)
    y = sampling.labels(network, 11)
    with torch.no_grad():
        images = G[place + 1:](torch.from_numpy(found), y)
    low = network.low
    expected = ((images - low) / (1 - low) * 255).numpy()
    assert abs(sampling.sample(G, network, z, FP32) - expected).max() <= 0.51

    channels = found.shape[1]
    dark = sampling.sample(ablation.without(G, place, np.arange(channels)), network, z, FP32)
    same = dark[::10] if network.classes else dark  # a label's maps are appended behind those that are dropped
    assert (same == same[0]).all()
    result = ablation.measure(G, network, z, place, np.arange(channels), lambda images: images[:, 0] > 127,
                              lambda images: images[:, 0] >= 0, 2, np.random.default_rng(0), FP32)
    assert np.array_equal(result.dropped.images, dark)
    assert all(np.array_equal(one.images, dark) for one in result.random)  # all maps, in whatever order


def test_layers_are_counted_from_the_image() -> None:
    network = literature.network("paper-64", 1 / 16)
    G = build(network, 0.2, torch.Generator().manual_seed(0))[0].eval()
    sizes = [ablation.activations(G, network, torch.zeros(1, 100), ablation.layer(G, height), FP32).shape[1:]
             for height in (2, 3, 4)]
    assert sizes == [(8, 32, 32), (16, 16, 16), (32, 8, 8)]
    for height in (1, 5):
        with pytest.raises(InputError, match=f"convolution {height} from the image: expected 2 to 4"):
            ablation.layer(G, height)


def test_positions_are_of_images_that_have_the_object_and_of_no_border() -> None:
    """Of 4 x 4 pixels: half of them make a position the object's, one keeps it from being another's."""
    inside = np.zeros((2, 8, 8), bool)
    inside[0, :4, :2] = True
    inside[0, 4, 4] = True
    activations = np.zeros((2, 1, 2, 2), np.float32)
    activations[0, 0, 0, 0] = 1
    activations[0, 0, 1, 1] = np.nan  # would be refused by the regression
    activations[1] = np.nan
    rng = np.random.default_rng(0)
    evidence = ablation.fit(activations, inside, ~inside, 1.0, rng)
    assert evidence.positions == 2 and evidence.maps.tolist() == [0] and evidence.accuracy == 1
    with pytest.raises(ScoreError, match="0 of 2 images have the object, in 0 positions of 2 x 2"):
        ablation.fit(activations, np.zeros_like(inside), ~inside, 1.0, rng)
    with pytest.raises(ScoreError, match="1 of 2 images have the object, in 1 positions of 2 x 2, with 0 outside"):
        ablation.fit(activations, inside, np.zeros_like(inside), 1.0, rng)


def test_the_same_generator_draws_the_same_positions() -> None:
    rng = np.random.default_rng(1)
    activations = rng.normal(size=(6, 5, 4, 4)).astype(np.float32)
    inside = np.zeros((6, 8, 8), bool)
    inside[:, 2:6, :4] = True
    activations[:, 3, 1:3, :2] += 3
    one, two, other = (ablation.fit(activations, inside, ~inside, 0.1, np.random.default_rng(seed))
                       for seed in (0, 0, 1))
    assert np.array_equal(one.weights, two.weights) and not np.array_equal(one.weights, other.weights)
    assert one.weights.argmax() == 3 and 3 in one.maps
