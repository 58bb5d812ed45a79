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
    found = objects.loops(drawn(ZERO, EIGHT, ONE, FOUR, channels=channels), 2, 0)
    assert found.sum((1, 2)).tolist() == [3 + 4 * 5 + 3, 8 + 12, 0, 0]
    assert found[0, 4, 3:8].all() and not found[0, 4, [2, 8]].any()  # without a rim the hole alone
    assert found[1, 2, 4:8].all() and found[1, 6, 4:8].all() and not found[1, 4].any()


def test_a_loop_takes_the_ink_around_it_along() -> None:
    found, inked = objects.loops(drawn(EIGHT), 9, 1)[0], drawn(EIGHT)[0, 0] > 0
    assert found[6, 3:9].all() and not found[6, [2, 9]].any()  # the lower hole, and one pixel of ink
    assert not found[:4].any()  # the upper hole has 8 pixels
    assert found[4, 3:9].all() and inked[4, 3:9].all()
    assert not (objects.loops(drawn(EIGHT), 9, 9)[0] & ~inked)[[0, 9]].any()


def test_an_image_that_dims_keeps_its_objects_and_a_black_one_has_none() -> None:
    bright, faint = drawn(ZERO, FOUR), drawn(ZERO)
    faint[faint == 0] = 90  # no ink beside 255
    for grey in (255, 120, 34):
        dim = (bright * (grey / 255)).astype(np.uint8)
        assert np.array_equal(objects.loops(dim, 2, 1), objects.loops(bright, 2, 1))
        assert np.array_equal(objects.strokes(dim, 7, 2, 0), objects.strokes(bright, 7, 2, 0))
    assert np.array_equal(objects.ink(faint), bright[:1, 0] > 0)
    together = np.concatenate([bright[:1], bright[:1] // 4])  # each image has its own threshold
    assert objects.ink(together)[0].sum() == objects.ink(together)[1].sum() > 0
    assert not objects.ink(np.stack([np.zeros((3, 5, 5), np.uint8), np.full((3, 5, 5), 32, np.uint8)])).any()


def test_ink_is_connected_across_corners_and_ground_is_not() -> None:
    diamond = np.zeros((1, 1, 5, 5), np.uint8)
    diamond[0, 0, [1, 2, 2, 3], [2, 1, 3, 2]] = 255  # touch at their corners only
    assert objects.loops(diamond, 1, 0)[0, 2, 2] and objects.loops(diamond, 1, 0).sum() == 1


def test_a_ring_at_the_border_and_an_image_of_ink_alone() -> None:
    ring = np.full((1, 1, 4, 4), 255, np.uint8)
    assert not objects.loops(ring, 1, 1).any()
    ring[0, 0, 1:3, 1:3] = 0
    assert objects.loops(ring, 4, 0)[0, 1:3, 1:3].all() and objects.loops(ring, 4, 0).sum() == 4
    ring[0, 0, 0, 1] = 0  # opens it to the outside
    assert not objects.loops(ring, 1, 0).any()


def test_strokes_are_horizontal_long_and_thin() -> None:
    found = objects.strokes(drawn(FOUR, ONE, EIGHT), 7, 2, 0)
    assert np.argwhere(found[0]).tolist() == [[5, column] for column in range(2, 11)]
    assert not found[1:].any()
    block = np.zeros((1, 1, 12, 12), np.uint8)
    block[0, 0, 2:8, 1:11] = 255
    assert not objects.strokes(block, 7, 5, 0).any() and objects.strokes(block, 7, 6, 0).sum() == 60


def test_a_stroke_takes_the_ink_around_it_along() -> None:
    found = objects.strokes(drawn(FOUR), 7, 2, 1)[0]
    assert found[4, [2, 7]].all() and found[6, 7] and not found[3].any() and found.sum() == 9 + 3


def test_boxes_end_before_right_and_bottom() -> None:
    masks = objects.boxes([[1, 2, 0, 4, 1], [1, 0, 2, 1, 3]], 2, 3, 5)
    assert masks.shape == (2, 3, 5) and np.argwhere(masks).tolist() == [[1, 0, 2], [1, 0, 3], [1, 2, 0]]


@pytest.mark.parametrize("box", [[2, 0, 0, 1, 1], [0, 3, 0, 3, 1], [0, 0, 0, 6, 1], [0, 0, 1, 1, 4], [0, -1, 0, 1, 1]])
def test_boxes_outside_their_image_are_refused(box: list[int]) -> None:
    with pytest.raises(InputError, match="box 1 is .*; expected image, left, top, right, bottom with image below 2"):
        objects.boxes([[0, 0, 0, 1, 1], box], 2, 3, 5)


def test_objects_are_parted_from_the_rest_of_images_that_have_them() -> None:
    rest, masks = np.zeros((3, 2, 4), bool), np.zeros((3, 2, 4), bool)
    rest[:, 0] = True
    masks[0, :, :2] = True
    masks[2, 1] = True  # of what does not count
    inside, outside = objects.parted(masks, rest)
    assert np.argwhere(inside).tolist() == [[0, 0, 0], [0, 0, 1]]
    assert np.argwhere(outside).tolist() == [[0, 0, 2], [0, 0, 3]]


@pytest.mark.parametrize(("count", "wanted"), [(1, 2), (2, 4), (3, 5), (4, 6)])
def test_enough_images_are_the_fewest_from_the_first_on(count: int, wanted: int) -> None:
    masks = np.zeros((6, 2, 2), bool)
    masks[[1, 3, 4], 1, 1] = True
    assert objects.having(masks).tolist() == [False, True, False, True, True, False]
    assert objects.enough(masks, count) == wanted


def coloured(*colours: tuple[int, int, int]) -> np.ndarray:
    """uint8 (1, 3, 4, 2 n): columns of two pixels of each colour."""
    return np.array(colours, np.uint8).repeat(2, 0).T[None, :, None].repeat(4, 2)


def test_hues_are_sixths_of_the_circle_and_grey_and_black_have_none() -> None:
    pure = [(200, 0, 0), (200, 200, 0), (0, 200, 0), (0, 200, 200), (0, 0, 200), (200, 0, 200)]
    assert objects.hues(coloured(*pure))[0, 0, ::2].tolist() == [0, 1, 2, 3, 4, 5]
    off = [(200, 90, 0), (200, 110, 0), (200, 0, 90), (200, 170, 170), (200, 150, 150), (30, 0, 0), (128, 128, 128)]
    assert objects.hues(coloured(*off))[0, 0, ::2].tolist() == [0, 1, 0, -1, 0, -1, -1]  # the border is at 30 degrees


def test_patches_are_connected_in_one_image_and_large_enough() -> None:
    images = np.zeros((2, 3, 6, 6), np.uint8)
    images[0, 2, :2, :3] = 200  # six pixels
    images[0, 2, 4, 5] = images[0, 2, 5, 4] = 200  # two that touch across a corner
    images[1, 2, 4:, 4:] = 200  # at the same place as these: four
    assert objects.patches(images, "blue", 5).sum((1, 2)).tolist() == [6, 0]
    assert objects.patches(images, "blue", 2).sum((1, 2)).tolist() == [6, 4]
    assert objects.patches(images, "blue", 1).sum((1, 2)).tolist() == [8, 4]
    assert not objects.patches(images, "red", 1).any()


def test_images_in_parts_have_the_hues_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    images = np.random.default_rng(0).integers(0, 256, (7, 3, 5, 5), dtype=np.uint8)
    whole = objects.hues(images)
    monkeypatch.setattr(objects, "BATCH", 3)
    assert (objects.hues(images) == whole).all() and len(np.unique(whole)) == 7


def test_the_commonest_hue_is_of_most_images_that_it_does_not_fill() -> None:
    images = np.zeros((6, 3, 4, 4), np.uint8)
    images[:4, 1] = 200  # four are green all over
    images[4:, 0, :2] = 200  # two have a half in red
    assert objects.commonest(images, 4) == "red"
    with pytest.raises(InputError, match="none of 4 training images has a patch of a colour"):
        objects.commonest(images[:4], 4)


def test_images_that_are_nothing_but_the_object_are_no_evidence_of_what_is_outside() -> None:
    masks = np.zeros((3, 2, 2), bool)
    masks[0], masks[1, 0] = True, True  # all of it, a half, none
    inside, outside = objects.parted(masks, np.ones((3, 2, 2), bool))
    assert inside.sum((1, 2)).tolist() == [0, 2, 0] and outside.sum((1, 2)).tolist() == [0, 2, 0]
