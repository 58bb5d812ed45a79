"""What D's filters look for: the images that they respond to most, and those of the first layer themselves.

Radford, Metz & Chintala 2016, arXiv 1511.06434, sec. 6.2, asks what D's features are activated by; the images with
the largest responses are the plain answer (Zeiler & Fergus 2014, arXiv 1311.2901, sec. 4). Batch norm has the
statistics that D has: `scores.probe.settled` gives it those of training images.
"""
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pipeline.errors import InputError
from pipeline.gan.build import Stack
from pipeline.gan.devices import Device
from pipeline.gan.networks import Network
from pipeline.gan.sampling import averaging
from pipeline.latent import maps
from pipeline.scores import probe

BATCH = 250  # images at a time


@dataclass(frozen=True)
class Top:
    """The images that each filter responds to most, in falling order: `indices` int64 and `responses` float32, both
    (filters, k). A response is the largest activation in the filter's map.
    """
    indices: np.ndarray
    responses: np.ndarray


def inputs(images: np.ndarray, labels: np.ndarray | None, network: Network,
           device: Device) -> Iterator[tuple[Tensor, Tensor | None]]:
    """What D is asked, a batch of the uint8 images (n, c, h, w) at a time.

    A conditional D is conditioned on `labels`, integers (n,); without any on no class, as by the probe.
    """
    begin = 0
    for x, y in probe.inputs(images, network, device, BATCH):
        if y is not None and labels is not None:
            given = torch.from_numpy(labels[begin:begin + len(x)].astype(np.int64))
            y = F.one_hot(given, network.classes).float().to(device.device)
        yield x, y
        begin += len(x)


@torch.no_grad()
def top(D: Stack, network: Network, images: np.ndarray, labels: np.ndarray | None, layer: int, k: int,
        device: Device) -> Top:
    """The `k` of the images that respond most to each filter of D's convolution number `layer`, from 0 or, backwards,
    from -1; of equal ones the first.

    Images uint8 (n, c, h, w), labels integers (n,) or None: see `inputs`. In memory is one batch. D is in eval mode,
    and afterwards what it was. InputError when there is no such layer, or fewer than k images.
    """
    places = maps.layers(D)
    if not -len(places) <= layer < len(places):
        raise InputError(f"convolution {layer}: D has {len(places)}, from 0 to {len(places) - 1}")
    if not 1 <= k <= len(images):
        raise InputError(f"{k} images for each filter: expected 1 to {len(images)}, as many as there are")
    front = D[:places[layer] + 1]
    responses, indices, begin = torch.empty(0), torch.empty(0, dtype=torch.long), 0
    with averaging(D, None), maps.exactly(device):
        for x, y in inputs(images, labels, network, device):
            found = front(x, y).amax((2, 3)).T.cpu()
            numbers = torch.arange(begin, begin + len(x)).expand_as(found)
            if begin:
                found, numbers = torch.cat([responses, found], 1), torch.cat([indices, numbers], 1)
            ordered, order = found.sort(dim=1, descending=True, stable=True)  # the earlier ones stand in front
            responses, indices = ordered[:, :k], numbers.gather(1, order[:, :k])
            begin += len(x)
    return Top(indices.numpy(), responses.numpy())


def first(D: Stack, network: Network) -> np.ndarray:
    """The first convolution's filters as images, float32 (filters, c, kernel, kernel) in 0..1.

    One scale for all: a weight of 0 is 0.5, the one farthest from it is 0 or 1. Weights of labels are left out.
    """
    conv = next(module for module in D if isinstance(module, nn.Conv2d))
    return maps.shades(conv.weight[:, :network.image[0]].detach().cpu().numpy())
