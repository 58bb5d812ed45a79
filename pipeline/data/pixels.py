"""The only door between pictures (uint8, 0..255) and what networks see (float, -1..1 or 0..1)."""
import io

import numpy as np
import torch
from PIL import Image
from torch import Tensor


def to_float(pixels: Tensor, low: float = -1.0) -> Tensor:
    """uint8 0..255 -> float32 low..1, linearly; `low` is -1 or 0."""
    return pixels.float() / (255 / (1 - low)) + low


def to_uint8(values: Tensor, low: float = -1.0) -> Tensor:
    """float low..1 -> uint8 0..255, rounded to the nearest grey level; the inverse of `to_float`."""
    return ((values.float() - low) * (255 / (1 - low))).round().clamp(0, 255).to(torch.uint8)


def grid(images: np.ndarray, columns: int, gap: int = 1) -> Image.Image:
    """uint8 (n, 1 or 3, h, w) -> one picture, row by row, `gap` dark pixels apart."""
    n, channels, height, width = images.shape
    rows = -(-n // columns)
    sheet = np.full((rows * (height + gap) - gap, columns * (width + gap) - gap, channels), 32, np.uint8)
    for i, image in enumerate(images):
        top, left = i // columns * (height + gap), i % columns * (width + gap)
        sheet[top:top + height, left:left + width] = image.transpose(1, 2, 0)
    return Image.fromarray(sheet[:, :, 0] if channels == 1 else sheet)


def png(picture: Image.Image) -> bytes:
    """The picture as a PNG file; the same picture gives the same bytes."""
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()
