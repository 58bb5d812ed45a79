"""The images that filters respond to: those of a whole sort, whatever the batches; the first filters as images."""
import numpy as np
import pytest
import torch
from torch import nn

from pipeline.data.images import Dataset
from pipeline.errors import InputError
from pipeline.gan import literature
from pipeline.gan.build import Stack, build
from pipeline.latent import filters, maps
from tests.conftest import FP32


def D_of(name: str) -> tuple[Stack, literature.Network]:
    network = literature.network(name, 1 / 16)
    return build(network, 0.2, torch.Generator().manual_seed(0))[1], network


def images_for(network: literature.Network, count: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, *network.image), dtype=np.uint8)


@pytest.mark.parametrize("name", literature.NETWORKS)
@pytest.mark.parametrize("batch", [1, 4, 100])
def test_the_largest_responses_whatever_the_batches(name: str, batch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filters, "BATCH", batch)
    D, network = D_of(name)
    images, labels = images_for(network, 11), np.arange(11, dtype=np.uint8) % 10
    before = {key: value.clone() for key, value in D.state_dict().items()}
    found = filters.top(D, network, images, labels, 1, 3, FP32)
    assert D.training and all(torch.equal(value, before[key]) for key, value in D.state_dict().items())

    x = torch.from_numpy(images).float() / 255 * (1 - network.low) + network.low
    y = torch.eye(10)[torch.from_numpy(labels).long()] if network.classes else None
    D.eval()
    with torch.no_grad():
        responses = D[:maps.layers(D)[1] + 1](x, y).amax((2, 3)).numpy().T
    order = np.argsort(-responses, 1, kind="stable")[:, :3]
    np.testing.assert_array_equal(found.indices, order)
    np.testing.assert_allclose(found.responses, np.take_along_axis(responses, order, 1), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("batch", [1, 3, 100])
def test_of_equal_images_the_first_ones_are_taken(batch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filters, "BATCH", batch)
    D, network = D_of("slides")
    images = np.repeat(images_for(network, 2), 4, 0)[[0, 4, 1, 5, 2, 6, 3, 7]]  # two images in turns
    found = filters.top(D, network, images, None, -1, 6, FP32)
    for row in found.indices:
        assert row.tolist() in ([0, 2, 4, 6, 1, 3], [1, 3, 5, 7, 0, 2])


def test_a_filter_finds_the_image_with_its_pattern() -> None:
    """The response is the largest in the map: a single pattern beats many weak ones."""
    D, network = D_of("slides")
    images = np.zeros((3, 1, 28, 28), np.uint8)
    images[1, 0, 10:15, 10:15] = 255
    images[2] = 60
    with torch.no_grad():
        D[0].weight[:] = 1
    assert filters.top(D, network, images, None, 0, 3, FP32).indices[0].tolist() == [1, 2, 0]


def test_a_conditional_D_without_labels_is_told_no_class() -> None:
    D, network = D_of("paper-mnist")
    with torch.no_grad():
        D[1].weight[:, 1:] = 100.0  # any label would add thousands
    images, labels = images_for(network, 5), np.arange(5)
    told, untold = (filters.top(D, network, images, given, 0, 1, FP32).responses.max() for given in (labels, None))
    assert told > 1000 > 1 > untold


def test_layers_and_numbers_that_are_not_there_are_refused(dataset: Dataset) -> None:
    D, network = D_of("slides")
    with pytest.raises(InputError, match="convolution 2: D has 2, from 0 to 1"):
        filters.top(D, network, dataset.train_images[:3], None, 2, 1, FP32)
    with pytest.raises(InputError, match="4 images for each filter: expected 1 to 3"):
        filters.top(D, network, dataset.train_images[:3], None, 0, 4, FP32)


@pytest.mark.parametrize("name", literature.NETWORKS)
def test_the_first_filters_share_a_scale_on_which_zero_is_grey(name: str) -> None:
    D, network = D_of(name)
    conv = next(module for module in D if isinstance(module, nn.Conv2d))
    with torch.no_grad():
        conv.weight[:] = 0
        conv.weight[0, 0, 0, 1], conv.weight[-1, 0, 1, 0] = -2, 1
        conv.weight[:, network.image[0]:] = 5  # labels' weights, which nobody asked for
    found = filters.first(D, network)
    assert found.shape == (len(conv.weight), network.image[0], *conv.kernel_size) and found.dtype == np.float32
    assert (found[0, 0, 0, 1], found[-1, 0, 1, 0], found[0, 0, 2, 2]) == (0, 0.75, 0.5)
