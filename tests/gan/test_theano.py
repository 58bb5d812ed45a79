"""Theano's arrays: networks that are filled from them compute what Theano computes, by SciPy's true convolution."""
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from scipy.signal import convolve2d, correlate2d

from pipeline.errors import InputError
from pipeline.gan import literature, theano
from pipeline.gan.build import Stack, build

Array = np.ndarray
WIDTH = 1 / 16  # of paper-svhn: G 16-8-4-3, D 3-4-8-16


@pytest.fixture
def pair() -> tuple[Stack, Stack]:
    return build(literature.network("paper-svhn", WIDTH), 0.2, torch.Generator().manual_seed(0))


def arrays(net: Stack) -> Iterator[Array]:
    """Random ones, in Theano's shapes."""
    rng = np.random.default_rng(1)
    for slot in net.parameters():
        yield (0.1 * rng.normal(size=slot.T.shape if slot.dim() == 2 else slot.shape) + (slot.dim() == 1)
               ).astype(np.float32)


def normalised(x: Array, scale: Array, shift: Array) -> Array:
    """x (n, units) or (n, c, h, w) with the statistics of the batch."""
    axes, shape = ((0,), (-1,)) if x.ndim == 2 else ((0, 2, 3), (-1, 1, 1))
    x = (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + 1e-8)
    return x * scale.reshape(shape) + shift.reshape(shape)


def convolved(x: Array, w: Array) -> Array:
    """x (n, c, h, w) by kernels (out, c, 5, 5), every second pixel."""
    return np.array([[sum(convolve2d(a, k, "same") for a, k in zip(image, kernel))[::2, ::2] for kernel in w]
                     for image in x])


def transposed(x: Array, w: Array) -> Array:
    """The transpose of `convolved`: x (n, c, h, w) by kernels (c, out, 5, 5)."""
    apart = np.zeros((*x.shape[:2], 2 * x.shape[2], 2 * x.shape[3]))
    apart[..., ::2, ::2] = x
    return np.array([[sum(correlate2d(a, k, "same") for a, k in zip(image, w[:, out])) for out in range(w.shape[1])]
                     for image in apart])


def test_the_oracles_are_each_others_transpose() -> None:
    rng = np.random.default_rng(0)
    x, y, w = rng.normal(size=(1, 3, 8, 8)), rng.normal(size=(1, 2, 4, 4)), rng.normal(size=(2, 3, 5, 5))
    assert (convolved(x, w) * y).sum() == pytest.approx((x * transposed(y, w)).sum())


def test_the_generator_computes_what_theano_does(pair: tuple[Stack, Stack]) -> None:
    G, z = pair[0], np.random.default_rng(2).normal(size=(4, 100)).astype(np.float32)
    found = list(arrays(G))
    theano.fill(G, found)
    w, g, b, w2, g2, b2, w3, g3, b3, last = found
    h = np.maximum(normalised(z @ w, g, b), 0).reshape(4, 16, 4, 4)
    h = np.maximum(normalised(transposed(h, w2), g2, b2), 0)
    h = np.maximum(normalised(transposed(h, w3), g3, b3), 0)
    np.testing.assert_allclose(G(torch.from_numpy(z)).detach(), np.tanh(transposed(h, last)), atol=2e-4)


def test_the_discriminator_computes_what_theano_does(pair: tuple[Stack, Stack]) -> None:
    D, x = pair[1], np.random.default_rng(3).uniform(-1, 1, (4, 3, 32, 32)).astype(np.float32)
    found = list(arrays(D))
    theano.fill(D, found)
    w, w2, g2, b2, w3, g3, b3, last = found

    def leaky(x: Array) -> Array:
        return np.where(x > 0, x, 0.2 * x)

    h = leaky(normalised(convolved(leaky(convolved(x, w)), w2), g2, b2))
    h = leaky(normalised(convolved(h, w3), g3, b3))
    np.testing.assert_allclose(D(torch.from_numpy(x)).detach(), h.reshape(4, -1) @ last, atol=2e-4)


def test_arrays_that_do_not_fit_are_one_line(pair: tuple[Stack, Stack]) -> None:
    found = list(arrays(pair[1]))
    with pytest.raises(InputError, match="7 arrays; expected 8"):
        theano.fill(pair[1], found[1:])
    with pytest.raises(InputError, match=r"array 2 has the shape \(8, 4, 5, 3\), which does not fit \(8, 4, 5, 5\)"):
        theano.fill(pair[1], [found[0], found[1][..., :3], *found[2:]])


@pytest.mark.parametrize(("missing", "layers"), [(0, 0), (1, 1), (2, 1), (3, 1), (4, 2), (6, 2), (7, 3), (99, 3)])
def test_layers_are_known_up_to_the_first_array_that_is_missing(pair: tuple[Stack, Stack], missing: int,
                                                                layers: int) -> None:
    assert theano.layers_before(pair[1], [place != missing for place in range(8)]) == layers
