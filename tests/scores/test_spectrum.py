"""Checkerboards: their energy by a closed form, and only theirs."""
import numpy as np
import pytest

from pipeline.scores import spectrum


def stripes(period: int, size: int = 32) -> np.ndarray:
    """uint8 (1, 1, size, size): columns, half of each period black and half white."""
    row = (np.arange(size) % period < period // 2) * 255
    return np.broadcast_to(row, (1, 1, size, size)).astype(np.uint8)


def test_a_checkerboard_of_black_and_white_has_a_quarter() -> None:
    board = 255 * (np.indices((28, 28)).sum(0) % 2).astype(np.uint8)[None, None]
    assert spectrum.energy(board) == pytest.approx(0.25)
    assert spectrum.energy(stripes(2)) == spectrum.energy(stripes(2).swapaxes(2, 3)) == pytest.approx(0.25)
    assert spectrum.energy(np.repeat(board // 3, 3, 1)) == pytest.approx(0.25 / 9)


def test_coarser_patterns_have_none() -> None:
    assert spectrum.energy(stripes(32)) < 0.002 and spectrum.energy(stripes(4)) == pytest.approx(0, abs=1e-12)
    assert spectrum.energy(np.full((5, 1, 28, 28), 200, np.uint8)) == pytest.approx(0, abs=1e-12)


def test_it_is_a_mean_over_images_however_many() -> None:
    images = np.random.default_rng(0).integers(0, 256, (2300, 1, 8, 8), np.uint8)
    assert spectrum.energy(images) == pytest.approx(np.mean([spectrum.energy(one[None]) for one in images[:2300]]))
