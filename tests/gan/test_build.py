"""The builder: paddings against their definitions, conditional layers, and descriptions that do not fit together."""
from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F

from pipeline.errors import InputError
from pipeline.gan import literature
from pipeline.gan.build import Stack, build
from pipeline.gan.networks import (Conv, ConvTranspose, Dense, Flatten, Labels, Layer, MaxPool, Network, Reshape,
                                   Upsample)

SLIDES = literature.network("slides")


def D_of(*layers: Layer, image: tuple[int, int, int] = (2, 8, 8), classes: int = 0) -> Stack:
    """A discriminator of these layers, ending in a logit."""
    network = replace(SLIDES, image=image, classes=classes, discriminator=(*layers, Flatten(), Dense(1)),
                      generator=(Dense(image[0] * image[1] * image[2]), Reshape(*image)))
    return build(network, 0.2, torch.Generator().manual_seed(0))[1].double()


@pytest.mark.parametrize("kernel", [3, 4, 5])
def test_half_padding_is_symmetric_and_halves_the_image(kernel: int) -> None:
    """Against the definition: zeros around the image, then every second position."""
    conv = D_of(Conv(3, kernel, 2, "half"))[0]
    x = torch.randn(1, 2, 8, 8, dtype=torch.float64)
    edge = (kernel - 1) // 2
    plain = F.conv2d(F.pad(x, (edge,) * 4), conv.weight, conv.bias, stride=2)
    assert plain.shape[2:] == (4, 4)
    torch.testing.assert_close(conv(x), plain)


@pytest.mark.parametrize(("kernel", "stride", "padding"), [
    (3, 1, "half"), (3, 2, "half"), (4, 2, "half"), (5, 1, "half"), (5, 2, "half"), (5, 2, "same"), (4, 1, "valid")])
def test_a_transposed_convolution_is_the_transpose_of_its_convolution(kernel: int, stride: int, padding: str) -> None:
    """<conv(x), y> = <x, conv_transpose(y)> for the same weights: no pixel is shifted."""
    big = 4 if padding == "valid" else 8
    down = D_of(Conv(3, kernel, stride, padding, bias=False), image=(2, big, big))[0]  # type: ignore[arg-type]
    x = torch.randn(1, 2, big, big, dtype=torch.float64)
    small = down(x)
    up = D_of(ConvTranspose(2, kernel, stride, padding, bias=False), image=tuple(small.shape[1:]))[0]  # type: ignore
    with torch.no_grad():
        up.weight.copy_(down.weight)
    y = torch.randn_like(small)
    assert up(y).shape == x.shape
    torch.testing.assert_close((small * y).sum(), (x * up(y)).sum())


@pytest.mark.parametrize(("kernel", "stride", "pixels"), [(4, 1, 4), (4, 2, 5), (3, 2, 7)])
def test_a_map_that_becomes_one_pixel_or_few_is_the_convolution(kernel: int, stride: int, pixels: int) -> None:
    conv = D_of(Conv(3, kernel, stride, "valid"), image=(2, pixels, pixels))[0]
    x = torch.randn(2, 2, pixels, pixels, dtype=torch.float64)
    torch.testing.assert_close(conv(x), F.conv2d(x, conv.weight, conv.bias, stride))


def test_pooling_and_upsampling() -> None:
    x = torch.arange(16.0).view(1, 1, 4, 4)
    pool, grow = D_of(MaxPool(2), image=(1, 4, 4))[0], D_of(Upsample(2), image=(1, 4, 4))[0]
    assert pool(x).flatten().tolist() == [5, 7, 13, 15]
    assert grow(x)[0, 0, 0].tolist() == [0, 0, 1, 1, 2, 2, 3, 3] and torch.equal(grow(x)[0, 0, 0], grow(x)[0, 0, 1])
    assert D_of(MaxPool(2), image=(1, 7, 7))[0](torch.zeros(1, 1, 7, 7)).shape == (1, 1, 4, 4)


def test_labels_are_appended_to_vectors_and_as_constant_maps_to_images() -> None:
    D = D_of(Labels(), Conv(3, 3, 1, "same"), classes=4)
    y = torch.eye(4)[[2, 0]].double()
    x = torch.randn(2, 2, 8, 8, dtype=torch.float64)
    seen = D[0](x, y)
    assert torch.equal(seen[:, :2], x) and seen.shape == (2, 6, 8, 8)
    assert seen[0, 2:].amax((1, 2)).tolist() == seen[0, 2:].amin((1, 2)).tolist() == [0, 0, 1, 0]
    assert torch.equal(D[0](x[:, :, 0, 0], y), torch.cat([x[:, :, 0, 0], y], 1))
    assert not torch.allclose(D(x, y), D(x, y.flip(0)))
    with pytest.raises(ValueError, match="needs labels"):
        D(x)


@pytest.mark.parametrize(("layers", "message"), [
    ((Dense(3),), r"discriminator, layer 0, Dense.units=3.*: \(2, 8, 8\) arrives, it wants .*a Flatten before it"),
    ((Flatten(), Conv(3, 5, 2, "same")),
     r"discriminator, layer 1, Conv.*: \(128,\) arrives, it wants .*a Reshape before it"),
    ((ConvTranspose(3, 4, 1, "half"),), r"layer 0, ConvTranspose.*it wants an odd kernel"),
    ((Conv(3, 4, 1, "half"),), r"layer 0, Conv.*it wants an odd kernel"),
    ((Flatten(), Reshape(3, 8, 8)), r"layer 1, Reshape.*: \(128,\) arrives, it wants \(192,\)"),
    ((Conv(3, 9, 1, "valid"),), r"layer 0, Conv.*: \(2, 8, 8\) arrives, it wants at least 9 x 9 pixels"),
    ((Labels(),), r"layer 0, Labels.*it wants a network with classes")])
def test_layers_that_do_not_meet_are_named(layers: tuple[Layer, ...], message: str) -> None:
    with pytest.raises(InputError, match=message):
        D_of(*layers)


@pytest.mark.parametrize(("change", "message"), [
    ({"image": (3, 28, 28)}, r"generator: makes \(1, 28, 28\) in the end, after Tanh\(\); expected \(3, 28, 28\)"),
    ({"discriminator": SLIDES.discriminator[:-1]},
     r"discriminator: makes \(6272,\) in the end, after Flatten\(\); expected \(1,\)")])
def test_networks_that_make_something_else_are_refused(change: dict[str, object], message: str) -> None:
    network: Network = replace(SLIDES, **change)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=message):
        build(network, 0.2, torch.Generator())
