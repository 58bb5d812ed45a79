"""Checkerboards: how much of an image's energy is in patterns of two pixels' period, against real images.

Transposed convolutions whose kernel size is no multiple of the stride write some pixels more often than their
neighbours (Odena, Dumoulin & Olah 2016, "Deconvolution and checkerboard artifacts"); at stride 2 the pattern has a
period of 2 pixels. Spectra of generated images are compared with real ones as in Durall, Keuper & Keuper 2020, arXiv
2003.01826.
"""
import numpy as np

LOWEST = 7 / 16  # cycles per pixel: periods up to 16/7 pixels, because the pattern is not equally strong everywhere
BATCH = 1000  # images at a time


def energy(images: np.ndarray) -> float:
    """The mean energy of uint8 images (n, c, h, w) at frequencies of at least LOWEST along rows, columns, or both.

    In squared units of 0..1, per pixel and channel: by Parseval's theorem a checkerboard of 0 and 1 has 1/4.
    """
    parts = [images[i:i + BATCH] for i in range(0, len(images), BATCH)]
    return sum(_of(part) * len(part) for part in parts) / len(images)


def _of(images: np.ndarray) -> float:
    height, width = images.shape[2:]
    spectrum = np.fft.fft2(images.astype(np.float64) / 255) / (height * width)
    fine = np.maximum(np.abs(np.fft.fftfreq(height))[:, None], np.abs(np.fft.fftfreq(width))) >= LOWEST
    return float((np.abs(spectrum[..., fine]) ** 2).sum(-1).mean())
