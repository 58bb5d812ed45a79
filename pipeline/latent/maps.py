"""Where a network's feature maps are in the row of its modules, and how signed numbers become pictures."""
from contextlib import AbstractContextManager
from dataclasses import replace

import numpy as np
import torch
from torch import nn

from pipeline.gan.build import Stack
from pipeline.gan.devices import Device

RECTIFIERS = (nn.LeakyReLU, nn.ReLU)


def layers(net: Stack) -> list[int]:
    """For each convolution, transposed or not, from the input on: the place in `net` of what ends its layer.

    That is its activation, before any pooling or dropout, or the convolution itself where none follows it; the layer's
    maps (n, c, h, w) are `net[:place + 1](x, y)`.
    """
    modules, places = list(net), []
    for place, module in enumerate(modules):
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            end = place
            for later, after in enumerate(modules[place + 1:], place + 1):
                if isinstance(after, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
                    break
                if isinstance(after, (*RECTIFIERS, nn.Tanh, nn.Sigmoid)):
                    end = later
                    break
            places.append(end)
    return places


def exactly(device: Device) -> AbstractContextManager[None]:
    """The device's arithmetic in float32: in bfloat16's eight bits too many maxima would be equal."""
    return replace(device, dtype=torch.float32).arithmetic()


def shades(values: np.ndarray) -> np.ndarray:
    """float32 of the same shape in 0..1, linearly: zero is 0.5, the number farthest from zero is 0 or 1."""
    largest = np.abs(values).max(initial=0)
    return (0.5 + values / (2 * largest or 1)).astype(np.float32)
