"""A generator in JavaScript makes PyTorch's pixels, for each kind of layer and network."""
import base64
import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from pipeline.errors import InputError
from pipeline.exploring import portable
from pipeline.gan import literature, sampling, training
from pipeline.gan.build import Stack
from pipeline.gan.networks import Network
from pipeline.latent import rows
from pipeline.params.sections import Run, Sampling
from tests.conftest import PLAIN

GENERATOR = Path(portable.__file__).with_name("generator.js")
SCRIPT = f"""
const {{ Generator }} = require({json.dumps(str(GENERATOR))});
const asked = JSON.parse(require("fs").readFileSync(0, "utf8"));
const generator = new Generator(asked.facts, asked.weights, asked.others);
console.log(JSON.stringify(asked.z.map((z, i) => [...generator.pixels(z, asked.labels[i])])));
"""
KINDS = [("slides", 0.125, ()), ("guidelines-28", 0.25, ()), ("guidelines-28", 0.25, ("nearest",)),
         ("guidelines-28", 0.25, ("batch_norm_everywhere", "sigmoid")), ("guidelines-28", 0.25, ("no_batch_norm_G",)),
         ("paper-mnist", 0.125, ()), ("paper-mnist", 0.125, ("nearest",)), ("udacity-svhn", 0.125, ()),
         ("torch-64", 0.0625, ()), ("torch-64", 0.0625, ("nearest",)), ("paper-64", 0.03, ()),
         ("paper-imagenet32", 0.0625, ()), ("article-cifar10", 0.0625, ())]


def made(name: str, width: float, violate: tuple[str, ...]) -> tuple[Stack, Network]:
    """A generator with weights and statistics of all sizes, whose images have all greys."""
    network = literature.network(name, width, violate)
    G = training.start(network, Run(leak=0.2), 0, PLAIN).G
    random = torch.Generator().manual_seed(3)
    for module in G:
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d) and module.weight is not None:
            nn.init.normal_(module.bias, 0, 0.3, generator=random)
    return G, network


@pytest.mark.skipif(not shutil.which("node"), reason="there is no node")
@pytest.mark.parametrize(("name", "width", "violate"), KINDS)
def test_node_makes_pytorchs_pixels(name: str, width: float, violate: tuple[str, ...]) -> None:
    G, network = made(name, width, violate)
    z, labels = sampling.prior(network, 4, torch.Generator().manual_seed(1)), [0, 3, 9, 1]
    with sampling.evaluating(G, network, Sampling(statistics_images=50), PLAIN), torch.no_grad():
        *_, last = (parameter for parameter in G.parameters() if parameter.dim() > 1)
        y = torch.eye(network.classes)[labels] if network.classes else None
        last *= 1 / (G[:-1](z) if y is None else Stack(*G[:-1])(z, y)).std()
        expected = rows.images(G, network, rows.joined(z, y), PLAIN)
        facts, weights, others = portable.exported(G, network)
    assert expected.std() > 20, "images without contrast would prove nothing"
    asked = {"facts": facts, "z": z.tolist(), "labels": labels, "weights": base64.b64encode(weights).decode(),
             "others": base64.b64encode(others).decode()}
    found = subprocess.run(["node", "-e", SCRIPT], input=json.dumps(asked), capture_output=True, text=True)
    assert found.returncode == 0, found.stderr
    channels, height, width_ = network.image
    pixels = np.array(json.loads(found.stdout), int).reshape(4, height, width_, channels).transpose(0, 3, 1, 2)
    assert abs(pixels - expected).max() <= 2


def test_what_cannot_be_exported_is_refused() -> None:
    G, network = made("guidelines-28", 0.25, ())
    with torch.no_grad():
        G[0].weight[0, 0] = 1e6
    with pytest.raises(InputError, match="float16 cannot hold"):
        portable.exported(G.eval(), network)
    with pytest.raises(InputError, match="a layer MaxPool2d cannot be explored"):
        portable.exported(Stack(*G, nn.MaxPool2d(2)).eval(), network)
