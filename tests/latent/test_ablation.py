"""Feature-map ablation: the planted map is found, its object goes and the rest stays; random maps do less."""
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from pipeline.data import images as datasets
from pipeline.errors import InputError, ScoreError
from pipeline.gan import literature, sampling
from pipeline.gan.build import Stack, build
from pipeline.gan.layers import Reshape
from pipeline.gan.networks import SGD, Conv, Network, ReLU
from pipeline.gan.networks import Reshape as Shape
from pipeline.gan.networks import Tanh
from pipeline.latent import ablation, objects
from pipeline.latent.shown import ablation as shown
from pipeline.latent.shown.part import Subject, entry
from pipeline.params.scoring import Internals
from pipeline.params.sections import Sampling
from tests.conftest import FP32

RUNNING = Sampling(batch_norm="running", statistics_images=2)
find = partial(objects.loops, smallest=4, rim=4)
NONE = np.array([], int)


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
    evidence = ablation.fit(ablation.activations(G, network, z, place, FP32),
                            *objects.parted(masks, objects.ink(images)), 1.0, np.random.default_rng(0))
    assert evidence.weights.argmax() == 2 and evidence.weights[4] < 0 and evidence.accuracy > 0.9
    assert evidence.positions == 2 * 20 * 7  # of bars, 7 to an image, there are fewer than of rings, with 8

    draw = ablation.drawer(G, network, z, place, FP32)
    assert np.array_equal(draw(NONE), images)
    without = draw(np.array([2]))
    assert abs(without[1::2].astype(int) - images[1::2]).max() <= 3  # without a ring no ring is lost
    random = ablation.random_maps(ablation.Evidence(np.array([-1, -1, 1, -1, -1, -1]), 1, 2), 30,
                                  np.random.default_rng(0))
    found = ablation.compare(draw, np.array([2]), random, find, objects.ink)
    assert found.share == 0.5 and found.dropped.share == 0
    assert found.dropped.inside > 0.8 and found.dropped.outside < 0.01
    same = random[:, 0] == 2
    assert 0 < same.sum() < 15 and found.p == (1 + same.sum()) / 31
    assert found.dropped.ratio > 50 and (found.ratios[random[:, 0] == 4] < 0.1).all()


class Everywhere(nn.Module):
    """z (n, 2) -> eight maps of 7 x 7: map 2 draws a ring where z0 is positive, map 4 a bar, map 0 is wherever ink is.

    Map 6 draws where the ring and the bar are not, but faintly; the others draw nothing.
    """

    def forward(self, z: Tensor, y: None = None) -> Tensor:
        maps = torch.zeros(len(z), 8, 7, 7)
        maps[:, 2, :3, :3] = (z[:, 0, None, None] > 0) * torch.tensor([[1.0, 1, 1], [1, 0, 1], [1, 1, 1]])
        maps[:, 4, 5] = 1 + 0.1 * z[:, 1, None]
        maps[:, 0] = maps[:, 2] + 1.2 * maps[:, 4]
        maps[:, 6] = 0.1 * (maps[:, 0] == 0)
        return maps


def subject_of(front: nn.Module, weights: list[float], **asked: Any) -> Subject:
    """A subject whose G makes maps of z with `front`; each map's pixel adds its weight to 4 x 4 pixels of ink."""
    first, last = nn.Conv2d(len(weights), len(weights), 1, bias=False), nn.ConvTranspose2d(len(weights), 1, 4, 4)
    with torch.no_grad():
        first.weight[:] = torch.eye(len(weights))[:, :, None, None]
        last.weight[:], last.bias[:] = torch.tensor(weights)[:, None, None, None], -3.0
    network = Network((1, 28, 28), 2, "normal", (Tanh(),), (), "normal", SGD(), "alternating")
    trained: Any = SimpleNamespace(G=Stack(front, first, nn.ReLU(), last, nn.Tanh()), network=network)
    reference: Any = SimpleNamespace(name=lambda count: f"fid_{count}", fid=np.mean)
    data = datasets.Dataset(*[np.zeros((2, 1, 28, 28), np.uint8), np.zeros(2, np.uint8)] * 2, {"classes": ["all"]})
    return Subject(trained, data, reference, Internals(runs=["a"], object="loops", C=1.0, **asked), FP32, Path("none"))


def test_maps_of_all_ink_are_no_evidence_of_an_object() -> None:
    """Against the ground, map 0 would tell of rings as well as map 2 does; against other ink it tells nothing."""
    described, pictures = entry(shown.PART, subject_of(Everywhere(), [2.0, 0, 4, 0, 4, 0, 0.01, 0],
                                                       ablation_images=100, draws=99))
    numbers = described["numbers"]
    assert numbers["maps_dropped"] == 1 and numbers["maps"] == 8 and numbers["evidence_accuracy"] == 1
    assert numbers["object_share_without"] == 0 < numbers["object_share"]
    assert numbers["change_ratio"] > 50 and numbers["change_inside"] > 0.5 and numbers["change_outside"] < 0.01
    # One map of eight is that of rings, and random draws may find it.
    assert 0.06 < numbers["change_ratio_p"] < 0.2 and numbers["change_ratio_random"] < numbers["change_ratio"] / 4
    assert len(pictures) == 1


class Alike(nn.Module):
    """z (n, 2) -> eight maps of 7 x 7, each with a quarter of the ink of a ring and a bar."""

    def forward(self, z: Tensor, y: None = None) -> Tensor:
        return Everywhere()(z)[:, :1].sign().expand(-1, 8, -1, -1) / 4


def test_maps_that_only_dim_all_ink_lose_no_object_and_change_inside_as_outside() -> None:
    subject = subject_of(Alike(), [3.6] * 8)
    z = torch.randn(60, 2, generator=torch.Generator().manual_seed(0))
    draw = ablation.drawer(subject.trained.G, subject.trained.network, z, 2, FP32)
    assert draw(NONE).max() > 250 and 70 < draw(np.arange(5)).max() < 110
    random = ablation.random_maps(ablation.Evidence(np.repeat([1, -1], [5, 3]), 1, 2), 50, np.random.default_rng(0))
    found = ablation.compare(draw, np.arange(5), random, find, objects.ink)
    assert 0.3 < found.share < 0.7 and found.dropped.share == found.share
    assert found.dropped.inside > 0.4 and found.dropped.ratio == pytest.approx(1, abs=0.01)
    assert found.p == 1 and found.ratios == pytest.approx(1, abs=0.01)


def test_ratios_are_1_where_nothing_changes_and_p_is_never_0() -> None:
    effects = [ablation.Effect(1, inside, 0.1) for inside in (0.1, 0.2, 0.3, 0.4)]
    assert ablation.Effect(1, 0, 0).ratio == 1 and effects[0].ratio == 1
    assert effects[3].ratio == pytest.approx((0.4 + 1 / 255) / (0.1 + 1 / 255))
    assert [ablation.Comparison(1, one, effects[:3]).p for one in effects] == [1, 3 / 4, 2 / 4, 1 / 4]


def test_dropping_leaves_G_and_the_other_maps_as_they_are(planted: tuple[Stack, Network, Tensor]) -> None:
    G, network, z = planted
    before, size = {key: value.clone() for key, value in G.state_dict().items()}, len(G)
    made = ablation.drawer(G, network, z, 2, FP32)(np.array([1, 3]))
    with torch.no_grad():
        maps = G[:3](z)
        maps[:, [1, 3]] = 0
        assert abs(((G[3:](maps) + 1) * 127.5).numpy() - made).max() <= 0.51
    assert len(G) == size and all(torch.equal(value, before[key]) for key, value in G.state_dict().items())
    assert np.array_equal(ablation.drawer(G, network, z, 2, FP32)(NONE), sampling.sample(G, network, z, FP32))


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
    draw = ablation.drawer(G, network, z, place, FP32)
    dark = draw(np.arange(channels))
    same = dark[::10] if network.classes else dark  # a label's maps are appended behind those that are dropped
    assert (same == same[0]).all() and np.array_equal(draw(NONE), sampling.sample(G, network, z, FP32))
    assert np.array_equal(draw(np.arange(channels)[::-1].copy()), dark)


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
