"""Convolutions through frequencies: their values and gradients are the direct convolution's, to rounding."""
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from pipeline.gan import fast, fourier, layers, literature
from pipeline.gan.build import build
from tests.conftest import FP32, PLAIN

# Smaller map, kernel, stride, padding: the literature's, and odd ones.
CASES = [((7, 7), 5, 1, 2), ((7, 7), 5, 2, 1), ((4, 4), 5, 2, 2), ((4, 4), 4, 2, 1), ((4, 6), 3, 1, 1),
         ((5, 3), 3, 2, 0), ((3, 3), 4, 2, 1), ((4, 4), 3, 3, 0)]


def random(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype).requires_grad_()


def direct_transpose(x: Tensor, weight: Tensor, stride: int, padding: int) -> Tensor:
    """By the definition: the whole transposed convolution, cropped."""
    height, width = (stride * pixels for pixels in x.shape[2:])
    whole = F.pad(F.conv_transpose2d(x, weight, None, stride), (0, width, 0, height))
    return whole[:, :, padding:padding + height, padding:padding + width]


def direct(x: Tensor, weight: Tensor, stride: int, padding: int) -> Tensor:
    height, width = (pixels // stride for pixels in x.shape[2:])
    padded = F.pad(x, (padding, weight.shape[3], padding, weight.shape[2]))
    return F.conv2d(padded, weight, None, stride)[:, :, :height, :width]


@pytest.mark.parametrize(("size", "kernel", "stride", "padding"), CASES)
def test_the_transform_gives_the_direct_convolution_and_its_gradients(
        size: tuple[int, int], kernel: int, stride: int, padding: int) -> None:
    weight = random(6, 5, kernel, kernel, seed=1)
    larger = [stride * pixels for pixels in size]
    for x, ours, plain in ((random(3, 6, *size), fourier.conv_transpose2d, direct_transpose),
                           (random(3, 5, *larger), fourier.conv2d, direct)):
        exact, found = plain(x, weight, stride, padding), ours(x, weight, stride, padding)
        torch.testing.assert_close(found, exact, rtol=0, atol=1e-12)
        seed = random(*exact.shape, seed=2)
        for a, b in zip(torch.autograd.grad(found, (x, weight), seed), torch.autograd.grad(exact, (x, weight), seed)):
            torch.testing.assert_close(a, b, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("size", "kernel", "stride", "padding"), CASES[:4])
def test_in_bf16_the_error_is_of_the_order_of_bf16s_own(
        size: tuple[int, int], kernel: int, stride: int, padding: int) -> None:
    x, weight = random(16, 64, *size, dtype=torch.float32), random(64, 32, kernel, kernel, seed=1, dtype=torch.float32)
    exact = direct_transpose(x.double(), weight.double(), stride, padding)
    with torch.autocast("cpu", torch.bfloat16):
        found = [way(x, weight, stride, padding) for way in (fourier.conv_transpose2d, direct_transpose)]
    ours, plain = (((y.double() - exact).norm() / exact.norm()).item() for y in found)
    assert ours < 0.008 and ours < 2.5 * plain  # 2^-7: a unit of bfloat16's last place


def test_maps_and_gradients_are_channels_last() -> None:
    x = random(3, 6, 4, 4).detach().to(memory_format=torch.channels_last).requires_grad_()
    y = fourier.conv_transpose2d(x, random(6, 5, 5, 5, seed=1), 2, 2)
    gradient, = torch.autograd.grad(y.sum(), x)
    assert all(t.is_contiguous(memory_format=torch.channels_last) for t in (y, gradient))


def test_it_pays_on_small_maps_with_large_kernels_and_only_where_it_may() -> None:
    wide, narrow = torch.empty(256, 128, 5, 5), torch.empty(64, 1, 5, 5)
    assert fourier.pays(torch.Size([14, 14]), wide, 2, 1)
    assert not fourier.pays(torch.Size([14, 14]), narrow, 2, 1)  # the transforms cost more than they save
    assert not fourier.pays(torch.Size([15, 14]), wide, 2, 1)  # an odd map is not made of whole phases
    assert not fourier.pays(torch.Size([64, 64]), wide, 2, 1)
    with fast.switched(False):
        assert not fourier.pays(torch.Size([14, 14]), wide, 2, 1)


@pytest.mark.parametrize("name", ["slides", "article-cifar10", "paper-64", "paper-imagenet32", "torch-64"])
def test_networks_are_the_same_functions_the_fast_way(name: str) -> None:
    network = literature.network(name)
    G, D = build(network, 0.2, torch.Generator().manual_seed(0))
    G.double(), D.double().eval()
    z = random(4, network.z_dim, seed=1)
    results = []
    for device in (FP32, PLAIN):
        with device.arithmetic():
            fake = G(z)
            logits = D(fake)
        results.append((fake, logits, *torch.autograd.grad(logits.sum(), [*G.parameters()])))
    for ours, plain in zip(*results):
        assert (ours - plain).norm() <= 1e-9 * plain.norm()


def test_the_paths_differ_where_it_pays() -> None:
    """Else the test above would compare a path with itself."""
    conv = layers.SameConv2d(64, 128, 5, 2, bias=True)
    x = torch.randn(8, 64, 14, 14, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        with FP32.arithmetic():
            ours = conv(x)
        with PLAIN.arithmetic():
            plain = conv(x)
    assert not torch.equal(ours, plain)
    torch.testing.assert_close(ours, plain, rtol=1e-4, atol=1e-5)
