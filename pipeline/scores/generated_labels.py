"""The paper's MNIST table: how well labelled samples teach a nearest-neighbour classifier to read real images.

Radford, Metz & Chintala 2016, arXiv 1511.06434, appendix; mnist/train_cond_dcgan.py: a conditional generator makes n
samples, each of the class that it was conditioned on; the error is that of the label of the nearest one, by Euclidean
distance of pixels, on 10,000 real images that nobody trained on. Fitted on as many real images it is the control.
"""
import numpy as np

from pipeline.scores import memorisation


def error(images: np.ndarray, labels: np.ndarray, real: np.ndarray, real_labels: np.ndarray) -> float:
    """Share of `real` images uint8 (m, c, h, w) whose label (m,) is not that of the nearest of `images`, with `labels`.

    Real images of a class that no label names are always wrong.
    """
    found = memorisation.nearest(real, images)
    return float((labels[found.indices] != real_labels).mean())
