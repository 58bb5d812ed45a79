"""Picture files become square uint8 images, in processes of their own that only decode.

Every picture is turned as its EXIF says, cropped in the middle, and reduced or enlarged with Lanczos' filter; what is
transparent shows white. One that already has the size keeps its pixels. Large JPEGs are decoded at a half, a quarter or
an eighth of their size: on noise with the spectrum of photographs, 3 grey levels' difference and 1/8 pixel's shift.
"""
import io
import warnings
from contextlib import ExitStack, suppress
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageOps, TiffImagePlugin, UnidentifiedImageError, WebPImagePlugin  # noqa: F401

from pipeline.data.pictures import containers
from pipeline.data.pictures.containers import Member
from pipeline.errors import InputError

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF")  # whatever the suffix; some others start programs
GAP = 4  # a JPEG is decoded at a fraction of its size, but at least so many times the wanted one
SMALL = "below data.pictures.smallest"
LARGE = "bytes of memory to decode"
# Bytes for each pixel that decoding takes at most, by the mode of the picture, and of progressive JPEGs at full size.
PEAK, PEAKS, PROGRESSIVE = 20, {"I": 32, "I;16": 32, "I;16B": 32, "F": 32}, 10


class Job(NamedTuple):
    """What every process is told first: how pictures are decoded, and where to.

    `targets` has for each split the file, the byte at which its first image begins, and the number of that image.
    A picture may take `most` bytes of memory.
    """
    targets: list[tuple[str, int, int]]
    size: int
    channels: int
    smallest: int
    most: int


def decode(content: bytes, size: int, channels: int, smallest: int, most: int = 1 << 30) -> np.ndarray:
    """A picture file as uint8 (channels, size, size); ValueError, or what PIL raises, when it cannot be used.

    Also when more than about `most` bytes of memory were needed.

    Of several frames the first counts. 16-bit grey, and 32-bit integers up to 65535, are divided by 257, 32-bit floats
    are 0..1. Colours are taken for sRGB; luma is ITU-R 601.
    """
    try:
        opened = Image.open(io.BytesIO(content), formats=FORMATS)
    except UnidentifiedImageError:
        raise ValueError(f"not a picture of the formats {', '.join(FORMATS)}") from None
    with opened as picture:
        width, height = picture.size
        if Image.MAX_IMAGE_PIXELS and width * height > Image.MAX_IMAGE_PIXELS:
            raise ValueError(f"{width}x{height} pixels; expected at most {Image.MAX_IMAGE_PIXELS:,}")
        if min(width, height) < smallest:
            raise ValueError(f"{width}x{height} pixels, {SMALL} ({smallest})")
        picture.draft(None, (GAP * size, GAP * size))
        progressive = PROGRESSIVE * width * height if "progressive" in picture.info else 0
        needed = len(content) + progressive + PEAKS.get(picture.mode, PEAK) * picture.width * picture.height
        if needed > most:
            raise ValueError(f"{width}x{height} pixels, {needed:,} {LARGE}; expected at most {most:,}")
        picture.load()
        with suppress(Exception):  # what a camera noted can be damaged where the picture is not
            ImageOps.exif_transpose(picture, in_place=True)
        plain = _plain(picture, "L" if channels == 1 else "RGB")
    if plain.width != plain.height:
        side = min(plain.size)
        left, top = (plain.width - side) // 2, (plain.height - side) // 2
        plain = plain.crop((left, top, left + side, top + side))
    if plain.width != size:
        plain = plain.resize((size, size), Image.Resampling.LANCZOS)
    return np.asarray(plain).reshape(size, size, channels).transpose(2, 0, 1)


def serve(descriptor: int) -> None:
    """Decodes what the connection with this file descriptor sends, until it closes.

    First comes a Job, then batches of [(number, Member)]; each is answered by [(number, why it cannot be used)], or by
    the error that forbids to go on.
    """
    warnings.simplefilter("ignore")  # PIL's, on what it reads all the same
    try:
        with Connection(descriptor) as line, ExitStack() as stack:
            job: Job = line.recv()
            opened = [stack.enter_context(open(path, "r+b")) for path, _, _ in job.targets]
            while True:
                batch = line.recv()
                try:
                    answer: Any = _decode_batch(batch, job, opened)
                except (InputError, OSError) as error:
                    answer = error
                line.send(answer)
    except (EOFError, ConnectionError):  # whoever asked has gone
        return


def _decode_batch(batch: list[tuple[int, Member]], job: Job, opened: list[Any]) -> list[tuple[int, str]]:
    failures = []
    for number, member in batch:
        try:
            if (needed := member.stored + member.size) > job.most:
                raise ValueError(f"{needed:,} {LARGE}; expected at most {job.most:,}")
            pixels = decode(containers.read(member), job.size, job.channels, job.smallest, job.most - needed)
        except InputError:
            raise
        except Exception as error:  # decoders raise anything
            failures.append((number, (str(error).splitlines() or [type(error).__name__])[0]))
            continue
        which = max(i for i, (_, _, first) in enumerate(job.targets) if number >= first)
        _, begin, first = job.targets[which]
        opened[which].seek(begin + (number - first) * pixels.size)
        opened[which].write(pixels.tobytes())
    for file in opened:
        file.flush()
    return failures


def _plain(picture: Image.Image, mode: str) -> Image.Image:
    """The picture in mode L or RGB, over white."""
    if picture.mode == mode and "transparency" not in picture.info:
        return picture
    if picture.mode.startswith("I") or picture.mode == "F":
        values, highest = np.asarray(picture), 1 if picture.mode == "F" else 65535
        if not (values.min() >= 0 and values.max() <= highest):
            raise ValueError(f"values from {values.min()} to {values.max()} in mode {picture.mode}; "
                             f"expected 0 to {highest}")
        picture = Image.fromarray((values * (255 / highest) + 0.5).astype(np.uint8))
    elif picture.has_transparency_data:
        colours = _converted(picture, "RGBA")
        picture = Image.new("RGB", picture.size, "white")
        picture.paste(colours, mask=colours.getchannel("A"))
    # Palettes, CMYK and the like have no luma of their own.
    return _converted(picture if picture.mode == "L" else _converted(picture, "RGB"), mode)


def _converted(picture: Image.Image, mode: str) -> Image.Image:
    """The picture in that mode: itself if it has it, where PIL would copy it."""
    return picture if picture.mode == mode else picture.convert(mode)
