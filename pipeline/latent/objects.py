"""Where an object is in an image: a mask of its pixels, from image analysis or from boxes.

Radford, Metz & Chintala 2016, arXiv 1511.06434, sec. 6.3.1, drew boxes around windows by hand. In images of bright ink
on a dark ground, like MNIST's, loops and horizontal strokes can be found instead. Ink is what is brighter than half of
its image's brightest pixel, in the mean of the channels: an image that only dims keeps its objects. Ink is connected
across corners, ground is not. In photographs in colour patches of one hue can be found: a sky, water, a wood.
"""
from collections.abc import Sequence

import numpy as np
from matplotlib import colors
from scipy import ndimage

from pipeline.errors import InputError

SHARE = 0.5  # of an image's brightest pixel, above which is ink
FLOOR = 32  # grey levels: an image whose brightest pixel is no brighter has no ink
HUES = ("red", "yellow", "green", "cyan", "blue", "magenta")  # each is a sixth of the circle of hues, around its own
SATURATION, VALUE = 0.2, 0.15  # 0..1; paler and darker pixels have no hue that one sees
WITHIN = np.pad(ndimage.generate_binary_structure(2, 1)[None], ((1, 1), (0, 0), (0, 0)))  # not to the next image
BATCH = 500  # images at a time


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


def hues(images: np.ndarray) -> np.ndarray:
    """int8 (n, h, w): the place in HUES of each pixel's hue, -1 for none, of uint8 images (n, 3, h, w)."""
    found = np.empty((len(images), *images.shape[2:]), np.int8)
    for begin in range(0, len(images), BATCH):
        part = images[begin:begin + BATCH].transpose(0, 2, 3, 1) / 255
        circle, saturation, value = np.moveaxis(colors.rgb_to_hsv(part), 3, 0)
        seen = (saturation >= SATURATION) & (value >= VALUE)
        found[begin:begin + BATCH] = np.where(seen, np.round(len(HUES) * circle) % len(HUES), -1)
    return found


def patches(images: np.ndarray, hue: str, smallest: int) -> np.ndarray:
    """bool (n, h, w): connected pixels of a hue of HUES, at least `smallest` of them, in uint8 images (n, 3, h, w)."""
    return _large(hues(images) == HUES.index(hue), smallest)


def commonest(images: np.ndarray, smallest: int) -> str:
    """The hue of HUES of which most uint8 images (n, 3, h, w) have `patches` that cover half of them at most.

    InputError when no image has any.
    """
    seen, counts = hues(images), {}
    for place, hue in enumerate(HUES):
        share = _large(seen == place, smallest).mean((1, 2))
        counts[hue] = int(((share > 0) & (share <= 0.5)).sum())
    best = max(HUES, key=counts.__getitem__)
    if not counts[best]:
        raise InputError(f"none of {len(images)} training images has a patch of a colour with something else around it")
    return best


def _large(masks: np.ndarray, smallest: int) -> np.ndarray:
    """Masks (n, h, w) without what is connected, along rows and columns of one image, in fewer pixels."""
    regions, count = ndimage.label(masks, WITHIN)
    large = np.bincount(regions.ravel(), minlength=count + 1) >= smallest
    large[0] = False
    return np.asarray(large[regions])


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
    """bool (n, h, w) twice: the pixels of `rest` that are the object's, and the others, of images that have both.

    `masks` says where the object is, `rest` which pixels count: all ink, or every pixel; both bool (n, h, w).
    """
    inside, outside = masks & rest, rest & ~masks
    both = (having(inside) & having(outside))[:, None, None]
    return inside & both, outside & both


def enough(masks: np.ndarray, count: int) -> int:
    """How many images, from the first on, hold `count` that have the object in masks (n, h, w); n if too few do."""
    return min(int(np.searchsorted(having(masks).cumsum(), count)) + 1, len(masks))
