"""The quicker ways of a convolution: their values and gradients are the direct one's, to rounding."""
import weakref
from types import ModuleType

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from pipeline.gan import layers, literature
from pipeline.gan.build import build
from pipeline.gan.fast import fourier, sub_pixel, switch, winograd
from tests.conftest import FP32, PLAIN

# The way, the smaller map, kernel, stride, padding: the literature's first, then odd ones.
LITERATURE = [(fourier, (7, 7), 5, 1, 2), (fourier, (7, 7), 5, 2, 1), (fourier, (4, 4), 5, 2, 2),
              (winograd, (4, 4), 4, 2, 1), (winograd, (8, 8), 4, 2, 1), (sub_pixel, (32, 32), 4, 2, 1),
              (sub_pixel, (14, 14), 5, 2, 1), (sub_pixel, (32, 32), 5, 2, 2)]
TIMES = {fourier: 2.2, winograd: 2.7, sub_pixel: 1.01}  # the error of bfloat16's direct convolution, at most
CASES = [*LITERATURE, (fourier, (4, 4), 4, 2, 1), (fourier, (4, 6), 3, 1, 1), (fourier, (5, 3), 3, 2, 0),
         (fourier, (3, 3), 4, 2, 1), (fourier, (4, 4), 3, 3, 0), (winograd, (6, 12), 4, 2, 1),
         (winograd, (2, 4), 4, 2, 0), (winograd, (4, 2), 6, 3, 2), (winograd, (4, 4), 2, 1, 0),
         (sub_pixel, (5, 7), 3, 2, 1), (sub_pixel, (5, 7), 5, 3, 1), (sub_pixel, (3, 2), 2, 2, 0),
         (sub_pixel, (4, 4), 3, 3, 0)]


def random(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    x = torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)
    return (x.contiguous(memory_format=torch.channels_last) if x.dim() == 4 else x).requires_grad_()


def direct_transpose(x: Tensor, weight: Tensor, stride: int, padding: int) -> Tensor:
    """By the definition: the whole transposed convolution, cropped."""
    height, width = (stride * pixels for pixels in x.shape[2:])
    whole = F.pad(F.conv_transpose2d(x, weight, None, stride), (0, width, 0, height))
    return whole[:, :, padding:padding + height, padding:padding + width]


def direct(x: Tensor, weight: Tensor, stride: int, padding: int) -> Tensor:
    height, width = (pixels // stride for pixels in x.shape[2:])
    padded = F.pad(x, (padding, weight.shape[3], padding, weight.shape[2]))
    return F.conv2d(padded, weight, None, stride)[:, :, :height, :width]


@pytest.mark.parametrize(("way", "size", "kernel", "stride", "padding"), CASES)
def test_a_way_gives_the_direct_convolution_and_its_gradients(
        way: ModuleType, size: tuple[int, int], kernel: int, stride: int, padding: int,
        monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(winograd, "TILES", 2 * size[0] * size[1] // 4)  # three images in two pieces
    weight = random(6, 3, kernel, kernel, seed=1)
    larger = [stride * pixels for pixels in size]
    for x, ours, plain in ((random(3, 6, *size), way.conv_transpose2d, direct_transpose),
                           (random(3, 3, *larger), way.conv2d, direct)):
        exact, found = plain(x, weight, stride, padding), ours(x, weight, stride, padding)
        torch.testing.assert_close(found, exact, rtol=0, atol=1e-12)
        seed = random(*exact.shape, seed=2)
        for a, b in zip(torch.autograd.grad(found, (x, weight), seed), torch.autograd.grad(exact, (x, weight), seed)):
            torch.testing.assert_close(a, b, rtol=0, atol=1e-11)


@pytest.mark.parametrize(("way", "size", "kernel", "stride", "padding"), LITERATURE)
def test_in_bf16_the_error_is_of_the_order_of_bf16s_own(
        way: ModuleType, size: tuple[int, int], kernel: int, stride: int, padding: int,
        monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(winograd, "TILES", 6 * size[0] * size[1] // 4)  # sixteen images in three pieces
    x, weight = random(16, 64, *size, dtype=torch.float32), random(64, 32, kernel, kernel, seed=1, dtype=torch.float32)
    exact = direct_transpose(x.double(), weight.double(), stride, padding)
    seed = random(*exact.shape, seed=2)
    wanted = [exact, *torch.autograd.grad(exact, (x, weight), seed)]
    errors = []
    for function in (way.conv_transpose2d, direct_transpose):  # its gradient is the convolution
        with torch.autocast("cpu", torch.bfloat16):
            y = function(x, weight, stride, padding)
        found = [y, *torch.autograd.grad(y, (x, weight), seed.to(y.dtype))]
        assert found[2].dtype == torch.float32
        errors.append([((a.double() - b).norm() / b.norm()).item() for a, b in zip(found, wanted)])
    for ours, plain in zip(*errors):
        assert ours < 2 ** -7 and ours < TIMES[way] * plain  # 2^-7: a unit of bfloat16's last place


@pytest.mark.parametrize("way", [fourier, winograd, sub_pixel])
def test_maps_and_gradients_are_channels_last(way: ModuleType) -> None:
    for function, x in ((way.conv_transpose2d, random(3, 6, 4, 4)), (way.conv2d, random(3, 5, 8, 8))):
        y = function(x, random(6, 5, 4, 4, seed=1), 2, 1)
        gradient, = torch.autograd.grad(y.sum(), x)
        assert all(t.is_contiguous(memory_format=torch.channels_last) for t in (y, gradient))


@pytest.mark.parametrize(("learned", "with_gradients", "kept"), [(True, True, 3), (False, True, 0), (True, False, 0)])
def test_factors_are_kept_for_gradients_of_weights_only(
        learned: bool, with_gradients: bool, kept: int, monkeypatch: pytest.MonkeyPatch) -> None:
    factors: list[weakref.ref[Tensor]] = []
    compute = winograd._of_larger

    def spied(x: Tensor, stride: int, padding: int) -> Tensor:
        found = compute(x, stride, padding)
        factors.append(weakref.ref(found.untyped_storage()))
        return found

    monkeypatch.setattr(winograd, "TILES", 4)
    monkeypatch.setattr(winograd, "_of_larger", spied)
    with torch.set_grad_enabled(with_gradients):
        y = winograd.conv2d(random(3, 6, 8, 8), random(5, 6, 4, 4).requires_grad_(learned), 2, 1)
    assert len(y) == len(factors) == 3
    assert sum(reference() is not None for reference in factors) == kept


def test_each_way_is_taken_where_it_pays_and_only_where_it_may() -> None:
    def way(pixels: int, channels: int, out: int, kernel: int, stride: int = 2, dtype: torch.dtype = torch.bfloat16,
            device: str = "cpu") -> ModuleType | None:
        weight = torch.empty(channels, out, kernel, kernel, device=device)
        return layers.quicker_way(torch.empty(0, dtype=dtype), torch.Size([pixels, pixels]), weight, stride, 1)

    assert way(14, 256, 128, 5) is fourier
    assert way(14, 64, 16, 5) is None  # the transforms cost more than they save
    assert way(64, 256, 128, 5) is None
    assert way(16, 256, 128, 4) is winograd
    assert way(12, 256, 128, 4) is winograd
    assert way(14, 256, 128, 4) is fourier  # no whole tiles
    assert way(32, 256, 128, 4) is None
    assert way(16, 256, 32, 4) is None
    assert way(16, 256, 128, 4, dtype=torch.float32) is None
    assert way(64, 64, 3, 4) is sub_pixel
    assert way(12, 64, 3, 3, stride=3) is None  # a pixel in front is more than its cells hold
    assert way(14, 256, 128, 5, device="meta") is None
    assert way(15, 256, 128, 5) is way(15, 64, 3, 4) is None  # an odd map is not made of whole cells
    with switch.switched(False):
        assert way(14, 256, 128, 5) is way(16, 256, 128, 4) is way(64, 64, 3, 4) is None


@pytest.mark.parametrize("name", ["slides", "article-cifar10", pytest.param("paper-64", marks=pytest.mark.slow),
                                  "paper-imagenet32", "torch-64"])
def test_networks_are_the_same_functions_the_fast_way(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(winograd, "PRECISIONS", (torch.float64,))
    network = literature.network(name)
    G, D = build(network, 0.2, torch.Generator().manual_seed(0))
    G.double(), D.double().eval()
    z = random(4, network.z_dim, seed=1)
    results = []
    for device in (FP32, PLAIN):
        with device.arithmetic():
            fake = G(z)
            logits = D(fake)
        results.append((fake, logits, *torch.autograd.grad(logits.sum(), [*G.parameters(), *D.parameters()])))
    for ours, plain in zip(*results):
        assert (ours - plain).norm() <= 1e-9 * plain.norm()


def test_float64_stays_where_autocast_leaves_it() -> None:
    with torch.autocast("cpu", torch.bfloat16):
        for way in (fourier, winograd, sub_pixel):
            y = way.conv2d(random(1, 3, 4, 4), random(2, 3, 4, 4), 2, 1)
            assert y.dtype == F.conv2d(random(1, 3, 4, 4), random(2, 3, 4, 4), None, 2, 1).dtype == torch.float64


@pytest.mark.parametrize(("conv", "shape"), [
    (layers.SameConv2d(64, 128, 5, 2, bias=True), (64, 14, 14)),
    (layers.Conv2d(64, 128, 4, 2, 1), (64, 16, 16)),
    (layers.ConvTranspose2d(64, 3, 4, 2, 1), (64, 8, 8)),
    (layers.MapToPixel(64, 8, 4), (64, 4, 4)),
    (layers.PixelToMap(64, 32, 4), (64, 1, 1))])
def test_the_paths_differ_where_it_pays(
        conv: torch.nn.Module, shape: tuple[int, int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the test above would compare a path with itself."""
    monkeypatch.setattr(winograd, "PRECISIONS", (torch.float32,))
    x = torch.randn(8, *shape, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        with FP32.arithmetic():
            ours = conv(x)
        with PLAIN.arithmetic():
            plain = conv(x)
    assert not torch.equal(ours, plain)
    torch.testing.assert_close(ours, plain, rtol=1e-4, atol=1e-5)
