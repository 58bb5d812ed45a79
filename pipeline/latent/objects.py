"""Where an object is in an image: a mask of its pixels, from image analysis or from boxes.

Radford, Metz & Chintala 2016, arXiv 1511.06434, sec. 6.3.1, drew boxes around windows by hand. In images of bright ink
on a dark ground, like MNIST's, loops and horizontal strokes can be found instead. Ink is what is brighter than half of
its image's brightest pixel, in the mean of the channels: an image that only dims keeps its objects. Ink is connected
across corners, ground is not.
"""
from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from pipeline.errors import InputError

SHARE = 0.5  # of an image's brightest pixel, above which is ink
FLOOR = 32  # grey levels: an image whose brightest pixel is no brighter has no ink


def ink(images: np.ndarray) -> np.ndarray:
    """bool (n, h, w): where uint8 images (n, c, h, w) are brighter than SHARE of their own brightest pixel."""
    grey = images.mean(1)
    brightest = grey.max((1, 2), keepdims=True)
    return (grey > SHARE * brightest) & (brightest > FLOOR)


def loops(images: np.ndarray, smallest: int, rim: int) -> np.ndarray:
    """bool (n, h, w): the holes of at least `smallest` pixels that ink encloses, and the ink up to `rim` pixels away.

    Images uint8 (n, c, h, w).
    """
    inked = ink(images)
    holes = np.zeros_like(inked)
    for hole, one in zip(holes, inked):
        # A pixel of ground around the image makes one region of all ground at its border.
        regions, count = ndimage.label(np.pad(~one, 1, constant_values=True))
        large = np.bincount(regions.ravel(), minlength=count + 1) >= smallest
        large[[0, regions[0, 0]]] = False  # ink, and the ground outside
        hole[:] = large[regions][1:-1, 1:-1]
    return _rimmed(holes, inked, rim)


def strokes(images: np.ndarray, length: int, thickness: int, rim: int) -> np.ndarray:
    """bool (n, h, w): horizontal strokes of ink, at least `length` pixels long, and the ink up to `rim` pixels away.

    Images uint8 (n, c, h, w). A pixel belongs to a stroke when it lies in a horizontal run of so many pixels of ink,
    and in no vertical run of more than `thickness` pixels that do; what is left is a stroke if it still is so long.
    """
    inked = ink(images)
    along = ndimage.binary_opening(inked, np.ones((1, 1, length), bool))
    thin = along & ~ndimage.binary_opening(along, np.ones((1, thickness + 1, 1), bool))
    return _rimmed(ndimage.binary_opening(thin, np.ones((1, 1, length), bool)), inked, rim)


def _rimmed(masks: np.ndarray, inked: np.ndarray, rim: int) -> np.ndarray:
    """The masks and the ink up to `rim` pixels away, a neighbour across a corner being one away."""
    if not rim:
        return masks  # scipy takes 0 for: until nothing changes
    return masks | (ndimage.binary_dilation(masks, np.ones((1, 3, 3), bool), rim) & inked)


def boxes(rows: Sequence[Sequence[int]], count: int, height: int, width: int) -> np.ndarray:
    """bool (count, height, width): the pixels in boxes (image's index, left, top, right, bottom), counted from 0.

    `right` and `bottom` are the first pixels outside. InputError names a box that is empty or not in an image.
    """
    masks = np.zeros((count, height, width), bool)
    for number, (index, left, top, right, bottom) in enumerate(rows):
        if not (0 <= index < count and 0 <= left < right <= width and 0 <= top < bottom <= height):
            raise InputError(f"box {number} is {index}, {left}, {top}, {right}, {bottom}; expected image, left, top, "
                             f"right, bottom with image below {count}, 0 <= left < right <= {width} and "
                             f"0 <= top < bottom <= {height}")
        masks[index, top:bottom, left:right] = True
    return masks


def having(masks: np.ndarray) -> np.ndarray:
    """bool (n,): which masks (n, h, w) have a pixel."""
    return np.asarray(masks.any((1, 2)))


def parted(masks: np.ndarray, rest: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """bool (n, h, w) twice: the pixels of `rest` that are the object's, and the others of images that have the object.

    `masks` says where the object is, `rest` which pixels count: all ink, or every pixel; both bool (n, h, w).
    """
    inside = masks & rest
    return inside, rest & ~masks & having(inside)[:, None, None]


def enough(masks: np.ndarray, count: int) -> int:
    """How many images, from the first on, hold `count` that have the object in masks (n, h, w); n if too few do."""
    return min(int(np.searchsorted(having(masks).cumsum(), count)) + 1, len(masks))
