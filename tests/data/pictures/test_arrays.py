"""The data source `images`: every kind of picture against values computed here, and whole sources end to end."""
import io
import os
import shutil
import signal
import subprocess
import sys
import time
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import psutil
import pytest
from PIL import Image

import pipeline.data.pictures
from pipeline import files
from pipeline.data import digits, images
from pipeline.data.pictures import arrays, decoding
from pipeline.errors import InputError
from pipeline.params.sections import Pictures
from tests.conftest import ROOT
from tests.data.conftest import archive
from tests.data.pictures.test_contents import KINDS, make

NOISE = np.random.default_rng(0).integers(0, 256, (8, 8, 4), np.uint8)
RGB = NOISE[:, :, :3]
WANTED = Pictures(size=8, channels=3, smallest=4, test=0.2, deduplicate=False)
# What EXIF's orientations say must be done to the stored rows and columns.
TURNED: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    1: lambda a: a, 2: lambda a: a[:, ::-1], 3: lambda a: a[::-1, ::-1], 4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1), 6: lambda a: np.rot90(a, -1), 7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: np.rot90(a)}


def encode(picture: Image.Image | np.ndarray, kind: str = "PNG", **options: object) -> bytes:
    picture = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)  # type: ignore[arg-type]
    return buffer.getvalue()


def decode(content: bytes, size: int = 8, channels: int = 3) -> np.ndarray:
    """uint8 (size, size, 3) or (size, size)."""
    image = decoding.decode(content, size, channels, 4)
    assert image.shape == (channels, size, size) and image.dtype == np.uint8
    return image.transpose(1, 2, 0) if channels == 3 else image[0]


def luma(rgb: np.ndarray) -> np.ndarray:
    """ITU-R BT.601."""
    return rgb.astype(float) @ [0.299, 0.587, 0.114]


def over_white(rgb: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    alpha = alpha[..., None] / 255
    return rgb * alpha + 255 * (1 - alpha)


@pytest.mark.parametrize("kind, options", [
    ("PNG", {}), ("BMP", {}), ("TIFF", {}), ("TIFF", {"compression": "tiff_lzw"}), ("WEBP", {"lossless": True})])
def test_a_picture_of_the_size_keeps_every_pixel(kind: str, options: dict[str, object]) -> None:
    assert np.array_equal(decode(encode(RGB, kind, **options)), RGB)
    assert np.abs(decode(encode(RGB, kind, **options), channels=1) - luma(RGB)).max() <= 0.51


def test_a_jpeg_of_the_size_is_what_its_decoder_says() -> None:
    content = encode(RGB, "JPEG", quality=90)
    assert np.array_equal(decode(content), np.asarray(Image.open(io.BytesIO(content))))


def test_grey_becomes_three_equal_channels_and_is_its_own_luma() -> None:
    for grey in (NOISE[:, :, 0], NOISE[:, :, 0] > 127):
        values = grey.astype(np.uint8) * (255 if grey.dtype == bool else 1)
        assert np.array_equal(decode(encode(grey), channels=1), values)
        assert np.array_equal(decode(encode(grey)), np.repeat(values[:, :, None], 3, 2))


def test_sixteen_bits_are_divided_by_257_and_not_clipped() -> None:
    for values, kind in ((np.arange(256).reshape(16, 16) * 257, "PNG"),
                         (np.arange(256).reshape(16, 16) * 257 + 128 * (np.arange(16) < 15), "TIFF"),
                         (np.arange(256).reshape(16, 16) * 257 - 128 * (np.arange(16) > 0), "PNG")):
        assert np.array_equal(decode(encode(values.astype(np.uint16), kind), 16, 1).ravel(), np.arange(256))
    big_endian = Image.frombytes("I;16B", (16, 16), (np.arange(256) * 257).astype(">u2").tobytes())
    assert np.array_equal(decode(encode(big_endian, "TIFF"), 16, 1).ravel(), np.arange(256))


def test_thirty_two_bits_are_taken_where_their_range_is_clear() -> None:
    ramp = np.arange(256).reshape(16, 16)
    assert np.array_equal(decode(encode((ramp * 257).astype(np.int32), "TIFF"), 16, 1), ramp)
    assert np.array_equal(decode(encode((ramp / 255).astype(np.float32), "TIFF"), 16, 1), ramp)
    for values in (ramp.astype(np.int32) * 258, ramp.astype(np.int32) - 1, ramp.astype(np.float32),
                   np.full((16, 16), np.nan, np.float32)):
        with pytest.raises(ValueError, match="values from .* in mode [IF]; expected 0 to (65535|1)$"):
            decode(encode(values, "TIFF"), 16, 1)


def test_what_is_transparent_shows_white() -> None:
    rgb, alpha = RGB.astype(float), NOISE[:, :, 3]
    assert np.abs(decode(encode(NOISE)) - over_white(rgb, alpha)).max() <= 1
    grey = np.dstack([NOISE[:, :, 0], alpha])
    assert np.abs(decode(encode(grey)) - over_white(rgb[:, :, [0, 0, 0]], alpha)).max() <= 1
    assert np.abs(decode(encode(NOISE), channels=1) - luma(over_white(rgb, alpha))).max() <= 1.5
    for opaque, expected in ((255, RGB), (0, np.full_like(RGB, 255))):
        clear = np.dstack([RGB, np.full((8, 8), opaque, np.uint8)])
        assert np.array_equal(decode(encode(clear)), expected)
        assert np.array_equal(decode(encode(clear, "WEBP", lossless=True, exact=True)), expected)


def test_palettes_are_looked_up_and_their_transparent_entries_are_white() -> None:
    colours = NOISE.reshape(-1, 4)[:16, :3]
    indices = np.arange(64, dtype=np.uint8).reshape(8, 8) % 16
    picture = Image.fromarray(indices)
    picture.putpalette(colours.tobytes())
    assert np.array_equal(decode(encode(picture)), colours[indices])
    expected = np.where((indices == 5)[:, :, None], 255, colours[indices])
    assert np.array_equal(decode(encode(picture, transparency=5)), expected)
    assert np.abs(decode(encode(picture, transparency=5), channels=1) - luma(expected)).max() <= 0.51
    alphas = bytes(range(0, 256, 17))
    expected = over_white(colours[indices].astype(float), np.frombuffer(alphas, np.uint8)[indices])
    assert np.abs(decode(encode(picture, transparency=alphas)) - expected).max() <= 1


def test_a_colour_that_is_declared_transparent_is_white() -> None:
    assert np.array_equal(decode(encode(RGB, transparency=tuple(map(int, RGB[2, 3]))))[2, 3], [255] * 3)
    grey = np.arange(64, dtype=np.uint8).reshape(8, 8)
    assert np.array_equal(decode(encode(grey, transparency=9), channels=1), np.where(grey == 9, 255, grey))


def test_ink_is_what_paper_does_not_reflect() -> None:
    ink = NOISE.astype(float) / 255
    expected = 255 * (1 - ink[:, :, :3]) * (1 - ink[:, :, 3:])
    picture = Image.frombytes("CMYK", (8, 8), NOISE.tobytes())
    assert np.abs(decode(encode(picture, "TIFF")) - expected).max() <= 1
    flat = Image.new("CMYK", (8, 8), (255, 0, 128, 32))
    assert np.abs(decode(encode(flat, "JPEG", quality=100)) - [0, 223, 111]).max() <= 3


@pytest.mark.parametrize("orientation", TURNED)
def test_pictures_are_turned_as_their_exif_says(orientation: int) -> None:
    stored = np.random.default_rng(1).integers(0, 256, (8, 12, 3), np.uint8)
    exif = Image.Exif()
    exif[0x0112] = orientation
    upright = TURNED[orientation](stored)
    middle = upright[2:10] if orientation > 4 else upright[:, 2:10]
    for kind in ("PNG", "TIFF"):
        assert np.array_equal(decode(encode(stored, kind, exif=exif)), middle), kind
    assert np.array_equal(decode(encode(stored, "WEBP", exif=exif, lossless=True)), middle)
    corners = np.kron(np.array([[0, 90], [180, 255]], np.uint8), np.ones((32, 32), np.uint8))
    turned = decode(encode(corners, "JPEG", exif=exif), channels=1)
    assert np.abs(turned[[0, 0, 7, 7], [0, 7, 0, 7]].astype(int) - TURNED[orientation](
        np.array([[0, 90], [180, 255]])).ravel()).max() <= 2


def test_damaged_exif_does_not_cost_the_picture() -> None:
    for exif in (b"Exif\0\0garbage", b"Exif\0\0MM\0*\0\0\0\x08\0\x05\x01\x12\0\x03"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # as processes do
            content = encode(RGB, "JPEG", exif=exif)
            assert np.array_equal(decode(content), np.asarray(Image.open(io.BytesIO(content))))


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP", "GIF"])
def test_the_first_of_several_frames_counts(kind: str) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue", "lime")]
    options = {"lossless": True} if kind == "WEBP" else {}
    content = encode(frames[0], kind, save_all=True, append_images=frames[1:], **options)
    assert np.array_equal(decode(content), np.full((8, 8, 3), [255, 0, 0]))


def test_the_middle_is_cropped_without_touching_it() -> None:
    wide = np.random.default_rng(2).integers(0, 256, (8, 21, 3), np.uint8)
    assert np.array_equal(decode(encode(wide)), wide[:, 6:14])
    assert np.array_equal(decode(encode(wide.swapaxes(0, 1))), wide[:, 6:14].swapaxes(0, 1))


def test_what_is_outside_the_middle_does_not_show_in_what_is_resized() -> None:
    picture = np.full((40, 80, 3), 200, np.uint8)
    picture[:, 20:60] = 50
    assert np.array_equal(decode(encode(picture)), np.full((8, 8, 3), 50))


def test_reducing_averages_and_does_not_pick() -> None:
    board = np.indices((64, 64)).sum(0) % 2 * 255
    assert np.abs(decode(encode(board.astype(np.uint8)), channels=1) - 127.5).max() <= 1
    assert np.array_equal(decode(encode(np.full((5, 7, 3), 9, np.uint8))), np.full((8, 8, 3), 9))  # enlarged


def test_large_pictures_are_reduced_by_the_filter_alone_but_for_what_a_jpegs_own_reduction_changes() -> None:
    noise = np.random.default_rng(3).integers(48, 208, (40, 50, 1), np.uint8) + np.array([0, 20, 40], np.uint8)
    large = Image.fromarray(noise).resize((1008, 800), Image.Resampling.BICUBIC)
    for kind, options, difference in (("PNG", {}, 0), ("JPEG", {"quality": 95}, 3)):
        content = encode(large, kind, **options)
        fair = Image.open(io.BytesIO(content)).crop((104, 0, 904, 800)).resize((16, 16), Image.Resampling.LANCZOS)
        assert np.abs(decode(content, 16).astype(int) - np.asarray(fair)).max() <= difference


def test_too_small_and_too_large_pictures_and_those_that_are_none_cannot_be_used(
        monkeypatch: pytest.MonkeyPatch) -> None:
    content = encode(RGB)
    assert decoding.decode(content, 8, 3, smallest=8).size
    with pytest.raises(ValueError, match=r"8x8 pixels, below data\.pictures\.smallest \(9\)"):
        decoding.decode(content, 8, 3, smallest=9)
    with pytest.raises(OSError):
        decode(content[:-40])
    with pytest.raises(OSError):
        decode(encode(np.tile(RGB, (9, 9, 1)), "JPEG")[:1500])
    with pytest.raises(ValueError, match="not a picture of the formats"):
        decode(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 64)
    assert decode(content).size
    for side in (9, 16):  # PIL itself warns at the first and raises at the second
        with pytest.raises((ValueError, Image.DecompressionBombWarning, Image.DecompressionBombError)):
            decode(encode(np.zeros((side, side), np.uint8)))


def coloured(count: int, folder: str = "") -> dict[str, bytes]:
    """`count` pictures, each of one colour, by name: half in class a, half in class b."""
    colours = {f"{folder}{'ab'[i % 2]}/{i:04}.png": (i % 256, i // 256, i * 7 % 256) for i in range(count)}
    return {name: encode(Image.new("RGB", (8, 8), colour)) for name, colour in colours.items()}


def saved(source: Path, wanted: Pictures = WANTED) -> images.Dataset:
    folder = source.parent / "data"
    arrays.save(folder, source, wanted)
    return images.load(folder)


def test_the_same_pictures_give_the_same_bytes_whatever_holds_them(tmp_path: Path) -> None:
    contents = coloured(50, "train/") | coloured(20, "test/")
    digests = {saved(make(tmp_path / f"source.{kind}", contents)).digest for kind in KINDS}
    digests |= {saved(make(tmp_path / f"{i}.zip", dict(reversed(contents.items())), method)).digest
                for i, method in enumerate((zipfile.ZIP_STORED, zipfile.ZIP_BZIP2))}
    wrapped = make(tmp_path / "wrapped.tar", {f"top/{name}": content for name, content in contents.items()})
    assert digests | {saved(wrapped).digest} == {saved(wrapped).digest} and len(digests) == 1
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]
    assert {path.name for path in (tmp_path / "data").iterdir()} == {
        *(f"{name}.npy" for name in images.ARRAYS), "meta.json"}


def test_images_labels_and_facts_belong_together(tmp_path: Path) -> None:
    contents = coloured(300, "train/") | coloured(100, "test/")
    dataset = saved(make(tmp_path / "colours.zip", contents))
    for split, count in (("train", 300), ("test", 100)):
        order = np.random.default_rng(0).permutation(count)
        names = sorted(name for name in contents if name.startswith(split))
        number = [int(names[i][-8:-4]) for i in order]
        stored, labels = getattr(dataset, f"{split}_images"), getattr(dataset, f"{split}_labels")
        expected = np.array([(i % 256, i // 256, i * 7 % 256) for i in number], np.uint8)
        assert np.array_equal(stored, np.broadcast_to(expected[:, :, None, None], (count, 3, 8, 8)))
        assert np.array_equal(labels, np.array(number) % 2) and labels.dtype == np.uint8
    del dataset.meta["files"], dataset.meta["sha256"]
    assert dataset.meta.pop("source_sha256") == files.sha256(tmp_path / "colours.zip")
    assert dataset.meta == {"name": "images", "classes": ["a", "b"], "source": "colours.zip", "url": "unknown",
                            "licence": "unknown", "left_out": 0, "counts": {"train": 300, "test": 100}}


def test_a_hundredth_of_unusable_pictures_is_left_out_and_named_and_more_stops(
        tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    contents = coloured(200)
    complete = saved(make(tmp_path / "complete", contents))
    whole = {split: (np.array(getattr(complete, f"{split}_images")), np.array(getattr(complete, f"{split}_labels")))
             for split in ("train", "test")}
    contents["a/0100.png"], contents["b/0007.png"] = b"no picture", encode(np.zeros((3, 9, 3), np.uint8))
    dataset = saved(make(tmp_path / "damaged", contents))
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].endswith("damaged: 2 of 200 pictures are left out")
    assert lines[1].startswith("  a/0100.png: not a picture of the formats PNG, JPEG,")
    assert lines[2] == "  b/0007.png: 9x3 pixels, below data.pictures.smallest (4)"
    assert dataset.meta["left_out"] == 2 and sum(dataset.meta["counts"].values()) == 198
    for split, (stored, labels) in whole.items():  # the others are where they would be without those two
        kept = ~np.isin(stored[:, 0, 0, 0], [100, 7])
        assert np.array_equal(getattr(dataset, f"{split}_images"), stored[kept])
        assert np.array_equal(getattr(dataset, f"{split}_labels"), labels[kept])
    contents["a/0000.png"] = contents["a/0002.png"][:45]
    with pytest.raises(InputError) as error:
        saved(make(tmp_path / "worse.tar.gz", contents))
    assert str(error.value).startswith(
        f"data.directory: {tmp_path / 'worse.tar.gz'}: 3 of 200 pictures cannot be used, 1 of them for a side below "
        "data.pictures.smallest (4); expected at most 1%; the first is a/0000.png: ")
    assert "\n" not in str(error.value) and images.load(tmp_path / "data").meta["left_out"] == 2


def test_pictures_that_are_all_too_small_name_the_key(
        tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"50 of 50 pictures cannot be used, 50 of them for a side below "
                                         r"data\.pictures\.smallest \(9\).* the first is a/0000\.png: 8x8 pixels"):
        saved(make(tmp_path / "small.zip", coloured(50)), Pictures(**vars(WANTED) | {"smallest": 9}))
    assert capsys.readouterr().err.splitlines()[-2:] == ["  a/0038.png: 8x8 pixels, below data.pictures.smallest (9)",
                                                         "  and 30 more: all are in .work/left_out/small.zip.txt"]
    names = Path(".work/left_out/small.zip.txt").read_text().splitlines()
    assert len(names) == 50 and names[-1].startswith("b/0049.png: ")
    assert not (tmp_path / "data").exists()


def test_names_cannot_break_the_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"the first is 'a\\nb\.png': not a picture") as error:
        saved(make(tmp_path / "a.zip", {"a\nb.png": b"", "c.png": b""}))
    assert "\n" not in str(error.value)


def test_a_bomb_inside_stops_everything_and_leaves_nothing(tmp_path: Path) -> None:
    path = make(tmp_path / "bomb.zip", coloured(4) | {"a/x.png": bytes(1 << 20)})
    content = path.read_bytes()
    at = content.rindex(b"PK\1\2") + 24
    path.write_bytes(content[:at] + (100).to_bytes(4, "little") + content[at + 4:])
    with pytest.raises(InputError, match=r"bomb.zip: 'a/x.png' has more than the 100 bytes that it declares"):
        saved(path)
    assert [one.name for one in tmp_path.iterdir()] == ["bomb.zip"]


def test_one_channel_is_luma(tmp_path: Path) -> None:
    dataset = saved(make(tmp_path / "a", {f"{i}.png": encode(RGB) for i in range(5)}),
                    Pictures(**vars(WANTED) | {"channels": 1}))
    assert dataset.shape == (1, 8, 8) and dataset.meta["classes"] == ["unlabelled"]
    assert np.abs(dataset.train_images[3, 0] - luma(RGB)).max() <= 0.51


def test_duplicates_are_taken_out_of_the_training_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = make(tmp_path / "a", coloured(100, "train/") | coloured(10, "test/"))
    before = saved(source)
    every = [np.array(array) for array in (before.train_images, before.train_labels)]
    unique = np.arange(100) % 5 > 0

    def judge(stored: np.ndarray) -> np.ndarray:
        assert np.array_equal(stored, every[0])
        return unique

    monkeypatch.setattr(pipeline.data.pictures, "duplicates", SimpleNamespace(unique=judge), raising=False)
    dataset = saved(source, Pictures(**vars(WANTED) | {"deduplicate": True}))
    assert dataset.meta["duplicates_removed"] == 20 and dataset.meta["counts"] == {"train": 80, "test": 10}
    assert np.array_equal(dataset.train_images, every[0][unique])
    assert np.array_equal(dataset.train_labels, every[1][unique])


def test_planted_duplicates_are_removed_and_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Real digits, the first 40 of them twice under other names."""
    originals = digits.arrays()["train_images"][:200, 0]
    contents = {f"train/a/{i:03}.png": encode(image) for i, image in enumerate(originals)}
    contents |= {f"train/b/{i:03}.png": encode(image) for i, image in enumerate(originals[:40])}
    contents |= {f"test/{name}/x.png": encode(originals[0]) for name in "ab"}
    source = make(tmp_path / "s.zip", contents)
    dataset = saved(source, Pictures(size=28, channels=1, smallest=28, test=0.1, deduplicate=True))
    assert 40 <= dataset.meta["duplicates_removed"] <= 44 and len(dataset.train_images) == len(dataset.train_labels)
    assert dataset.meta["counts"] == {"train": 240 - dataset.meta["duplicates_removed"], "test": 2}
    assert len({image.tobytes() for image in dataset.train_images}) == len(dataset.train_images)
    said = f"{dataset.meta['duplicates_removed']} near-duplicates of 240 training pictures are removed"
    assert said in capsys.readouterr().err


def test_a_class_whose_only_pictures_cannot_be_used_is_named(tmp_path: Path) -> None:
    contents = {name.replace("a/", "b/"): content for name, content in coloured(200).items()}
    with pytest.raises(InputError, match="no training picture of the class 'c' can be used; expected at least one"):
        saved(make(tmp_path / "a", contents | {"c/x.png": b"none"}))


def test_a_process_that_ends_early_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = make(tmp_path / "a", coloured(100))
    monkeypatch.setattr(sys, "executable", shutil.which("false"))
    with pytest.raises(InputError, match="a process that decodes pictures ended early"):
        saved(source)
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_processes_load_neither_torch_nor_pydantic() -> None:
    code = "import sys; from pipeline.data.pictures import decoding; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert "numpy" in loaded.stdout.split() and not {"torch", "pydantic", "tqdm"} & set(loaded.stdout.split())


@pytest.mark.slow
@pytest.mark.parametrize("blow", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_run_leaves_no_processes_and_an_interrupt_no_files(tmp_path: Path, blow: signal.Signals) -> None:
    content = encode(np.zeros((1500, 1500, 3), np.uint8))
    source = make(tmp_path / "a.zip", {f"{i}.png": content for i in range(3000)}, zipfile.ZIP_STORED)
    script = ("import sys; from pathlib import Path; from pipeline.data.pictures import arrays; "
              "from pipeline.params.sections import Pictures; arrays.save(Path('data'), Path(sys.argv[1]), "
              "Pictures(size=8, channels=3, smallest=8, test=.5, deduplicate=False))")
    run = subprocess.Popen([sys.executable, "-c", script, str(source)], cwd=tmp_path, start_new_session=True,
                           env=os.environ | {"PYTHONPATH": str(ROOT)}, stderr=subprocess.PIPE, text=True)
    workers: list[psutil.Process] = []
    deadline = time.monotonic() + 60
    while not workers or not any(sum(worker.cpu_times()[:2]) > 0.5 for worker in workers):
        assert run.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
        workers = psutil.Process(run.pid).children()
    os.killpg(run.pid, blow)
    try:
        errors = run.communicate(timeout=20)[1]
    finally:
        run.kill()
    assert psutil.wait_procs(workers, timeout=20)[1] == []
    if blow == signal.SIGINT:
        assert errors.count("KeyboardInterrupt") == 1
        assert [path.name for path in tmp_path.iterdir()] == ["a.zip"]


@pytest.mark.slow
def test_cifar10_as_pictures_is_cifar10(tmp_path: Path) -> None:
    arrays.save(tmp_path / "data", archive("cifar10.zip"), Pictures(**vars(WANTED) | {"size": 32}))
    dataset = images.load(tmp_path / "data")
    assert dataset.meta["counts"] == {"train": 50000, "test": 10000} and dataset.shape == (3, 32, 32)
    assert dataset.meta["classes"] == ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship",
                                       "truck"]
    assert np.bincount(dataset.train_labels).tolist() == [5000] * 10
    assert np.bincount(dataset.test_labels).tolist() == [1000] * 10
    counts = np.stack([np.bincount(dataset.train_images[:, i].ravel(), minlength=256) for i in range(3)])
    levels, total = np.arange(256) / 255, counts.sum(1)
    mean = counts @ levels / total
    std = np.sqrt(counts @ levels ** 2 / total - mean ** 2)
    assert mean == pytest.approx([0.49139968, 0.48215841, 0.44653091], abs=1e-8)
    assert std == pytest.approx([0.24703223, 0.24348513, 0.26158784], abs=1e-8)


def test_eurosat_is_taken_pixel_by_pixel(tmp_path: Path) -> None:
    source = archive("eurosat64.zip")
    arrays.save(tmp_path / "data", source, Pictures(**vars(WANTED) | {"size": 64}))
    dataset = images.load(tmp_path / "data")
    assert dataset.meta["counts"] == {"train": 9000, "test": 1000} and dataset.classes == 10
    with zipfile.ZipFile(source) as opened:
        names = sorted(name for name in opened.namelist() if name.startswith("test/") and name.endswith(".jpg"))
        order = np.random.default_rng(0).permutation(1000)
        for i in (0, 1, 999):
            name = names[order[i]]
            expected = np.asarray(Image.open(io.BytesIO(opened.read(name))))
            assert np.array_equal(dataset.test_images[i].transpose(1, 2, 0), expected)
            assert dataset.meta["classes"][dataset.test_labels[i]] == name.split("/")[1]


PEAK = """
import sys
from pipeline.data.pictures import decoding
def status(key):
    return next(int(line.split()[1]) * 1024 for line in open("/proc/self/status") if line.startswith(key))
content = open(sys.argv[1], "rb").read()
decoding.decode(open(sys.argv[2], "rb").read(), 64, 3, 8)  # loads what is loaded once
found = []
for _ in range(3):  # the system may take idle memory back before, and give it again meanwhile
    open("/proc/self/clear_refs", "w").write("5")
    before = status("VmRSS")
    decoding.decode(content, 64, 3, 8, 1 << 40)
    found.append(status("VmHWM") - before)
print(min(found))
"""


@pytest.mark.skipif(not os.access("/proc/self/clear_refs", os.W_OK), reason="Linux tells the most memory there was")
@pytest.mark.parametrize(("mode", "kind"), [("RGBA", "PNG"), ("LA", "PNG"), ("I;16", "PNG"), ("RGBA", "WEBP"),
                                            ("F", "TIFF"), ("I", "TIFF"), ("CMYK", "JPEG")])
def test_decoding_takes_no_more_memory_than_it_reckons_with(tmp_path: Path, mode: str, kind: str) -> None:
    side, turned = 1500, Image.Exif()
    turned[274] = 6
    options = {"WEBP": {"lossless": True, "method": 0}, "JPEG": {"progressive": True}}.get(kind, {})
    for name, length in (("large", side), ("small", 32)):
        Image.new(mode, (length, length)).save(tmp_path / name, kind, exif=turned, **options)
    content = (tmp_path / "large").read_bytes()
    result = subprocess.run([sys.executable, "-c", PEAK, tmp_path / "large", tmp_path / "small"], cwd=ROOT,
                            capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    rate = 1 if kind == "JPEG" else decoding.PEAKS.get(mode, decoding.PEAK)
    reckoned = len(content) + side ** 2 * (decoding.PROGRESSIVE if kind == "JPEG" else 0) + side ** 2 * rate
    assert int(result.stdout) < reckoned
    with pytest.raises(ValueError, match=decoding.LARGE):
        decoding.decode(content, 64, 3, 8, int(result.stdout) // 2)


def test_large_pictures_are_decoded_by_fewer_processes_and_too_large_ones_left_out(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = {f"{i:03}.png": encode(Image.new("RGB", (8 + 20 * (i % 8 == 0),) * 2, (i, 0, 0))) for i in range(64)}
    source = make(tmp_path / "pictures", pictures)
    expected = saved(source)
    counts, decoded = [], arrays._decoded

    def noted(*given: Any) -> dict[int, str]:
        counts.append((len(given[1]), given[3]))
        return decoded(*given)

    monkeypatch.setattr(arrays, "_decoded", noted)
    monkeypatch.setattr(arrays, "_cores", lambda: 4)
    monkeypatch.setattr(arrays, "MEMORY", 20_000)  # a share of it is enough for 8x8 pixels, all of it for 28x28
    shutil.rmtree(tmp_path / "data")
    found = saved(source)
    assert counts == [(64, 4), (8, 1)] and found.digest == expected.digest
    monkeypatch.setattr(arrays, "MEMORY", 10_000)
    with pytest.raises(InputError, match="8 of 64 pictures cannot be used; .* bytes of memory to decode; expected at"):
        saved(source)


def test_a_disk_that_is_too_small_is_said_before_anything_is_decoded(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=1000))
    with pytest.raises(InputError, match="needs .* GB of disk, 1e-06 GB are free"):
        saved(make(tmp_path / "pictures", coloured(20)))
