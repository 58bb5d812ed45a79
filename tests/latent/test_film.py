"""Films: so many frames, so long, for ever, the same bytes twice; the curve grows with the frames."""
import io
import time

import numpy as np
import pytest
from PIL import Image

from pipeline.latent import film


def grids(count: int, channels: int, size: int) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    shape = (size, size) if channels == 1 else (size, size, channels)
    return [rng.integers(0, 256, shape, dtype=np.uint8) for _ in range(count)]


def opened(content: bytes) -> tuple[str | None, int, int, list[int]]:
    picture = Image.open(io.BytesIO(content))
    durations = []
    for frame in range(picture.n_frames):
        picture.seek(frame)
        picture.load()
        durations.append(picture.info["duration"])
    return picture.format, picture.n_frames, picture.info["loop"], durations


@pytest.mark.parametrize("channels", [1, 3])
def test_a_film_loops_and_has_a_frame_for_each_grid(channels: int) -> None:
    seen, distances = [100, 200, 300, 400], [400.0, 90.0, 120.0, 60.0]
    first, second = (film.film(grids(4, channels, 40), seen, distances, "fid") for _ in range(2))
    for lossless in (False, True):
        content = film.webp(first, [100, 200, 300, 2000], lossless)
        assert opened(content) == ("WEBP", 4, 0, [100, 200, 300, 2000])
        assert film.webp(second, [100, 200, 300, 2000], lossless) == content


def test_the_grid_is_enlarged_by_whole_pixels_over_a_curve_that_grows() -> None:
    images = grids(3, 3, 50)
    frames = [np.asarray(frame) for frame in film.film(images, [10, 20, 30], [400.0, 0.0, 200.0], "fid")]
    assert {frame.shape for frame in frames} == {(film.MARGIN * 3 + film.SIZE + 450 + film.CURVE_HEIGHT, 480, 3)}
    for frame, image in zip(frames, images):
        assert (frame[10:460, 15:465] == image.repeat(9, 0).repeat(9, 1)).all()
    curves = [frame[-film.CURVE_HEIGHT:].astype(int) for frame in frames]
    blue = [(curve[:, :, 2] - curve[:, :, 0] > 60).sum() for curve in curves]
    assert blue[0] < 100 < 300 < blue[1] < blue[2]  # a dot, a line down, and one half up again
    dots = [np.argwhere(np.abs(curve - (0, 0x72, 0xB2)).sum(2) == 0).mean(0) for curve in curves[:1]]
    assert dots[0][0] < 40 and dots[0][1] < 100  # the largest distance stands high, the first one left


def test_points_are_where_matplotlib_draws_them() -> None:
    """The end of the bright line at each point is under its dot."""
    pale, bright, points = film._curve([10, 20, 30], [400.0, 10.0, 200.0], "fid", 480)
    for x, y in points:
        patch = np.asarray(bright)[y - 1:y + 2, x - 1:x + 2].astype(int)
        assert (np.abs(patch - (0, 0x72, 0xB2)).sum(2) < 60).any()
    assert points[0][0] < points[1][0] < points[2][0] and points[0][1] < points[2][1] < points[1][1]
    assert pale.size == bright.size == (480, film.CURVE_HEIGHT)


@pytest.mark.parametrize("distances", [[5.0], [0.0]])
def test_one_grid_larger_than_a_frame_is_a_film(distances: list[float]) -> None:
    frame, = film.film(grids(1, 1, 600), [1000], distances, "fid")
    assert frame.size == (620, 600 + 3 * film.MARGIN + film.SIZE + film.CURVE_HEIGHT)


def test_sixty_frames_take_seconds() -> None:
    begin = time.monotonic()
    frames = film.film(grids(60, 3, 231), range(60), np.linspace(400, 5, 60), "fid")
    film.webp(frames, [100] * 60, False)
    assert time.monotonic() - begin < 20  # 3 s of noise, which is the hardest to encode; the limit is a busy machine's


def test_grids_and_points_that_do_not_match_are_refused() -> None:
    with pytest.raises(ValueError, match="there are 2 grids of 1 sizes, 2 images_seen and 1 distances"):
        film.film(grids(2, 1, 8), [1, 2], [3.0], "fid")
    with pytest.raises(ValueError, match="2 grids of 2 sizes"):
        film.film(grids(1, 1, 8) + grids(1, 1, 9), [1, 2], [3.0, 4.0], "fid")
    with pytest.raises(ValueError, match="0 grids"):
        film.film([], [], [], "fid")
    with pytest.raises(ValueError, match="0 frames with 0 durations"):
        film.webp([], [], False)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_lossless_film_has_the_very_images(channels: int) -> None:
    images = grids(5, channels, 12)
    content = film.webp([Image.fromarray(image).convert("RGB") for image in images], [80] * 5, True)
    assert opened(content) == ("WEBP", 5, 0, [80] * 5)
    picture = Image.open(io.BytesIO(content))
    for frame, image in enumerate(images):
        picture.seek(frame)
        expected = np.broadcast_to(image.reshape(12, 12, channels), (12, 12, 3))
        assert np.array_equal(np.asarray(picture.convert("RGB")), expected)
