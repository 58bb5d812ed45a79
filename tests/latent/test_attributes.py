"""Attributes of drawn bars whose slant, thickness, ink and size are known, and the choice of exemplars."""
import numpy as np
import pytest
import torch

from pipeline.errors import InputError
from pipeline.latent import attributes

FINE = 8  # samples along each side of a pixel


def bar(width: float, length: float, shear: float, size: int = 48, brightness: int = 255) -> np.ndarray:
    """uint8 (1, 1, size, size): an upright bar, anti-aliased, then sheared so that its top goes to the right."""
    at = (np.arange(size * FINE) + 0.5) / FINE - size / 2
    x, y = at, -at[:, None]
    inside = (abs(x - shear * y) < width / 2) & (abs(y) < length / 2)
    share = inside.reshape(size, FINE, size, FINE).mean((1, 3))
    return (share * brightness).round().astype(np.uint8)[None, None]


@pytest.mark.parametrize("shear", [-0.7, -0.2, 0, 0.4, 1])
def test_slant_is_the_shear_and_positive_to_the_right(shear: float) -> None:
    found = attributes.measure(bar(4, 30, shear), 0)
    assert found.slant[0] == pytest.approx(shear, abs=0.01)


@pytest.mark.parametrize("brightness", [80, 255])
@pytest.mark.parametrize(("width", "length"), [(2, 30), (3.5, 30), (6, 30), (6, 12), (30, 30)])
def test_thickness_is_the_width_but_for_the_ends_whatever_the_brightness(width: float, length: float,
                                                                         brightness: int) -> None:
    found = attributes.measure(bar(width, length, 0, brightness=brightness), 0)
    assert found.thickness[0] == pytest.approx(width / (1 + width / length), rel=0.04)


def test_thickness_is_that_across_a_slanted_stroke() -> None:
    found = attributes.measure(np.concatenate([bar(4, 30, 0), bar(4, 30, 1)]), 0)
    across, along = 4 / 2 ** 0.5, 30 * 2 ** 0.5
    assert found.thickness[1] == pytest.approx(across / (1 + 4 / along), rel=0.03)
    assert found.thickness[1] < found.thickness[0]


def test_a_ring_has_two_borders_and_no_ends() -> None:
    at = np.hypot(*(np.mgrid[:48, :48] - 23.5))
    ring = np.clip(1.5 - abs(at - 12) + 0.5, 0, 1)
    found = attributes.measure((255 * ring).astype(np.uint8)[None, None], 0)
    assert found.thickness[0] == pytest.approx(3, rel=0.05) and found.slant[0] == pytest.approx(0, abs=1e-3)
    assert found.size[0] == pytest.approx(12, rel=0.02)


def test_ink_is_a_share_and_size_a_distance_of_pixels() -> None:
    one = np.zeros((2, 3, 10, 20), np.uint8)
    one[0, :, 2:8, 5:9] = 255  # 6 x 4 pixels, at distances 0.5, 1.5, 2.5 and 0.5, 1.5 of their centre
    one[1, 0, 2:8, 5:9] = 255  # only red: a third of the light
    found = attributes.measure(one, 0)
    assert found.ink.tolist() == pytest.approx([24 / 200, 8 / 200])
    assert found.size.tolist() == pytest.approx([((36 - 1) / 12 + (16 - 1) / 12) ** 0.5] * 2)


def test_noise_up_to_the_ground_changes_nothing() -> None:
    clean = bar(4, 30, 0.5)
    noise = np.random.default_rng(0).integers(0, 21, clean.shape)
    noisy = np.where(clean == 0, noise, clean).astype(np.uint8)
    wanted, found = (attributes.measure(x, 20) for x in (clean, noisy))
    assert np.array_equal(wanted.slant, found.slant) and np.array_equal(wanted.thickness, found.thickness)
    assert abs(attributes.measure(noisy, 0).slant - wanted.slant) > 0.05


def test_where_there_is_no_ink_there_is_nothing_to_measure() -> None:
    row = np.zeros((2, 1, 8, 8), np.uint8)
    row[1, 0, 3, 2:6] = 255
    found = attributes.measure(row, 0)
    assert found.ink[0] == 0 and np.isnan([found.slant[0], found.thickness[0], found.size[0]]).all()
    assert np.isnan(found.slant[1]) and found.size[1] == pytest.approx((15 / 12) ** 0.5)


def test_images_are_measured_alike_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    images = np.random.default_rng(0).integers(0, 256, (7, 1, 9, 9), np.uint8)
    whole = attributes.measure(images, 10)
    monkeypatch.setattr(attributes, "BATCH", 3)
    parts = attributes.measure(images, 10)
    assert np.array_equal(whole.slant, parts.slant) and np.array_equal(whole.size, parts.size)


def test_labels_and_confidences_are_those_of_the_softmax() -> None:
    labels, confidences = attributes.classified(torch.tensor([[0.0, np.log(3)], [np.log(4), 0.0]]))
    assert labels.tolist() == [1, 0] and confidences == pytest.approx([0.75, 0.8])


VALUES = np.array([5.0, 1, 9, np.nan, 3, 9, 100, 7])
LABELS = np.array([2, 2, 2, 2, 2, 2, 1, 2])
CONFIDENCES = np.array([1.0, 1, 0.9, 1, 0.95, 0.9, 1, 0.5])


@pytest.mark.parametrize(("label", "high", "wanted"), [(2, True, [2, 5, 0]), (2, False, [1, 4, 0]),
                                                       (None, True, [6, 2, 5])])
def test_exemplars_are_the_clearest_of_those_one_is_sure_about(label: int | None, high: bool,
                                                               wanted: list[int]) -> None:
    assert attributes.exemplars(VALUES, LABELS, CONFIDENCES, label, 0.9, high, 3).tolist() == wanted


def test_too_few_exemplars_are_refused_with_how_many_there_are() -> None:
    with pytest.raises(InputError, match="5 of 8 samples are of class 2 with a confidence of at least 0.9; expected 6 "
                                         "exemplars"):
        attributes.exemplars(VALUES, LABELS, CONFIDENCES, 2, 0.9, True, 6)
    with pytest.raises(InputError, match="0 of 8 samples are of class 7"):
        attributes.exemplars(VALUES, LABELS, CONFIDENCES, 7, 0.9, True, 1)


def test_the_mean_of_an_attribute_is_of_images_that_have_it() -> None:
    blank = np.zeros((2, 1, 48, 48), np.uint8)
    assert attributes.SLANT.mean(blank) is None
    some = np.concatenate([blank, bar(4, 30, 0.2), bar(4, 30, 0.6)])
    assert attributes.SLANT.mean(some) == pytest.approx(0.4, abs=0.01)


def test_brightness_is_how_bright_colours_look_and_warmth_how_red() -> None:
    """A half of each image is of one colour, the other is black."""
    half = np.zeros((5, 3, 4, 6), np.uint8)
    for image, colour in zip(half, [(255, 255, 255), (255, 0, 0), (0, 255, 0), (0, 0, 255), (0, 0, 0)]):
        image[:, :, :3] = np.reshape(colour, (3, 1, 1))
    assert attributes.brightness(half).tolist() == pytest.approx([0.5, 0.1495, 0.2935, 0.057, 0])
    assert attributes.warmth(half).tolist() == [0, 0.5, 0, -0.5, 0]
    assert attributes.BRIGHTNESS.mean(half) == pytest.approx(0.2)
    assert [attributes.WARMTH.after(way) for way in ("cold", "warm")] == ["warmth_turned_cold", "warmth_turned_warm"]


def test_sides_are_below_and_above_the_real_median_and_sure_in_the_outer_quarters() -> None:
    real = np.append(np.arange(101.0), [np.nan] * 50)
    labels, confidences = attributes.sided(np.array([-1, 24, 26, 49, 51, 74, 76, 200, np.nan]), real)
    assert labels.tolist() == [0, 0, 0, 0, 1, 1, 1, 1, 0]
    assert confidences.tolist() == [1, 1, 0, 0, 0, 0, 1, 1, 0]
    assert not attributes.sided(np.arange(3.0), np.full(3, np.nan))[1].any()
    ties = np.repeat([-1.0, 0, 1], [30, 60, 10])  # the median and the upper quartile are 0
    assert attributes.sided(ties, ties)[1].tolist() == [1] * 30 + [0] * 60 + [1] * 10


def test_extreme_candidates_are_sure_and_the_clearest_first() -> None:
    n = 200
    values, labels = np.linspace(-1, 1, n), np.arange(n) % 2
    confidences = np.where(np.arange(n) % 20 < 10, 0.95, 0.5)
    found = attributes.Candidates(torch.from_numpy(values)[:, None], labels, confidences, values, 0.9)
    assert found.counts(3).tolist() == [50, 50, 0]
    high, low = found.extreme(1, True, 3), found.extreme(1, False, 3)
    assert len(high) == len(low) == 5 and len(found.extreme(1, True, 8)) == 8  # a tenth of 50
    assert high[:, 0].tolist() == values[[189, 187, 185, 183, 181]].tolist()
    assert low[:, 0].tolist() == values[[1, 3, 5, 7, 9]].tolist()


def test_pairs_are_of_the_classes_whose_slants_vary_most_one_after_another() -> None:
    rng = np.random.default_rng(0)
    spread = [0.1, 0.4, 0.2, 0.3]
    labels = np.append(rng.integers(0, 4, 4000), [7, 8, 8]).astype(np.uint8)
    slants = np.append(rng.normal(size=4000) * np.array(spread)[labels[:-3]] + 0.05, [0, np.nan, 1])
    found = attributes.pairs(slants, labels, 9, 0.75)
    assert [(pair.X, pair.Y) for pair in found] == [(1, 3), (3, 2), (2, 0)]  # 7 and 8 have one slant
    assert [pair.least for pair in found] == pytest.approx([0.05 + 0.6745 * spread[pair.Y] for pair in found], abs=0.03)
    assert attributes.pairs(slants, labels, 2, 0.75) == found[:2] and found[0].named("abcd") == "b and d"
    with pytest.raises(InputError, match="1 classes of 2 images"):
        attributes.pairs(np.array([0.0, 1]), np.zeros(2, int), 1, 0.75)
