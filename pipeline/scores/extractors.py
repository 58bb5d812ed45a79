"""A network's features of samples, and those of real images, which are computed once.

An extractor is a data set's classifier (`reference_model.py`) or Inception-v3 (`inception.py`). Features of real images
are kept under a digest of the images, the extractor and the count. A path or a name would serve stale features after a
file was replaced, as in stylegan3's and torch-fidelity's caches.
"""
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from safetensors import SafetensorError
from safetensors.torch import load as from_safetensors
from safetensors.torch import save as to_safetensors
from torch import Tensor

from pipeline import files
from pipeline.scores import frechet
from pipeline.scores.frechet import Moments


class Extractor(Protocol):
    """uint8 images (n, c, h, w) -> float32 features (n, d), and logits (n, classes), on the CPU.

    `extractor` is its name in those of scores; `digest` stands for all that decides about its features.
    """
    @property
    def extractor(self) -> str:
        ...

    @property
    def digest(self) -> str:
        ...

    def __call__(self, images: np.ndarray) -> tuple[Tensor, Tensor]:
        ...


@dataclass(frozen=True)
class ReferenceFeatures:
    """What samples are compared with: features (n, d) of real images, and the moments behind distances."""
    features: Tensor
    moments: Moments


def reference_features(extractor: Extractor, images: np.ndarray, data: str, folder: Path) -> ReferenceFeatures:
    """The features of `images`, the first ones of the data set with digest `data`; `folder` keeps them."""
    key = json.dumps([data, len(images), extractor.extractor, extractor.digest])
    kept = folder / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.features"
    features = _read(kept)
    if features is None:
        features, _ = extractor(images)
        files.write(kept, _sealed({"features": features.contiguous()}))
    return ReferenceFeatures(features, frechet.moments(features))


def _sealed(tensors: dict[str, Tensor]) -> bytes:
    content = to_safetensors(tensors)
    return hashlib.sha256(content).digest() + content


def _read(path: Path) -> Tensor | None:
    """The features in `path`; None when there are none that are whole."""
    if not path.exists():
        return None
    sealed = path.read_bytes()
    seal, content = sealed[:32], sealed[32:]
    try:
        return from_safetensors(content)["features"] if hashlib.sha256(content).digest() == seal else None
    except SafetensorError:
        return None
