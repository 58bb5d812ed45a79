"""Networks from arrays of Theano's, one for each parameter, in the order of the layers.

Theano keeps a dense layer's weights as (inputs, units), flattens maps as (channel, height, width), and turns a
convolution's kernel by 180 degrees before it slides it. PyTorch slides it as it is, and here maps are flattened as
(height, width, channel).
"""
from collections.abc import Iterator, Sequence
from itertools import takewhile
from math import isqrt

import numpy as np
import torch
from torch import Tensor, nn

from pipeline.errors import InputError
from pipeline.gan.build import Stack
from pipeline.gan.layers import Flatten, Reshape


def fill(stack: Stack, arrays: Sequence[np.ndarray]) -> None:
    """`stack` has the values of `arrays` as its parameters; InputError when their shapes or their number differ."""
    slots = list(_slots(stack))
    if len(arrays) != len(slots):
        raise InputError(f"{len(arrays)} arrays; expected {len(slots)}, one for each parameter")
    for number, (array, (slot, axis, units)) in enumerate(zip(arrays, slots), 1):
        value = torch.from_numpy(array)
        value = value.flip(2, 3) if slot.dim() == 4 else value.T if slot.dim() == 2 else value
        if value.shape != slot.shape:
            raise InputError(f"array {number} has the shape {array.shape}, which does not fit {tuple(slot.shape)}")
        with torch.no_grad():
            slot.copy_(value if units is None else value.index_select(axis, units))


def layers_before(stack: Stack, present: Sequence[bool]) -> int:
    """How many convolutions have all their arrays, batch norm's too, before the first array that is not `present`."""
    known, layers = len(list(takewhile(bool, present))), 0
    for module in stack:
        known -= len(list(module.parameters()))
        if known < 0:
            break
        layers += isinstance(module, nn.LeakyReLU | nn.ReLU)
    return layers


def _slots(stack: Stack) -> Iterator[tuple[Tensor, int, Tensor | None]]:
    """Each parameter, in Theano's order; where maps are flattened, along which axis, and which unit of Theano's is
    where.
    """
    modules = list(stack)
    for place, module in enumerate(modules):
        behind = next((after for after in modules[place + 1:] if isinstance(after, Reshape | nn.Linear)), None)
        for slot in module.parameters():
            if isinstance(module, nn.Linear) and place and isinstance(modules[place - 1], Flatten):
                channels = next(before for before in reversed(modules[:place]) if isinstance(before, nn.Conv2d)
                                ).out_channels
                side = isqrt(module.in_features // channels)
                yield slot, 1, _units(side, side, channels)
            elif isinstance(module, nn.Linear | nn.BatchNorm1d) and isinstance(behind, Reshape):
                yield slot, 0, _units(*behind.shape)
            else:
                yield slot, 0, None


def _units(height: int, width: int, channels: int) -> Tensor:
    """Theano's unit at each unit of this project's."""
    theirs = torch.arange(channels * height * width).view(channels, height, width)
    return theirs.permute(1, 2, 0).flatten()
