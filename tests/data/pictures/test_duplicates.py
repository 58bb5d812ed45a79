"""Near-duplicates: copies go, whatever their place; of other images almost none; measured with planted duplicates."""
import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from pipeline.data import digits
from pipeline.data.pictures import duplicates
from tests.data.conftest import archive


def photographs(count: int) -> np.ndarray:
    """EuroSAT's tiles, uint8 (count, 3, 64, 64); skips the test where they are absent."""
    with zipfile.ZipFile(archive("eurosat64.zip")) as tiles:
        names = [name for name in tiles.namelist() if name.startswith("train/") and name.endswith(".jpg")]
        return np.stack([picture(tiles.read(name)) for name in names[:count]])


def picture(content: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(content))).transpose(2, 0, 1)


def recompressed(image: np.ndarray) -> np.ndarray:
    buffer = io.BytesIO()
    Image.fromarray(image.transpose(1, 2, 0)).save(buffer, "JPEG", quality=90)
    return picture(buffer.getvalue())


def test_planted_duplicates_of_photographs_go_and_almost_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    originals = photographs(3000)
    some, random = originals[:500], np.random.default_rng(0)
    planted = {
        "copies": some,
        "brighter": np.clip(some.astype(int) + 1, 0, 255).astype(np.uint8),
        "noisy": np.clip(some + random.integers(-1, 2, some.shape), 0, 255).astype(np.uint8),
        "recompressed": np.stack([recompressed(image) for image in some]),
    }
    keep = duplicates.unique(np.concatenate([originals, *planted.values()]))
    removed = {name: 1 - part.mean() for name, part in zip(planted, keep[len(originals):].reshape(4, -1))}
    others = 1 - keep[:len(originals)].mean()
    with capsys.disabled():
        print(f"\nremoved: {', '.join(f'{share:.1%} of {name}' for name, share in removed.items())}; "
              f"{others:.2%} of the originals")
    assert removed["copies"] == 1 and others < 0.001
    assert removed["brighter"] > 0.95 and removed["noisy"] > 0.4 and removed["recompressed"] > 0.15


def test_copies_of_digits_go_and_the_first_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """Digits have much in common, which must not switch the code off."""
    monkeypatch.setattr(duplicates, "STEPS", 100)
    images = digits.arrays()["train_images"]
    once = duplicates.unique(images)
    assert once.mean() > 0.99
    twice = duplicates.unique(np.concatenate([images, images[::-1]]))
    assert twice[:len(images)].mean() > 0.99 and not twice[len(images):].any()


def test_the_same_images_give_the_same_answer_and_the_global_generator_is_left_alone(
        monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duplicates, "STEPS", 30)
    images = np.concatenate([digits.arrays()["test_images"]] * 2)
    torch.manual_seed(7)
    first, state = duplicates.hashes(images), torch.get_rng_state()
    torch.manual_seed(8)
    assert np.array_equal(first, duplicates.hashes(images))
    torch.manual_seed(7)
    assert torch.equal(state, torch.get_rng_state())


@pytest.mark.parametrize("batch", [1, 7, 64])
def test_a_code_does_not_depend_on_the_batch_that_an_image_is_in(batch: int) -> None:
    random, generator = np.random.default_rng(1), torch.Generator().manual_seed(2)
    pixels = torch.from_numpy(random.integers(0, 256, (130, 3, 32, 32), np.uint8))
    weight, bias = torch.randn(3072, 128, generator=generator) / 50, torch.randn(128, generator=generator)
    whole = duplicates.code(pixels, weight, bias)
    parts = [duplicates.code(pixels[i:i + batch], weight, bias) for i in range(0, 130, batch)]
    assert np.array_equal(whole, np.concatenate(parts))


def test_a_code_is_the_sign_of_the_encoder_on_the_standardised_image() -> None:
    """The integer arithmetic against the plain formula, where that is not too close to 0 to tell."""
    random, generator = np.random.default_rng(1), torch.Generator().manual_seed(2)
    pixels = random.integers(0, 256, (20, 3, 32, 32), np.uint8)
    weight, bias = torch.randn(3072, 128, generator=generator) / 50, torch.randn(128, generator=generator)
    values = pixels.reshape(20, 3, 1024).astype(float)
    values = (values - values.mean(2, keepdims=True)).reshape(20, 3072)
    values /= values.std(1, keepdims=True) + duplicates.FAINT
    plain = values @ weight.numpy() + bias.numpy()
    bits = np.unpackbits(duplicates.code(torch.from_numpy(pixels), weight, bias).view(np.uint8), axis=1)
    clear = abs(plain) > 1e-3
    assert clear.mean() > 0.99 and np.array_equal(bits[clear], (plain > 0)[clear])


def test_the_middle_of_an_image_is_shrunk_and_grey_is_three_times_the_same() -> None:
    small = np.random.default_rng(0).integers(0, 256, (2, 3, 32, 32), np.uint8)
    assert np.array_equal(duplicates.crops(small).numpy(), small)
    wide = np.pad(small, ((0, 0), (0, 0), (0, 0), (5, 5)))
    assert np.array_equal(duplicates.crops(wide).numpy(), small)
    doubled = small.repeat(2, axis=2).repeat(2, axis=3)
    high = np.pad(doubled, ((0, 0), (0, 0), (3, 3), (0, 0)))
    assert np.array_equal(duplicates.crops(high), duplicates.crops(doubled))
    checked = np.indices((64, 64)).sum(0)[None, None] % 2 * np.uint8(200)  # a pattern that must not survive as aliases
    shrunk = duplicates.crops(checked.astype(np.uint8)).numpy()
    assert shrunk.shape == (1, 3, 32, 32) and abs(shrunk.astype(int) - 100).max() <= 2
    assert np.array_equal(shrunk[:, 0], shrunk[:, 1]) and np.array_equal(shrunk[:, 0], shrunk[:, 2])


def test_only_a_part_of_a_memory_map_is_read_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images = digits.arrays()["train_images"]
    np.save(tmp_path / "images.npy", images)
    monkeypatch.setattr(duplicates, "SAMPLE", 300)
    monkeypatch.setattr(duplicates, "BATCH", 100)
    monkeypatch.setattr(duplicates, "STEPS", 30)
    seen, crops = [], duplicates.crops
    monkeypatch.setattr(duplicates, "crops", lambda part: seen.append(len(part)) or crops(part))  # type: ignore
    mapped = np.load(tmp_path / "images.npy", mmap_mode="r")
    keep = duplicates.unique(np.concatenate([mapped, mapped[:50]]))
    assert max(seen) == 100 and sum(seen) <= 300 + len(images) + 50 and not keep[len(images):].any()
    assert duplicates.unique(mapped[:0]).shape == (0,)
