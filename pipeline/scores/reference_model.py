"""The reference of every distance: a data set's classifier, and the moments of its features on all training images."""
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import torch
from pydantic import Field
from safetensors import SafetensorError
from safetensors.torch import load as from_safetensors
from safetensors.torch import save as to_safetensors
from torch import Tensor
from typing_extensions import TypedDict

from pipeline import files, records
from pipeline.errors import InputError
from pipeline.scores import classifier, frechet
from pipeline.scores.classifier import Classifier
from pipeline.scores.frechet import Moments

FILE = "reference.safetensors"


class ReferenceFacts(TypedDict):
    """What reference.json has at least; `data` and `sha256` are digests."""
    data: str
    shape: tuple[int, int, int]
    classes: Annotated[int, Field(ge=2, le=1 << 16)]
    extractor: Literal["classifier", "rotation"]
    net: Literal["small", "residual"]
    sha256: str


@dataclass(frozen=True)
class Reference:
    """A classifier in eval mode, the training images' moments in its features, and what reference.json says."""
    classifier: Classifier
    moments: Moments
    facts: dict[str, Any]

    @property
    def extractor(self) -> str:
        """Whose features distances are measured in: classifier, or rotation."""
        return self.facts["extractor"]

    def name(self, count: int) -> str:
        """What the distance of `count` images is called."""
        return frechet.name(count, self.extractor)

    def __call__(self, images: np.ndarray) -> tuple[Tensor, Tensor]:
        """Features (n, 128) and logits (n, classes) of uint8 `images` (n, c, h, w)."""
        return classifier.outputs(self.classifier, images)

    def fid(self, images: np.ndarray) -> float:
        """Fréchet distance of uint8 `images` (n, c, h, w) from the training images, in the classifier's features."""
        return frechet.distance(self.moments_of(images), self.moments)

    def moments_of(self, images: np.ndarray) -> Moments:
        """The moments of uint8 `images` (n, c, h, w) in the classifier's features."""
        return frechet.moments(classifier.features(self.classifier, images))

    @property
    def digest(self) -> str:
        """SHA-256 of the weights and moments."""
        return self.facts["sha256"]


def save(folder: Path, net: Classifier, moments: Moments, facts: dict[str, Any]) -> None:
    """Writes weights and moments to one file, and reference.json with `facts`.

    These are: data (its digest), shape, classes and extractor, which names the scores.
    """
    tensors = {f"classifier.{key}": value.contiguous() for key, value in net.state_dict().items()}
    tensors |= {"count": torch.tensor(moments.count), "mean": moments.mean, "scatter": moments.scatter}
    with files.replacing(folder) as temporary:
        files.write(temporary / FILE, to_safetensors(tensors))
        facts = facts | {"net": net.net, "sha256": files.sha256(temporary / FILE)}
        files.write(temporary / "reference.json", (json.dumps(facts, indent=2) + "\n").encode())


def load(folder: Path, data_digest: str) -> Reference:
    """The reference in `folder`; InputError when it is missing, damaged or made from other data."""
    facts = records.read(folder / "reference.json", ReferenceFacts, "run `dvc repro reference`")
    try:
        if facts["data"] != data_digest:
            raise InputError(f"{folder}: made from other data ({facts['data'][:12]}…, not {data_digest[:12]}…); "
                             "run `dvc repro reference`")
        if files.sha256(folder / FILE) != facts["sha256"]:
            raise InputError(f"{folder / FILE}: not the bytes that reference.json names; the file is damaged: "
                             "delete it and run `dvc checkout` or `dvc repro`")
        tensors = from_safetensors((folder / FILE).read_bytes())
        net = Classifier(tuple(facts["shape"]), facts["classes"], facts["net"])
        net.load_state_dict({key.removeprefix("classifier."): value for key, value in tensors.items()
                             if key.startswith("classifier.")})
    except FileNotFoundError as error:
        raise InputError(f"{error.filename}: not found; run `dvc repro reference`") from None
    except (KeyError, TypeError, ValueError, RuntimeError, SafetensorError) as error:
        raise InputError(f"{folder}: not a reference of this project ({str(error).splitlines()[0]})") from None
    net = net.to(memory_format=torch.channels_last).eval()
    return Reference(net, Moments(int(tensors["count"]), tensors["mean"], tensors["scatter"]), facts)
