"""A generator as data that `generator.js` computes with: its layers in order, and two rows of numbers.

Maps are in the order height, width, channels, which reshapes keep (`gan.layers`). Batch norm in eval mode is a scale
and a shift. Convolutions and dense layers have their weights in float16, rounded to 11 bits, all else in float32.
"""
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from pipeline.errors import InputError
from pipeline.gan import layers, sampling
from pipeline.gan.build import Stack
from pipeline.gan.networks import Network

Layer = dict[str, Any]
LARGEST = float(np.finfo(np.float16).max)


def exported(G: Stack, network: Network) -> tuple[dict[str, Any], bytes, bytes]:
    """What `generator.js` runs: facts with `layers`, the weights as float16, and biases, scales and shifts as float32.

    Numbers are little-endian. G is in eval mode. InputError for a layer that `generator.js` does not know, and for
    weights that float16 cannot hold.
    """
    rows, found = sampling.example(network)[:1], []
    z, y = rows.split([network.z_dim, network.classes], 1)
    x, device = z, next(G.parameters()).device
    weights: list[Tensor] = []
    others: list[Tensor] = []
    with torch.no_grad():
        for module in G:
            before, x = x, (module(x.to(device), y.to(device)) if isinstance(module, layers.Labels)
                            else module(x.to(device)))
            found += _layer(module, _shape(before), _shape(x), weights, others)
    numbers = _joined(weights)
    if not (abs(numbers) <= LARGEST).all():
        raise InputError(f"the generator has weights beyond {LARGEST:,.0f}, which float16 cannot hold")
    facts = {"image": network.image, "z_dim": network.z_dim, "prior": network.prior, "classes": network.classes,
             "low": network.low, "layers": found}
    return facts, numbers.astype("<f2").tobytes(), _joined(others).astype("<f4").tobytes()


def _layer(module: nn.Module, before: list[int], after: list[int], weights: list[Tensor],
           others: list[Tensor]) -> list[Layer]:
    """The description of a module that makes maps `after` (height, width, channels) of maps `before`, or nothing.

    Its numbers are appended to `weights` and `others`.
    """
    match module:
        case nn.Linear():
            weights.append(module.weight.t())
            others.append(_bias(module.bias, module.out_features))
            return [{"kind": "dense", "inputs": module.in_features, "units": module.out_features}]
        case nn.Conv2d() | nn.ConvTranspose2d():
            down = isinstance(module, nn.Conv2d)
            weights.append(module.weight.permute(2, 3, *((1, 0) if down else (0, 1))))  # kernel, kernel, from, to
            others.append(_bias(module.bias, module.out_channels))
            return [{"kind": "conv" if down else "transpose", "kernel": module.kernel_size[0],
                     "stride": module.stride[0], "before": _padding(module, before), "from": before, "to": after}]
        case _BatchNorm(running_mean=Tensor() as mean, running_var=Tensor() as variance):
            scale = (variance.double() + module.eps).rsqrt()
            scale = scale if module.weight is None else scale * module.weight.double()
            others += [scale, -mean.double() * scale + (0 if module.bias is None else module.bias.double())]
            return [{"kind": "affine", "length": len(mean)}]
        case nn.ReLU() | nn.LeakyReLU():
            return [{"kind": "leaky", "slope": getattr(module, "negative_slope", 0)}]
        case nn.Upsample(scale_factor=float(factor)):
            return [{"kind": "upsample", "factor": int(factor), "from": before}]
        case layers.Labels():
            return [{"kind": "labels", "channels": before[2]}]
        case nn.Tanh() | nn.Sigmoid():
            return [{"kind": type(module).__name__.lower()}]
        case layers.Reshape() | layers.Flatten() | layers.Dropout():
            return []  # in this order of maps, and in eval mode, they change nothing
    raise InputError(f"a generator with a layer {type(module).__name__} cannot be explored in a browser")


def _padding(module: nn.Conv2d | nn.ConvTranspose2d, before: list[int]) -> int:
    """Pixels of padding above and left of a map."""
    if isinstance(module, layers.SameConv2d):
        return layers.same_padding(before[0], module.kernel_size[0], module.stride[0])[0]
    assert isinstance(module.padding, tuple)
    return module.padding[0]


def _shape(x: Tensor) -> list[int]:
    """(height, width, channels) of one map; vectors are 1 x 1."""
    return [*x.shape[2:], x.shape[1]] if x.dim() == 4 else [1, 1, x.shape[1]]


def _bias(bias: Tensor | None, units: int) -> Tensor:
    return torch.zeros(units) if bias is None else bias


def _joined(tensors: list[Tensor]) -> np.ndarray:
    return np.concatenate([tensor.detach().cpu().double().numpy().ravel() for tensor in tensors])
