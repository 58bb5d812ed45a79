"""Keras' padding and the dropout, against independent computations."""
import numpy as np
import pytest
import torch
from scipy.signal import correlate2d

from pipeline.gan import layers
from pipeline.gan.fast import switch


def keras_same(image: np.ndarray, kernel: np.ndarray, stride: int) -> np.ndarray:
    """Convolution (h, w, c) with (k, k, c, out) as TensorFlow documents 'SAME', by scipy on an image padded by hand."""
    h, w, _ = image.shape
    k = kernel.shape[0]
    padding = []
    for size in (h, w):
        total = max(k - stride, 0) if size % stride == 0 else max(k - size % stride, 0)
        padding.append((total // 2, total - total // 2))
    padded = np.pad(image, [*padding, (0, 0)])
    full = np.stack([sum(correlate2d(padded[:, :, c], kernel[:, :, c, o], mode="valid") for c in range(image.shape[2]))
                     for o in range(kernel.shape[3])], axis=-1)
    return full[::stride, ::stride]


@pytest.mark.parametrize(("size", "kernel", "stride"),
                         [(28, 5, 2), (14, 5, 2), (7, 5, 1), (7, 5, 2), (9, 4, 2), (8, 3, 3)])
def test_convolution_pads_as_keras_does(size: int, kernel: int, stride: int) -> None:
    rng = np.random.default_rng(0)
    image, weights = rng.normal(size=(size, size, 2)), rng.normal(size=(kernel, kernel, 2, 3))
    conv = layers.SameConv2d(2, 3, kernel, stride, bias=False).double()
    conv.weight.data = torch.from_numpy(weights.transpose(3, 2, 0, 1)).contiguous()
    ours = conv(torch.from_numpy(image.transpose(2, 0, 1))[None])[0].detach().numpy().transpose(1, 2, 0)
    np.testing.assert_allclose(ours, keras_same(image, weights, stride), rtol=0, atol=1e-12)


@pytest.mark.parametrize(("size", "kernel", "stride"), [(7, 5, 1), (7, 5, 2), (14, 5, 2), (12, 5, 1), (5, 4, 2)])
def test_transposed_convolution_is_the_adjoint_of_the_convolution(size: int, kernel: int, stride: int) -> None:
    """Keras defines Conv2DTranspose by <conv(x), y> = <x, transpose(y)>, with one kernel."""
    generator = torch.Generator().manual_seed(0)
    conv = layers.SameConv2d(3, 4, kernel, stride, bias=False).double()
    transpose = layers.SameConvTranspose2d(4, 3, kernel, stride, bias=False).double()
    transpose.weight.data = conv.weight.data
    x = torch.randn(2, 3, size * stride, size * stride, generator=generator, dtype=torch.float64)
    y = torch.randn(2, 4, size, size, generator=generator, dtype=torch.float64)
    assert transpose(y).shape == x.shape
    torch.testing.assert_close((conv(x) * y).sum(), (x * transpose(y)).sum(), rtol=1e-6, atol=0)


def test_flatten_and_reshape_keep_keras_order() -> None:
    x = torch.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5)
    assert layers.Flatten()(x)[1].tolist() == x[1].permute(1, 2, 0).flatten().tolist()
    assert torch.equal(layers.Reshape(3, 4, 5)(layers.Flatten()(x)), x)


def test_every_lane_of_the_random_words_is_uniform() -> None:
    n = 1 << 20
    numbers = layers.random_int16(torch.empty(n), torch.Generator().manual_seed(0)).view(-1, 4).double() / 65536
    for lane in numbers.T:
        assert lane.mean().item() == pytest.approx(-0.5 / 65536, abs=5 / (12 * n / 4) ** 0.5)
        assert (lane < 0).double().mean().item() == pytest.approx(0.5, abs=5 * 0.5 / (n / 4) ** 0.5)
    correlation = torch.corrcoef(numbers.T) - torch.eye(4)
    assert correlation.abs().max() < 5 / (n / 4) ** 0.5


@pytest.mark.parametrize("quick", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("p", [0.3, 0.5, 0.07])
def test_dropout_keeps_with_1_minus_p_in_every_lane_and_rescales(p: float, dtype: torch.dtype, quick: bool) -> None:
    dropout = layers.Dropout(p, torch.Generator().manual_seed(0)).train()
    n = 1 << 20
    with switch.switched(quick):
        y = dropout(torch.ones(n, dtype=dtype)).view(-1, 4)
    kept = (y > 0).double().mean(0)
    assert torch.all((kept - (1 - p)).abs() < 5 * (p * (1 - p) / (n / 4)) ** 0.5)
    assert y[y > 0].unique().tolist() == [torch.tensor(65536 / (65536 - round(65536 * p)), dtype=dtype).item()]


def test_masks_follow_from_the_generator_and_differ() -> None:
    generator = torch.Generator().manual_seed(0)
    before = generator.get_state()
    first, second = (layers.random_int16(torch.empty(64), generator) for _ in range(2))
    assert not torch.equal(first, second)
    generator.set_state(before)
    assert torch.equal(layers.random_int16(torch.empty(64), generator), first)


def test_dropout_passes_its_mask_to_the_gradient_and_is_nothing_in_eval() -> None:
    dropout = layers.Dropout(0.3, torch.Generator().manual_seed(0))
    x = torch.randn(4, 3, 5, 6).to(memory_format=torch.channels_last).requires_grad_()
    y = dropout.train()(x)
    gradient, = torch.autograd.grad(y.sum(), x)
    torch.testing.assert_close(gradient * x, y)
    assert dropout.eval()(x) is x
