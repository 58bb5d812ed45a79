"""The paper's MNIST table: how well labelled samples teach a nearest-neighbour classifier to read real images.

Radford, Metz & Chintala 2016, arXiv 1511.06434, appendix; mnist/train_cond_dcgan.py: a conditional generator makes n
samples, each of the class that it was asked for; the error is that of the label of the nearest one, by Euclidean
distance of pixels, on 10,000 real images that nobody trained on. Fitted on as many real images it is the control.
"""
import numpy as np

from pipeline.errors import ScoreError
from pipeline.scores import memorisation


def error(images: np.ndarray, labels: np.ndarray, real: np.ndarray, real_labels: np.ndarray) -> float:
    """Share of `real` images uint8 (m, c, h, w) whose label (m,) is not that of the nearest of `images`, with `labels`.

    ScoreError when a class of the real images is not among the labels.
    """
    if absent := sorted(set(real_labels.tolist()) - set(labels.tolist())):
        raise ScoreError(f"no image of class {absent[0]} among the {len(labels)} that the classifier is fitted on")
    found = memorisation.nearest(real, images)
    return float((labels[found.indices] != real_labels).mean())
