"""Loops and strokes of drawn digits, and boxes."""
import numpy as np
import pytest

from pipeline.errors import InputError
from pipeline.latent import objects

EIGHT = """
............
...######...
..##....##..
..##....##..
...######...
..##....##..
..##....##..
..##....##..
...######...
............"""
ZERO, ONE, FOUR = """
............
...#####....
..##...##...
..#.....#...
..#.....#...
..#.....#...
..#.....#...
..##...##...
...#####....
............""", """
............
.....##.....
....###.....
.....##.....
.....##.....
.....##.....
.....##.....
.....##.....
.....##.....
............""", """
............
..#....#....
..#....#....
..#....#....
..#....#....
..#########.
.......#....
.......#....
.......#....
............"""


def drawn(*digits: str, channels: int = 1) -> np.ndarray:
    rows = np.array([[list(row) for row in digit.split()] for digit in digits])
    return np.repeat(np.where(rows == "#", 255, 0).astype(np.uint8)[:, None], channels, 1)


@pytest.mark.parametrize("channels", [1, 3])
def test_digits_have_the_loops_one_sees(channels: int) -> None:
    found = objects.loops(drawn(ZERO, EIGHT, ONE, FOUR, channels=channels), 127, 2, 0)
    assert found.sum((1, 2)).tolist() == [3 + 4 * 5 + 3, 8 + 12, 0, 0]
    assert found[0, 4, 3:8].all() and not found[0, 4, [2, 8]].any()  # without a rim the hole alone
    assert found[1, 2, 4:8].all() and found[1, 6, 4:8].all() and not found[1, 4].any()


def test_a_loop_takes_the_ink_around_it_along() -> None:
    found, inked = objects.loops(drawn(EIGHT), 127, 9, 1)[0], drawn(EIGHT)[0, 0] > 0
    assert found[6, 3:9].all() and not found[6, [2, 9]].any()  # the lower hole, and one pixel of ink
    assert not found[:4].any()  # the upper hole has 8 pixels
    assert found[4, 3:9].all() and inked[4, 3:9].all()
    assert not (objects.loops(drawn(EIGHT), 127, 9, 9)[0] & ~inked)[[0, 9]].any()


def test_ink_is_connected_across_corners_and_ground_is_not() -> None:
    diamond = np.zeros((1, 1, 5, 5), np.uint8)
    diamond[0, 0, [1, 2, 2, 3], [2, 1, 3, 2]] = 255  # touch at their corners only
    assert objects.loops(diamond, 127, 1, 0)[0, 2, 2] and objects.loops(diamond, 127, 1, 0).sum() == 1


def test_a_ring_at_the_border_and_an_image_of_ink_alone() -> None:
    ring = np.full((1, 1, 4, 4), 255, np.uint8)
    assert not objects.loops(ring, 127, 1, 1).any()
    ring[0, 0, 1:3, 1:3] = 0
    assert objects.loops(ring, 127, 4, 0)[0, 1:3, 1:3].all() and objects.loops(ring, 127, 4, 0).sum() == 4
    ring[0, 0, 0, 1] = 0  # opens it to the outside
    assert not objects.loops(ring, 127, 1, 0).any()


def test_strokes_are_horizontal_long_and_thin() -> None:
    found = objects.strokes(drawn(FOUR, ONE, EIGHT), 127, 7, 2, 0)
    assert np.argwhere(found[0]).tolist() == [[5, column] for column in range(2, 11)]
    assert not found[1:].any()
    block = np.zeros((1, 1, 12, 12), np.uint8)
    block[0, 0, 2:8, 1:11] = 255
    assert not objects.strokes(block, 127, 7, 5, 0).any() and objects.strokes(block, 127, 7, 6, 0).sum() == 60


def test_a_stroke_takes_the_ink_around_it_along() -> None:
    found = objects.strokes(drawn(FOUR), 127, 7, 2, 1)[0]
    assert found[4, [2, 7]].all() and found[6, 7] and not found[3].any() and found.sum() == 9 + 3


def test_boxes_end_before_right_and_bottom() -> None:
    masks = objects.boxes([[1, 2, 0, 4, 1], [1, 0, 2, 1, 3]], 2, 3, 5)
    assert masks.shape == (2, 3, 5) and np.argwhere(masks).tolist() == [[1, 0, 2], [1, 0, 3], [1, 2, 0]]


@pytest.mark.parametrize("box", [[2, 0, 0, 1, 1], [0, 3, 0, 3, 1], [0, 0, 0, 6, 1], [0, 0, 1, 1, 4], [0, -1, 0, 1, 1]])
def test_boxes_outside_their_image_are_refused(box: list[int]) -> None:
    with pytest.raises(InputError, match="box 1 is .*; expected image, left, top, right, bottom with image below 2"):
        objects.boxes([[0, 0, 0, 1, 1], box], 2, 3, 5)
