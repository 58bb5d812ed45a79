"""Sheets of images: rows with a label each, in groups with a heading each, in one style, the same bytes twice."""
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib import font_manager
from PIL import Image, ImageDraw, ImageFont

from pipeline.data import pixels

CELL = 56  # pixels: images are enlarged by whole pixels to about so many
GAP, APART, MARGIN = 2, 14, 8  # pixels between images, between groups, and around the sheet
SIZE = 13  # of letters, in pixels
LARGE, COLOURS = 350_000, 256  # bytes, from which a picture in colour has so many: pictures go to git


@dataclass(frozen=True)
class Row:
    """Groups of uint8 images (n, c, h, w), and what they are; `apart` keeps it away from the row above."""
    label: str
    groups: Sequence[np.ndarray]
    apart: bool = False


def sheet(rows: Sequence[Row], headings: Sequence[str] = ()) -> Image.Image:
    """All rows, one below the other; `headings` stand over the groups of the first row.

    Groups of one place begin at the same pixel in all rows. Smaller images, as filters, are enlarged to the same size.
    """
    font = ImageFont.truetype(font_manager.findfont("DejaVu Sans"), SIZE)  # matplotlib's own
    groups = [group for row in rows for group in row.groups]
    height = max(group.shape[2] for group in groups)
    cell = height * max(1, round(CELL / height))
    counts = [max(len(row.groups[place]) for row in rows if place < len(row.groups))
              for place in range(max(len(row.groups) for row in rows))]
    widths = [max(count * (cell + GAP) - GAP, _width(font, heading))
              for count, heading in zip(counts, [*headings, *[""] * len(counts)])]
    left = MARGIN + max(_width(font, row.label) for row in rows)
    left += MARGIN if left > MARGIN else 0
    lefts = [left + sum(widths[:place]) + place * APART for place in range(len(widths))]
    top = MARGIN + (SIZE + MARGIN if headings else 0)
    tops = [top + place * (cell + GAP) + APART * sum(one.apart for one in rows[:place + 1])
            for place in range(len(rows))]
    colour = any(group.shape[1] == 3 for group in groups)
    canvas = Image.new("RGB" if colour else "L", (lefts[-1] + widths[-1] + MARGIN, tops[-1] + cell + MARGIN), "white")
    draw = ImageDraw.Draw(canvas)
    for begin, heading in zip(lefts, headings):
        draw.text((begin, MARGIN), heading, "black", font)
    for y, row in zip(tops, rows):
        draw.multiline_text((MARGIN, y + cell // 2), row.label, "black", font, "lm", spacing=2)
        for x, group in zip(lefts, row.groups):
            for number, image in enumerate(group):
                canvas.paste(enlarged(image, cell), (x + number * (cell + GAP), y))
    return canvas


def _width(font: ImageFont.FreeTypeFont, text: str) -> int:
    return round(max(font.getlength(line) for line in text.split("\n")))


def enlarged(image: np.ndarray, size: int) -> Image.Image:
    """A uint8 image (c, h, w), 1 or 3 channels, by as many whole pixels as make it at most `size` wide, at least 1."""
    times = max(1, size // image.shape[2])
    picture = Image.fromarray(image[0] if len(image) == 1 else np.ascontiguousarray(image.transpose(1, 2, 0)))
    return picture.resize((times * image.shape[2], times * image.shape[1]), Image.Resampling.NEAREST)


def png(picture: Image.Image) -> bytes:
    """The picture as a PNG file, large ones with a palette; the same picture, the same bytes."""
    content = pixels.png(picture)
    if len(content) <= LARGE or picture.mode == "L":
        return content
    palette = picture.quantize(COLOURS - 1)  # the last is for the ground, which Pillow would give a colour near white
    dithered = picture.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG)
    places = np.where((np.asarray(picture) == 255).all(2), COLOURS - 1, np.asarray(dithered)).astype(np.uint8)
    written = Image.fromarray(places)
    colours = (palette.getpalette() or [])[:3 * (COLOURS - 1)]
    written.putpalette(colours + [255] * (3 * COLOURS - len(colours)))
    return pixels.png(written)


def grey(values: np.ndarray) -> np.ndarray:
    """Pictures of numbers in 0..1 as uint8 of the same shape."""
    return (255 * values).round().astype(np.uint8)
