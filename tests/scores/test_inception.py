"""FID's Inception-v3 against torch-fidelity and pytorch-fid on the same random weights, and where weights come from."""
import hashlib
import http.server
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import pytorch_fid.inception
import torch
from torch import Tensor
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
from torch_fidelity.interpolate_compat_tensorflow import interpolate_bilinear_2d_like_tensorflow1x

from benchmarks.inception import smooth, write_weights
from pipeline import files
from pipeline.errors import InputError
from pipeline.gan.devices import Device
from pipeline.scores import frechet, inception, inception_score
from pipeline.scores.inception import Inception
from tests.conftest import FP32, ROOT

SHAPES = [(1, 28, 28), (3, 32, 32), (3, 64, 64)]
CONTENT = b"weights" * 99
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "weights.pth"
    write_weights(path, 0)
    return path


@pytest.fixture(scope="module")
def ours(weights: Path) -> Inception:
    return inception.load(weights, "tf1", FP32, files.sha256(weights))


@pytest.fixture(scope="module")
def half_pixel(weights: Path) -> Inception:
    return inception.load(weights, "half-pixel", FP32, files.sha256(weights))


@pytest.fixture(scope="module")
def torch_fidelity(weights: Path) -> FeatureExtractorInceptionV3:
    return FeatureExtractorInceptionV3("peer", ["2048", "logits_unbiased"], str(weights))


@pytest.fixture(scope="module")
def pytorch_fid_net(weights: Path) -> pytorch_fid.inception.InceptionV3:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pytorch_fid.inception, "load_state_dict_from_url",
                      lambda url, progress: torch.load(weights, weights_only=True))
        return pytorch_fid.inception.InceptionV3().eval()


def noise(n: int, shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (n, *shape), np.uint8)


def coloured(images: np.ndarray) -> Tensor:
    return torch.from_numpy(np.repeat(images, 4 - images.shape[1], 1)[:, :3])


@pytest.mark.parametrize("shape", SHAPES)
def test_tf1_features_and_logits_are_torch_fidelitys(
        ours: Inception, torch_fidelity: FeatureExtractorInceptionV3, shape: tuple[int, int, int]) -> None:
    images = noise(2, shape)
    with torch.no_grad():
        features, logits = torch_fidelity(coloured(images))
    found = ours(images)
    assert found[0].shape == (2, ours.dimensions) and 0.3 < features.mean() < 3 and features.std(0).mean() > 0.005
    torch.testing.assert_close(found[0], features, rtol=0, atol=1e-4)
    torch.testing.assert_close(found[1], logits, rtol=0, atol=1e-4)


@pytest.mark.parametrize("shape", SHAPES)
def test_half_pixel_features_are_pytorch_fids_and_not_those_of_tf1(
        ours: Inception, half_pixel: Inception, pytorch_fid_net: pytorch_fid.inception.InceptionV3,
        shape: tuple[int, int, int]) -> None:
    images = noise(2, shape)
    with torch.no_grad():
        features = pytorch_fid_net(coloured(images).float() / 255)[0][:, :, 0, 0]
    found = half_pixel(images)[0]
    torch.testing.assert_close(found, features, rtol=0, atol=1e-4)
    assert (found - ours(images)[0]).abs().max() > 0.01
    assert half_pixel.digest != ours.digest


@pytest.mark.parametrize("shape", [(3, 31, 47), (3, 299, 299), (1, 333, 640)])
def test_any_size_is_resized_as_the_peers_do(shape: tuple[int, int, int]) -> None:
    """Enlarged, as it is, and shrunk; sides that differ."""
    images = noise(2, shape)
    x = coloured(images).float()
    tf1 = (interpolate_bilinear_2d_like_tensorflow1x(x, (299, 299), align_corners=False) - 128) / 128
    half = 2 * torch.nn.functional.interpolate(x / 255, (299, 299), mode="bilinear", align_corners=False) - 1
    torch.testing.assert_close(inception.resized(torch.from_numpy(images), "tf1"), tf1, rtol=0, atol=1e-4)
    torch.testing.assert_close(inception.resized(torch.from_numpy(images), "half-pixel"), half, rtol=0, atol=1e-4)


@pytest.mark.slow
def test_the_distance_is_that_of_torch_fidelitys_features(
        ours: Inception, torch_fidelity: FeatureExtractorInceptionV3) -> None:
    """On every eighth feature, some of every branch, to save the time of large eigenvalue problems."""
    both = smooth(12, 4, 0), smooth(12, 6, 1)
    with torch.no_grad():
        theirs = [frechet.moments(torch_fidelity(torch.from_numpy(images))[0][:, ::8]) for images in both]
    mine = [frechet.moments(ours(images)[0][:, ::8]) for images in both]
    assert frechet.distance(*mine) == pytest.approx(frechet.distance(*theirs), rel=1e-4)
    assert frechet.distance(*mine) > 0.1


def test_grey_is_the_same_as_three_equal_channels_and_batches_do_not_matter(weights: Path, ours: Inception) -> None:
    images = noise(5, (1, 28, 28))
    one, two = (Inception(ours.layers, ours.classes, "tf1", "", ours.device, batch) for batch in (1, 2))
    expected = ours(images)
    for found in (one(images), two(np.repeat(images, 3, 1))):
        for part, whole in zip(found, expected):
            torch.testing.assert_close(part, whole, rtol=0, atol=2e-5)


def test_it_is_float32_whatever_precision_networks_are_trained_in(weights: Path, ours: Inception) -> None:
    bf16 = Device(torch.device("cpu"), torch.bfloat16, fast=True)
    images = noise(1, (1, 28, 28))
    with bf16.arithmetic():
        found = inception.load(weights, "tf1", bf16, files.sha256(weights))(images)
    assert all(torch.equal(part, expected) for part, expected in zip(found, ours(images)))


@pytest.mark.parametrize("images, found", [
    (np.zeros((1, 3, 8, 8), np.float32), "found float32"), (np.zeros((1, 2, 8, 8), np.uint8), r"\(1, 2, 8, 8\)"),
    (np.zeros((0, 3, 8, 8), np.uint8), r"\(0, 3, 8, 8\)"), (np.zeros((3, 8, 8), np.uint8), r"\(3, 8, 8\)")])
def test_what_is_no_image_is_refused(ours: Inception, images: np.ndarray, found: str) -> None:
    with pytest.raises(ValueError, match=found):
        ours(images)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """torch hub's empty cache, in tmp_path; no release answers."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr(inception, "RELEASES", tuple(f"http://127.0.0.1:9/{name}.pth" for name in ("first", "second")))
    return tmp_path / "torch" / "hub" / "checkpoints"


@pytest.fixture
def releases(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder that both releases serve."""
    (tmp_path / "served").mkdir()
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=str(tmp_path / "served"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        base = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setattr(inception, "RELEASES", (f"{base}/first.pth", f"{base}/second.pth"))
        yield tmp_path / "served"
        server.shutdown()


def test_a_wrong_download_is_not_kept_and_the_next_release_is_asked(releases: Path, cache: Path) -> None:
    (releases / "first.pth").write_bytes(b"forged")
    with pytest.raises(InputError) as error:
        inception.find(None, DIGEST)
    message = str(error.value)
    forged = hashlib.sha256(b"forged").hexdigest()
    assert f"6 bytes with SHA-256 {forged[:12]}…, expected {DIGEST[:12]}…" in message and "404" in message
    assert "inception.weights in params.yaml" in message and str(cache) in message and "\n" not in message
    assert list(cache.iterdir()) == []
    (releases / "second.pth").write_bytes(CONTENT)
    assert inception.find(None, DIGEST) == cache / "second.pth"
    assert {path.name: path.read_bytes() for path in cache.iterdir()} == {"second.pth": CONTENT}


@pytest.mark.parametrize("name", ["first.pth", "second.pth"])
def test_the_cache_is_used_without_network_under_either_name(cache: Path, name: str) -> None:
    cache.mkdir(parents=True)
    (cache / name).write_bytes(CONTENT)
    assert inception.find(None, DIGEST) == cache / name


def test_a_damaged_file_in_the_cache_is_named_and_replaced(releases: Path, cache: Path) -> None:
    cache.mkdir(parents=True)
    (cache / "first.pth").write_bytes(CONTENT[:-1])
    with pytest.raises(InputError, match=f"first.pth: {len(CONTENT) - 1} bytes.*404"):
        inception.find(None, DIGEST)
    (releases / "first.pth").write_bytes(CONTENT)
    assert inception.find(None, DIGEST).read_bytes() == CONTENT


def test_named_weights_are_used_or_refused_and_nothing_else_is_tried(tmp_path: Path, cache: Path) -> None:
    cache.mkdir(parents=True)
    (cache / "first.pth").write_bytes(CONTENT)
    named = tmp_path / "named.pth"
    with pytest.raises(InputError, match="No such file.*named.pth.*inception.weights"):
        inception.find(named, DIGEST)
    named.write_bytes(b"other")
    with pytest.raises(InputError, match="named.pth: 5 bytes with SHA-256 .*expected"):
        inception.find(named, DIGEST)
    named.write_bytes(CONTENT)
    assert inception.find(named, DIGEST) == named


def test_nothing_is_unpickled_before_its_digest_is_checked(
        tmp_path: Path, weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "load", lambda *words, **options: pytest.fail("unpickled"))
    with pytest.raises(InputError, match=f"SHA-256 {files.sha256(weights)[:12]}…, expected 6726825d0af5…"):
        inception.load(weights, "tf1", FP32)
    with pytest.raises(InputError, match="No such file"):
        inception.load(tmp_path / "absent.pth", "tf1", FP32)


@pytest.mark.slow
def test_CIFAR10s_training_images_have_their_published_inception_score() -> None:
    """torch-fidelity: 11.23678, the mean over ten parts in an order of its own, of which the mean depends little."""
    cached = Path(torch.hub.get_dir()) / "checkpoints"
    weights = next((cached / url.rsplit("/", 1)[-1] for url in inception.RELEASES
                    if (cached / url.rsplit("/", 1)[-1]).exists()), None)
    data = [folder for folder in sorted(ROOT.glob("studies/*/data/*")) if folder.name in ("cifar10", "images")
            and (folder / "train_images.npy").exists()
            and np.load(folder / "train_images.npy", mmap_mode="r").shape == (50_000, 3, 32, 32)]
    if weights is None or not data:
        pytest.skip(f"Inception's weights in {cached}: {weights is not None}; CIFAR-10 in a study: {bool(data)}")
    images = np.load(data[0] / "train_images.npy", mmap_mode="r")
    logits = inception.load(weights, "tf1", FP32)(images)[1]
    order = torch.from_numpy(np.random.default_rng(0).permutation(len(images)))
    found = np.mean([inception_score.score(logits[part]) for part in order.chunk(10)])
    assert found == pytest.approx(11.237, rel=1e-3)
