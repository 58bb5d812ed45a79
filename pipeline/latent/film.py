"""Trainings and walks as films: the same pictures give the same bytes.

Radford, Metz & Chintala 2016, arXiv 1511.06434, show single epochs (fig. 2 and 3) and walks as rows (sec. 6.1, fig. 4);
here the fixed z are seen all along the training. Matplotlib draws the curve twice, pale and bright; each frame is a
paste of these two, which takes milliseconds.
"""
import io
from collections.abc import Sequence

import numpy as np
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator
from PIL import Image, ImageDraw, ImageFont

from pipeline.figures import COLOURS

WIDTH, CURVE_HEIGHT, MARGIN, DPI = 480, 190, 10, 100  # pixels; frames of larger grids are wider
QUALITY = 85  # of 100
WIDE = 180  # pixels of a walk at least
PALE, DOT, SMOOTH, SIZE = "#CCCCCC", 4, 4, 15  # SMOOTH: so many times larger is the dot drawn, for round edges


def film(grids: Sequence[np.ndarray], images_seen: Sequence[float], distances: Sequence[float],
         name: str) -> list[Image.Image]:
    """A frame for each of the sample grids, uint8 (h, w) or (h, w, 3): the grid over the curve of distances so far.

    `images_seen` and `distances`, of the same length and in rising order of the first, are the curve's points; `name`
    is what the distance is called. Frames are RGB and of one size; small grids are enlarged by whole pixels. Distances
    are on a logarithmic scale unless one is 0. ValueError when lengths or sizes of grids differ, or there are none.
    """
    if not len(grids) == len(images_seen) == len(distances) or len({grid.shape for grid in grids}) != 1:
        raise ValueError("a film wants grids of one size and as many points of the curve; there are "
                         f"{len(grids)} grids of {len({grid.shape for grid in grids})} sizes, {len(images_seen)} "
                         f"images_seen and {len(distances)} distances")
    height, width = grids[0].shape[:2]
    scale = max(1, WIDTH // width)
    height, width = scale * height, scale * width
    frame_width = max(WIDTH, width + 2 * MARGIN)
    pale, bright, points = _curve(images_seen, distances, name, frame_width)
    top, dot = height + 2 * MARGIN + SIZE + MARGIN, _dot()
    font = ImageFont.truetype(font_manager.findfont("DejaVu Sans"), SIZE)  # matplotlib's own
    frames = []
    for grid, seen, distance, (x, y) in zip(grids, images_seen, distances, points):
        frame = Image.new("RGB", (frame_width, top + CURVE_HEIGHT), "white")
        picture = Image.fromarray(grid).convert("RGB").resize((width, height), Image.Resampling.NEAREST)
        frame.paste(picture, ((frame_width - width) // 2, MARGIN))
        text = f"{seen:,.0f} images seen, {name} {distance:.4g}"
        ImageDraw.Draw(frame).text((frame_width / 2, height + 2 * MARGIN), text, "black", font, "ma")
        frame.paste(pale, (0, top))
        frame.paste(bright.crop((0, 0, x, CURVE_HEIGHT)), (0, top))
        frame.paste(Image.new("RGB", dot.size, COLOURS[0]), (x - DOT, top + y - DOT), dot)
        frames.append(frame)
    return frames


def _curve(images_seen: Sequence[float], distances: Sequence[float], name: str,
           width: int) -> tuple[Image.Image, Image.Image, list[tuple[int, int]]]:
    """The whole curve, pale and bright, and the pixels (x, y) of its points from the upper left corner."""
    def drawn(colour: str) -> tuple[Image.Image, Axes]:
        figure = Figure(figsize=(width / DPI, CURVE_HEIGHT / DPI), dpi=DPI, layout="constrained")
        axis = figure.subplots()
        axis.plot(np.asarray(images_seen) / 1000, distances, color=colour)
        if min(distances) > 0:
            axis.set_yscale("log")
            # A few labels wherever the curve is; matplotlib's are at powers of ten or one over the other.
            axis.yaxis.set_minor_locator(NullLocator())
            ticks = np.unique(np.geomspace(min(distances), max(distances), 4)).tolist()
            axis.yaxis.set_major_locator(FixedLocator(ticks))
            axis.yaxis.set_major_formatter(lambda value, _: f"{value:.3g}" if value < 1000 else f"{value:.0f}")
        axis.set_xlabel("thousand images seen")
        axis.set_ylabel(name)
        axis.spines[["top", "right"]].set_visible(False)
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        return Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB"), axis

    (pale, axis), (bright, _) = drawn(PALE), drawn(COLOURS[0])
    at = axis.transData.transform(np.column_stack([np.asarray(images_seen) / 1000, distances]))
    return pale, bright, [(round(x), round(CURVE_HEIGHT - y)) for x, y in at]


def _dot() -> Image.Image:
    """A disk as a mask, 2 * DOT + 1 pixels wide."""
    size = 2 * DOT + 1
    large = Image.new("L", (SMOOTH * size, SMOOTH * size))
    ImageDraw.Draw(large).ellipse((0, 0, SMOOTH * size - 1, SMOOTH * size - 1), 255)
    return large.resize((size, size), Image.Resampling.LANCZOS)


def large(frames: Sequence[Image.Image], grey: bool) -> list[Image.Image]:
    """The frames, RGB, enlarged by whole pixels until they are WIDE or wider; smoothly if they are not `grey`: edges of
    large pixels in colour would cost a film more than all the rest.
    """
    way = Image.Resampling.NEAREST if grey else Image.Resampling.BICUBIC
    times = max(1, -(-WIDE // frames[0].width))
    return [one.resize((times * one.width, times * one.height), way).convert("RGB") for one in frames]


def gif(frames: Sequence[Image.Image], milliseconds: int) -> bytes:
    """The frames as a GIF of 256 colours that loops for ever, each shown for so long; a GIF counts hundredths of a
    second.
    """
    buffer = io.BytesIO()
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:], duration=milliseconds, loop=0)
    return buffer.getvalue()


def webp(frames: Sequence[Image.Image], durations: Sequence[int], lossless: bool) -> bytes:
    """The frames as a WebP that loops for ever; `durations` of each in milliseconds.

    Lossless ones of colour pictures are ten times as large. A frame equal to the one before makes that one longer.
    ValueError when there are no frames, or not as many durations.
    """
    if not frames or len(frames) != len(durations):
        raise ValueError(f"{len(frames)} frames with {len(durations)} durations; expected one of each, or more")
    options: dict[str, bool | int] = {"quality": QUALITY, "method": 4}
    if lossless:
        options = {"lossless": True, "quality": 50, "method": 2}
    buffer = io.BytesIO()
    frames[0].save(buffer, "WEBP", save_all=True, append_images=frames[1:], duration=list(durations), loop=0, **options)
    return buffer.getvalue()
