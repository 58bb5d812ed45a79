"""FID's Inception-v3: the features that published Fréchet distances are measured in, and the logits of its classes.

Szegedy et al. 2016, "Rethinking the Inception architecture", arXiv 1512.00567, in the TensorFlow graph of 2015-12-05
that Heusel et al. 2017 (arXiv 1706.08500) chose. Its average pools leave padding out of the mean, and its last block
takes a maximum where all others average. Batch norm is folded into the convolutions, which changes nothing but time.

How images come to 299x299 is part of a score, and peers disagree: `tf1` is what the graph does (torch-fidelity), the
grid starting in the corner and 128 grey levels being 1; `half-pixel` is pytorch-fid's, with centred pixels and 127.5.
Neither smooths large images before it shrinks them.
"""
import hashlib
import io
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from pipeline.data import sources
from pipeline.errors import InputError
from pipeline.gan.devices import Device

Resize = Literal["tf1", "half-pixel"]
Layers = dict[str, tuple[Tensor, Tensor]]

OFFICIAL = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"  # SHA-256
RELEASES = (
    "https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/pt_inception-2015-12-05-6726825d.pth",
    "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/weights-inception-2015-12-05-6726825d.pth")
SIDE = 299
BATCH = 32  # a fifth faster than 8; the largest maps of 32 images take 180 MB
EPSILON = 1e-3  # of batch norm

# A block is a concatenation of branches; a branch's words follow one another. A convolution keeps the size of its
# input unless its word ends in a stride, when it has no padding; a|b stands for both, concatenated. _pool is a name.
STEM = ("Conv2d_1a_3x3/2 Conv2d_2a_3x3/1 Conv2d_2b_3x3 max/2 Conv2d_3b_1x1 Conv2d_4a_3x3/1 max/2",)
A = ("1x1", "5x5_1 5x5_2", "3x3dbl_1 3x3dbl_2 3x3dbl_3", "mean _pool")
B = ("3x3/2", "3x3dbl_1 3x3dbl_2 3x3dbl_3/2", "max/2")
C = ("1x1", "7x7_1 7x7_2 7x7_3", "7x7dbl_1 7x7dbl_2 7x7dbl_3 7x7dbl_4 7x7dbl_5", "mean _pool")
D = ("3x3_1 3x3_2/2", "7x7x3_1 7x7x3_2 7x7x3_3 7x7x3_4/2", "max/2")
E = ("1x1", "3x3_1 3x3_2a|3x3_2b", "3x3dbl_1 3x3dbl_2 3x3dbl_3a|3x3dbl_3b", "mean _pool")
E_MAX = (*E[:-1], "max _pool")
BLOCKS = {"5b": A, "5c": A, "5d": A, "6a": B, "6b": C, "6c": C, "6d": C, "6e": C, "7a": D, "7b": E, "7c": E_MAX}


@dataclass(frozen=True)
class Inception:
    """The network on `device`, and how images come to it; `digest` names all that its features depend on."""
    layers: Layers
    classes: Tensor
    resize: Resize
    digest: str
    device: torch.device
    batch: int = BATCH
    extractor: ClassVar[str] = "inception"
    dimensions: ClassVar[int] = 2048

    @torch.inference_mode()
    def __call__(self, images: np.ndarray) -> tuple[Tensor, Tensor]:
        """uint8 (n, 1 or 3, h, w), n at least 1 -> features (n, 2048), not negative, and logits without their bias
        (n, 1008); both float32, on the CPU.

        Computed in float32 whatever surrounds the call. ValueError for another dtype, shape or number of channels.
        """
        if images.dtype != np.uint8 or images.ndim != 4 or images.shape[1] not in (1, 3) or 0 in images.shape:
            raise ValueError(f"Inception takes images uint8 (n, 1 or 3, h, w); found {images.dtype} {images.shape}")
        features, logits = [], []
        # TF32 keeps 10 bits of a product's factors: features would be off by a thousandth.
        with torch.autocast(self.device.type, enabled=False), \
                torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False):
            for i in range(0, len(images), self.batch):
                part = torch.from_numpy(np.array(images[i:i + self.batch])).to(self.device)
                pooled = _features(resized(part, self.resize), self.layers)
                features.append(pooled.cpu())
                logits.append((pooled @ self.classes.T).cpu())
        return torch.cat(features), torch.cat(logits)


def find(weights: Path | None, digest: str = OFFICIAL) -> Path:
    """The file with the official weights: `weights` if given, else in torch hub's cache, downloaded if need be.

    A file comes into the cache only when its SHA-256 is right. InputError when there is no file with that digest.
    """
    folder = Path(torch.hub.get_dir()) / "checkpoints"
    cached = [folder / url.rsplit("/", 1)[-1] for url in RELEASES]
    failures = []
    for path in [weights] if weights else [path for path in cached if path.exists()]:
        try:
            sources.check(path, digest)
            return path
        except (OSError, ValueError) as error:
            failures.append(str(error))
    for url, path in () if weights else zip(RELEASES, cached):
        print(f"Inception's weights: trying {url}", file=sys.stderr)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=folder) as scratch:
                sources.download(url, Path(scratch) / path.name)
                sources.check(Path(scratch) / path.name, digest)
                (Path(scratch) / path.name).replace(path)
            return path
        except sources.FAILURES as error:
            failures.append(f"{url}: {error or type(error).__name__}")
    raise _refusal(failures, digest)


def load(path: Path, resize: Resize, device: Device, digest: str = OFFICIAL) -> Inception:
    """The network with the weights in `path`, ready on `device`; InputError unless the file has that SHA-256."""
    try:
        content = path.read_bytes()  # read once: what is unpickled are the bytes that were checked
    except OSError as error:
        raise _refusal([str(error)], digest) from None
    if (found := hashlib.sha256(content).hexdigest()) != digest:
        raise _refusal([f"{path}: {len(content):,} bytes with SHA-256 {found[:12]}…, expected {digest[:12]}…"], digest)
    state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    layers = {}
    for name in [key.removesuffix(".conv.weight") for key in state if key.endswith(".conv.weight")]:
        mean, var, scale, shift = (state[f"{name}.bn.{key}"].double()
                                   for key in ("running_mean", "running_var", "weight", "bias"))
        scale = scale / (var + EPSILON).sqrt()
        weight = (state[f"{name}.conv.weight"] * scale[:, None, None, None]).float()
        layers[name] = (weight.to(device.device, memory_format=torch.channels_last),
                        (shift - mean * scale).float().to(device.device))
    return Inception(layers, state["fc.weight"].to(device.device), resize, f"{digest}-{resize}-{device.device.type}",
                     device.device)


def resized(pixels: Tensor, resize: Resize) -> Tensor:
    """uint8 (n, 1 or 3, h, w) -> float32 (n, 3, 299, 299), channels last, about -1..1."""
    height, width = (_matrix(size, resize).to(pixels.device) for size in pixels.shape[2:])
    x = height @ (pixels.float() @ width.T)
    x = x / (128 if resize == "tf1" else 127.5) - 1
    return x.expand(-1, 3, -1, -1).contiguous(memory_format=torch.channels_last)


def _matrix(size: int, resize: Resize) -> Tensor:
    """(299, size): what each pixel of a line gives to each of 299, linearly between its nearest two."""
    shift = 0.0 if resize == "tf1" else 0.5
    # In float32, as peers have it: in wide images the rounding of positions is seen.
    position = (torch.arange(SIDE, dtype=torch.float32) + shift) * (size / SIDE) - shift
    distance = position.clamp(0, size - 1)[:, None] - torch.arange(size)
    return (1 - distance.abs()).clamp(min=0)


def _features(x: Tensor, layers: Layers) -> Tensor:
    x = _block(x, layers, "", STEM)
    for name, branches in BLOCKS.items():
        x = _block(x, layers, f"Mixed_{name}.branch", branches)
    return x.mean((2, 3))


def _block(x: Tensor, layers: Layers, prefix: str, branches: Iterable[str]) -> Tensor:
    outputs = []
    for branch in branches:
        y = x
        for word in branch.split():
            names, _, stride = word.partition("/")
            if names in ("max", "mean"):
                y = _pool(y, names, stride)
            else:
                y = _join([F.conv2d(y, *layers[prefix + name], int(stride or 1), "valid" if stride else "same").relu_()
                           for name in names.split("|")])
        outputs.append(y)
    return _join(outputs)


def _pool(x: Tensor, kind: str, stride: str) -> Tensor:
    if kind == "max":
        return F.max_pool2d(x, 3, int(stride or 1), 0 if stride else 1)
    return F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)


def _join(parts: list[Tensor]) -> Tensor:
    return torch.cat(parts, 1) if len(parts) > 1 else parts[0]


def _refusal(failures: list[str], digest: str) -> InputError:
    return InputError(
        f"Inception's weights: {'; '.join(failures)}. Ways out: set evaluate.inception.weights in params.yaml to a "
        f"copy of {RELEASES[0]} (SHA-256 {digest}), or put that file into {Path(torch.hub.get_dir()) / 'checkpoints'}")
