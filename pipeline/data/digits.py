"""scikit-learn's 1,797 real handwritten digits (Alpaydin & Kaynak 1998, UCI), enlarged from 8x8 to 28x28.

They come with the package, so they work with no network at all; tests use them in MNIST's place.
"""
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch.nn import functional as F

FACTS = {
    "name": "digits",
    "classes": [str(digit) for digit in range(10)],
    "source": "scikit-learn's load_digits: the test half of UCI's Optical Recognition of Handwritten Digits, "
              "bilinearly enlarged from 8x8 to 28x28; 360 images, drawn class by class, are held out as test",
    "url": "https://archive.ics.uci.edu/dataset/80",
    "licence": "CC BY 4.0",
}


def arrays(folder: Path | None = None, directory: Path | None = None) -> dict[str, np.ndarray]:
    """1,437 training and 360 test images, uint8 (n, 1, 28, 28), and their labels 0..9.

    `folder` and `directory` are those of data sets that are downloaded; nothing is read from there.
    """
    digits: Any = load_digits()
    small = torch.from_numpy(digits.images).float()[:, None] * (255 / 16)
    images = F.interpolate(small, size=28, mode="bilinear", align_corners=False).round().to(torch.uint8).numpy()
    train, test = train_test_split(np.arange(len(images)), test_size=360, stratify=digits.target, random_state=0)
    return {"train_images": images[train], "train_labels": digits.target[train],
            "test_images": images[test], "test_labels": digits.target[test]}
