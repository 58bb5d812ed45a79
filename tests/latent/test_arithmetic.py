"""Arithmetic with z: planted directions are found, means beat single exemplars, and runs are measured alike."""
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from pipeline.data.images import Dataset
from pipeline.errors import InputError, ScoreError
from pipeline.gan.networks import SGD, Network, Tanh
from pipeline.latent import arithmetic
from pipeline.latent.shown import arithmetic as shown
from pipeline.latent.shown.part import Drawing, Subject, entry
from pipeline.params.scoring import Internals
from tests.conftest import FP32

Z_DIM = 100


def planted(concept: Tensor, count: int, noise: float, seed: int) -> Tensor:
    """z (count, z_dim) of a concept, with what else is in them at random."""
    return concept + noise * torch.randn(count, Z_DIM, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def directions() -> tuple[Tensor, Tensor]:
    """Two directions, woman and smile, orthonormal."""
    q, _ = torch.linalg.qr(torch.randn(Z_DIM, 2, generator=torch.Generator().manual_seed(9)))
    return q[:, 0], q[:, 1]


def concepts(directions: tuple[Tensor, Tensor], noise: float, seed: int) -> list[Tensor]:
    """Three smiling women, three neutral women, three neutral men."""
    woman, smile = directions
    kinds = (2 * woman + 2 * smile, 2 * woman - 2 * smile, -2 * woman - 2 * smile)
    return [planted(kind, 3, noise, seed + i) for i, kind in enumerate(kinds)]


def test_smiling_woman_minus_woman_plus_man_is_a_smiling_man(directions: tuple[Tensor, Tensor]) -> None:
    woman, smile = directions
    found = arithmetic.combine(*concepts(directions, 0, 0))
    torch.testing.assert_close(found, -2 * woman + 2 * smile)
    torch.testing.assert_close(arithmetic.singles(*concepts(directions, 0, 0)), found.expand(27, -1))


def test_means_beat_single_exemplars_under_noise_as_three_beat_one(directions: tuple[Tensor, Tensor]) -> None:
    woman, smile = directions
    wanted = -2 * woman + 2 * smile
    errors = np.array([[(arithmetic.combine(*given) - wanted).square().sum(),
                        (arithmetic.singles(*given) - wanted).square().sum(1).mean()]
                       for given in (concepts(directions, 1, 3 * seed) for seed in range(50))])
    assert errors.mean(0) == pytest.approx([Z_DIM, 3 * Z_DIM], rel=0.05)  # variance 3 / k in each direction
    assert (errors[:, 0] < errors[:, 1]).all()


def test_singles_are_all_choices_and_the_paired_ones_are_where_it_says() -> None:
    A, B, C = (torch.arange(3.0)[:, None] * scale for scale in (100, 10, 1))
    found = arithmetic.singles(A, B, C)[:, 0]
    assert sorted(found.tolist()) == sorted(a - b + c for a in (0, 100, 200) for b in (0, 10, 20) for c in (0, 1, 2))
    assert found[:4].tolist() == [0, 1, 2, -10] and found[::3 ** 2 + 3 + 1].tolist() == [0, 91, 182]
    assert len(arithmetic.singles(A, B[:2], C[:1])) == 6


def test_draws_are_of_so_many_exemplars_without_replacement() -> None:
    """Means of k of 40 vary by 3 (1 / k - 1 / 40) in each direction, around the result of all."""
    given = [planted(torch.zeros(Z_DIM), 40, 1, seed) for seed in range(3)]
    generator = torch.Generator().manual_seed(0)
    for k in (1, 3, 20):
        results, controls = arithmetic.drawn(*given, k, 400, generator)
        for drawn in (results - arithmetic.combine(*given), controls - given[2].mean(0)):
            assert drawn.square().mean().item() == pytest.approx(3 * (1 / k - 1 / 40), rel=0.1)
    results, controls = arithmetic.drawn(*given, 40, 2, generator)
    torch.testing.assert_close(results, arithmetic.combine(*given).expand(2, -1))
    torch.testing.assert_close(controls, given[2].mean(0).expand(2, -1))
    with pytest.raises(InputError, match="41 exemplars of each concept are to be drawn; of one there are 40"):
        arithmetic.drawn(*given, 41, 1, generator)


def test_controls_have_the_same_exemplars_of_B_and_C_and_none_of_A() -> None:
    A, B, C = (torch.arange(10.0)[:, None] * scale for scale in (1, 100, 10_000))
    results, controls = arithmetic.drawn(A, B, C, 1, 200, torch.Generator().manual_seed(0))
    difference = (results - controls)[:, 0].int()  # a - other b, without this b and c
    assert set((difference % 100).tolist()) == set(range(10))
    assert set(((difference % 100 - difference) // 100).tolist()) == set(range(10))


def test_the_centre_is_in_the_middle_of_noise_that_keeps_its_bounds() -> None:
    centre = torch.linspace(-3, 3, 1000)
    z = arithmetic.around(centre, 0.25, torch.Generator().manual_seed(0))
    assert z.shape == (9, 1000) and torch.equal(z[4], centre)
    noise = (z - centre)[[0, 1, 2, 3, 5, 6, 7, 8]]
    assert 0.249 < noise.max() <= 0.25 + 1e-6 and -0.25 - 1e-6 <= noise.min() < -0.249
    assert noise.var().item() == pytest.approx(0.25 ** 2 / 3, rel=0.05) and abs(noise.mean().item()) < 0.005


def test_the_turn_vector_is_the_planted_one(directions: tuple[Tensor, Tensor]) -> None:
    _, pose = directions
    left, right = -pose.expand(4, -1), pose.expand(6, -1)
    torch.testing.assert_close(arithmetic.turn(left, right), 2 * pose)
    noisy = arithmetic.turn(planted(-pose, 2000, 1, 0), planted(pose, 2000, 1, 1))
    assert (noisy - 2 * pose).square().mean() == pytest.approx(2 / 2000, rel=0.5)


def test_a_vector_is_added_in_steps_to_each_z() -> None:
    z, vector = torch.tensor([[1.0, 2], [3, 4]]), torch.tensor([10.0, -20])
    found = arithmetic.turned(z, vector, [-0.5, 0, 1])
    assert found.tolist() == [[[-4, 12], [1, 2], [11, -18]], [[-2, 14], [3, 4], [13, -16]]]


def test_agreement_is_shares_of_results_and_of_chance() -> None:
    found = arithmetic.agreement(np.array([1, 1, 1, 0], bool), np.array([1, 0, 0, 0, 0], bool))
    assert found == arithmetic.Agreement(0.75, 0.2, 4) and found.gain == pytest.approx(0.55)
    with pytest.raises(ScoreError, match="0 results and 2 random samples"):
        arithmetic.agreement(np.zeros(0, bool), np.zeros(2, bool))


class Bars(nn.Module):
    """z (n, 3) -> a bar of 28 x 28 that leans by 0.6 z0 and is 3 pixels wide, and 3 more for each of `steps` below z1.

    Bars that lean more than by 0.6 `limit` are 4.5 pixels wide, whatever z1.
    """

    def __init__(self, *steps: float, limit: float = np.inf):
        super().__init__()
        self.steps, self.limit = steps, limit

    def forward(self, z: Tensor, y: None = None) -> Tensor:
        at, lean = torch.arange(28.0) - 13.5, 0.6 * z[:, 0, None, None]
        half = 1.5 + sum((1.5 * torch.sigmoid(20 * (z[:, 1] - step)) for step in self.steps), torch.zeros(len(z)))
        half = torch.where(z[:, 0] > self.limit, 2.25, half)[:, None, None]
        away = (at + at[:, None] * lean).abs()  # rows count downwards
        return (2 * torch.sigmoid(4 * (half - away)) * (at[:, None].abs() < 10) - 1)[:, None]


class Widths:
    """A classifier of bars that are 3, 6 or 9 pixels wide: unsure half-way."""
    extractor = "classifier"

    def __call__(self, images: np.ndarray) -> tuple[Tensor, Tensor]:
        width = torch.from_numpy(images[:, 0, 13].sum(1) / 255).float()[:, None]
        return torch.zeros(len(images), 2), -(width - torch.tensor([3.0, 6, 9])).square()


NAMES = ["thin", "middle", "broad"]


def subject_of(G: nn.Module, **asked: Any) -> Subject:
    """G as a trained generator, with real bars: middle ones lean most differently, thin ones more than broad ones."""
    drawn, labels = [], np.repeat([0, 1, 2], 50)
    for most, width in ((1.5, -1.0), (2, 0), (1, 1)):  # z1 of each class of Bars(-0.5, 0.5)
        drawn.append(torch.stack([torch.linspace(-most, most, 50), torch.full((50,), width), torch.zeros(50)], 1))
    real = ((Bars(-0.5, 0.5)(torch.cat(drawn)) + 1) * 127.5).round().to(torch.uint8).numpy()
    network = Network((1, 28, 28), 3, "normal", (Tanh(),), (), "normal", SGD(), "alternating")
    trained: Any = SimpleNamespace(G=G, network=network)
    reference: Any = Widths()
    params = Internals(runs=["a"], trials=100, **({"candidates": 1000} | asked))
    return Subject(trained, Dataset(real, labels, real, labels, {"classes": NAMES}), reference, params, FP32, Path("-"))


def looked(G: nn.Module, **asked: Any) -> tuple[dict[str, float], str, list[Drawing]]:
    """Numbers, the note on this generator, and the pictures."""
    described, pictures = entry(shown.PART, subject_of(G, **asked))
    return described["numbers"], described["unmeasured"], pictures


def test_arithmetic_that_works_succeeds_and_not_by_chance() -> None:
    """z0 is the slant and z1 the class, linearly: right middle - left middle + left thin is right thin."""
    numbers, _, pictures = looked(Bars(0), pairs=1)
    assert numbers["arithmetic_share_3"] > 0.85 and numbers["arithmetic_chance_3"] == 0
    assert numbers["arithmetic_share_1"] <= numbers["arithmetic_share_3"]
    assert numbers["arithmetic_gain"] == numbers["arithmetic_share_3"] - numbers["arithmetic_chance_3"]
    assert [picture.file for picture in pictures] == ["arithmetic.png", "turn.png"]
    assert numbers["slant_turned_left"] < -0.5 < abs(numbers["slant"]) < 0.5 < numbers["slant_turned_right"]


def test_images_that_the_classifier_is_unsure_of_are_no_success() -> None:
    """Between two classes nothing is an exemplar; a run without any pair has numbers all the same."""
    numbers, note, pictures = looked(Bars(0, limit=-np.inf))
    assert numbers and not any(numbers.values()) and not pictures
    assert numbers.keys() == {f"arithmetic_{name}" for name in ("share_1", "share_3", "chance_1", "chance_3", "gain")}
    assert all(name in note for name in NAMES)


def test_results_must_be_sure_and_lean_as_real_images_do() -> None:
    """What leans by more than 0.35 is between two classes, and a quarter of the real thin bars lean by 0.45 or more."""
    numbers, _, pictures = looked(Bars(0, limit=0.35 / 0.6), pairs=1)
    assert len(pictures) == 2 and numbers["arithmetic_share_3"] == numbers["arithmetic_share_1"] == 0


def test_all_runs_have_the_pairs_of_the_real_images() -> None:
    """Whichever two classes a generator makes most often, the first pair is middle and thin."""
    found = [entry(shown.PART, subject_of(G)) for G in (Bars(-0.5, 1), Bars(-1.5, 0), Bars(-0.5, 0.5))]
    assert len({described["measured"] for described, _ in found}) == 1
    alts = {pictures[0].alt for _, pictures in found}
    assert len(alts) == 1 and [alts.copy().pop().count(name) for name in NAMES] == [1, 2, 0]  # A, B and C


def test_a_pair_whose_class_is_missing_fails_in_all_its_trials() -> None:
    one, _, _ = looked(Bars(0), pairs=1)
    two, note, pictures = looked(Bars(0), pairs=2)
    assert two["arithmetic_share_3"] == one["arithmetic_share_3"] / 2 > 0.4 and len(pictures) == 2
    assert f"0 of class {NAMES[2]}" in note and f"of class {NAMES[1]}" not in note
    assert looked(Bars(0), pairs=9)[0] == two  # there are no more pairs
    few, _, _ = looked(Bars(0), pairs=1, candidates=10)  # at least one class has fewer than six
    assert few["arithmetic_share_3"] == few["arithmetic_gain"] == 0
