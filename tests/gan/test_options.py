"""What a run may add to its source's training: rates, steps of D, smoothed labels, flips, and an average of G."""
from copy import deepcopy
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from pipeline.data.images import Dataset
from pipeline.gan import literature, losses, training, updates
from pipeline.gan.updates import Batch, State
from pipeline.params.sections import Run
from tests.conftest import FP32

NETWORKS = ["slides", "udacity-svhn", "guidelines-28"]  # one for each rule of updates


def start(name: str = "slides", width: float = 0.25, **options: Any) -> State:
    return training.start(literature.network(name, width), Run(batch=20, **options), 0, FP32)


def batch_of(state: State, seed: int = 1) -> Batch:
    generator = torch.Generator().manual_seed(seed)
    real = torch.rand(8, *state.network.image, generator=generator) * 2 - 1
    return Batch(real, None, torch.randn(8, state.network.z_dim, generator=generator))


def weights(net: torch.nn.Module) -> list[torch.Tensor]:
    return [parameter.detach().clone() for parameter in net.parameters()]


def same(a: list[torch.Tensor], b: list[torch.Tensor]) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a, b))


def steps(state: State, images: np.ndarray, total: int) -> list[training.Progress]:
    return list(training.train(state, images, np.arange(len(images)) % 10, 20, total, 0, 40, FP32, 0))


def test_either_network_has_its_rate() -> None:
    state = start(lr=1e-4, lr_D=4e-4)
    assert [chosen.param_groups[0]["lr"] for chosen in (state.optimiser_G, state.optimiser_D)] == [1e-4, 4e-4]
    updates.set_rate(state, 0.5)
    assert [chosen.param_groups[0]["lr"] for chosen in (state.optimiser_G, state.optimiser_D)] == [0.5e-4, 2e-4]


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("d_steps", [1, 3])
def test_D_has_so_many_updates_for_each_of_G(name: str, d_steps: int) -> None:
    state = start(name, d_steps=d_steps)
    for turn in range(3 * d_steps + (3 if name == "guidelines-28" else 0)):
        found = updates.RULES[state.network.updates](state, batch_of(state, turn), turn, FP32)
        assert found.shape == (2,) and found.isfinite().all()
    done = [next(iter(chosen.state.values()))["step"] for chosen in (state.optimiser_G, state.optimiser_D)]
    assert done == [3, 3 * d_steps]


def test_smoothed_labels_are_binary_cross_entropy_with_such_targets() -> None:
    real, fake = torch.randn(50, 1, generator=torch.Generator().manual_seed(0)).chunk(2)
    expected = (F.binary_cross_entropy_with_logits(real, torch.full_like(real, 0.9))
                + F.binary_cross_entropy_with_logits(fake, torch.zeros_like(fake)))
    torch.testing.assert_close(losses.loss_D(real, fake, 0.1), expected)
    assert torch.equal(losses.loss_D(real, fake, 0.0), losses.loss_D(real, fake))


@pytest.mark.parametrize("name", NETWORKS)
def test_smoothing_reaches_the_update_of_D(name: str) -> None:
    """Also where one backward pass serves both networks, whose G must not see it."""
    plain, smooth = start(name), start(name, label_smoothing=0.2)
    for turn in range(2):
        for state in (plain, smooth):
            updates.RULES[state.network.updates](state, batch_of(state), turn, FP32)
        if turn == 0 and plain.network.updates != "D then G":
            assert same(weights(plain.G), weights(smooth.G))
    assert not same(weights(plain.D), weights(smooth.D))


def test_flips_mirror_half_of_the_images_and_others_each_epoch(dataset: Dataset) -> None:
    state, n = start(flip=True), 200
    first, second = (training.flips(state.run, n, 0, epoch) for epoch in (0, 1))
    assert first is not None and second is not None
    assert 0.4 < first.mean() < 0.6 and 0.4 < (first == second).mean() < 0.6
    index = np.arange(20)
    plain, mirrored = (training.load(start(), dataset.train_images[:n], dataset.train_labels, index, 20, FP32, which)
                       for which in (None, first))
    expected = [x.flip(2) if flip else x for x, flip in zip(plain.real, first)]
    assert torch.equal(mirrored.real, torch.stack(expected))
    assert training.flips(start().run, n, 0, 0) is None


def test_the_average_follows_G_and_leaves_it_as_it_was(dataset: Dataset) -> None:
    images = dataset.train_images[:100]
    plain, averaged = start(), start(ema=0.99)
    expected, decay = weights(averaged.G), []
    assert steps(plain, images, 200) == steps(averaged, images, 200)
    assert same(weights(plain.G), weights(averaged.G)) and averaged.average is not None
    again = start(ema=0.99)
    rule = updates.RULES["simultaneous"]
    for turn in range(10):
        rule(again, batch_of(again, turn), turn, FP32)
        decay.append(min(0.99, (1 + turn) / (10 + turn)))
        updates.follow(again.average, again.G, 0.99, turn)
        expected = [old * decay[-1] + new * (1 - decay[-1]) for old, new in zip(expected, weights(again.G))]
    for ours, theirs in zip(weights(again.average), expected):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("options", [{"ema": 0.9}, {"flip": True}, {"d_steps": 2, "label_smoothing": 0.1},
                                     {"lr_G": 1e-4, "lr_D": 4e-4}])
def test_a_training_with_options_resumes_exactly(dataset: Dataset, options: dict[str, Any]) -> None:
    images = dataset.train_images[:100]
    full, begun, resumed = (start(**options) for _ in range(3))
    progress = steps(full, images, 200)
    for _, _ in zip(range(2), training.train(begun, images, np.arange(100) % 10, 20, 200, 0, 40, FP32, 0)):
        pass
    for part in ("G", "D", "optimiser_G", "optimiser_D", *(["average"] if begun.average else [])):
        getattr(resumed, part).load_state_dict(deepcopy(getattr(begun, part).state_dict()))
    resumed.generator.set_state(begun.generator.get_state())
    resumed.images_seen = begun.images_seen
    assert steps(resumed, images, 200) == progress[2:]
    assert same(weights(full.G), weights(resumed.G)) and same(weights(full.D), weights(resumed.D))
    if full.average is not None and resumed.average is not None:
        assert same(weights(full.average), weights(resumed.average))
