"""The training loop: the textbook's update, exact resume, exact repetition, and what stops it."""
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from pipeline.data.images import Dataset
from pipeline.data.pixels import to_float
from pipeline.errors import DivergedError
from pipeline.gan import literature, training, updates
from pipeline.gan.devices import Device
from pipeline.gan.training import Progress
from pipeline.gan.updates import Batch, State
from pipeline.params.sections import Run
from tests.conftest import FP32

RUN = Run(batch=20, lr=2e-4, beta1=0.5, leak=0.2)
BF16 = Device(torch.device("cpu"), torch.bfloat16, fast=True)


def start(run: Run = RUN, device: Device = FP32, network: str = "slides") -> State:
    return training.start(literature.network(network), run, 0, device)


def train(state: State, images: np.ndarray, batch: int, total: int, seed: int, every: int, device: Device,
          decay: int = 0) -> Iterator[Progress]:
    return training.train(state, images, np.arange(len(images)) % 10, batch, total, seed, every, device, decay)


def weights(state: State) -> dict[str, torch.Tensor]:
    return {f"{name}.{key}": value.clone() for name in ("G", "D")
            for key, value in getattr(state, name).state_dict().items()}


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(a[key], b[key]) for key in a)


def test_a_step_is_the_textbook_simultaneous_update(dataset: Dataset) -> None:
    """Two separate backward passes through the same forward pass, then both optimisers, written out plainly."""
    real = to_float(torch.from_numpy(dataset.train_images[:13].copy()))
    z = torch.randn(20, 100, generator=torch.Generator().manual_seed(1))
    ours, plain = start(), start()
    for _ in range(2):
        found = updates.simultaneous(ours, Batch(real, None, z), 0, FP32)

        fake = plain.G(z)
        logits_real, logits_fake = plain.D(torch.cat([real, fake])).split([13, 20])  # one dropout mask, as there
        bce = F.binary_cross_entropy_with_logits
        loss_D = bce(logits_real, torch.ones(13, 1)) + bce(logits_fake, torch.zeros(20, 1))
        loss_G = bce(logits_fake, torch.ones(20, 1))
        gradients_D = torch.autograd.grad(loss_D, list(plain.D.parameters()), retain_graph=True)
        gradients_G = torch.autograd.grad(loss_G, list(plain.G.parameters()))
        for net, gradients, adam in ((plain.D, gradients_D, plain.optimiser_D),
                                     (plain.G, gradients_G, plain.optimiser_G)):
            for parameter, gradient in zip(net.parameters(), gradients):
                parameter.grad = torch.empty_like(parameter).copy_(gradient)  # fused Adam wants equal strides
            adam.step()

        torch.testing.assert_close(found, torch.stack([loss_D, loss_G]).detach(), rtol=1e-4, atol=0)
        for name in ("G", "D"):
            for parameter, expected in zip(getattr(ours, name).parameters(), getattr(plain, name).parameters()):
                assert parameter.grad.stride() == parameter.stride()
                error = (parameter.grad - expected.grad).norm() / expected.grad.norm()
                assert error < 1e-3, (name, parameter.shape, error)
                # A gradient that is zero up to rounding may move its weight by the whole rate, either way.
                moved_apart = ((parameter - expected).abs() > 1e-2 * RUN.lr).double().mean()
                assert moved_apart < 1e-2, (name, parameter.shape, moved_apart)


def test_adam_is_keras_adam() -> None:
    for adam in (start().optimiser_G, start().optimiser_D):
        assert adam.defaults["betas"] == (0.5, 0.999) and adam.defaults["eps"] == 1e-7 and adam.defaults["lr"] == 2e-4


@pytest.mark.slow
@pytest.mark.parametrize("device", [FP32, BF16], ids=["fp32", "bf16"])
def test_a_training_repeats_itself_bit_by_bit_and_resumes_exactly(dataset: Dataset, device: Device) -> None:
    images = dataset.train_images[:110]  # batches of 20: the last of an epoch has 10 real images
    full = start(device=device)
    progress = list(train(full, images, 20, 220, 0, 40, device))
    assert [p.images_seen for p in progress] == [40, 80, 110, 130, 170, 210, 220]
    assert [p.epoch_ended for p in progress] == [False, False, True, False, False, False, True]

    again = start(device=device)
    assert list(train(again, images, 20, 220, 0, 40, device)) == progress
    assert same(weights(full), weights(again))

    for stop in (2, 3, 5):
        from_disk = start(device=device)
        begun = start(device=device)
        for _, first in zip(range(stop), train(begun, images, 20, 220, 0, 40, device)):
            assert first in progress
        copy_state(begun, from_disk)
        assert list(train(from_disk, images, 20, 220, 0, 40, device)) == progress[stop:]
        assert same(weights(full), weights(from_disk))


def copy_state(source: State, target: State) -> None:
    for name in ("G", "D", "optimiser_G", "optimiser_D"):
        getattr(target, name).load_state_dict(getattr(source, name).state_dict())
    target.generator.set_state(source.generator.get_state())
    target.images_seen = source.images_seen


def test_every_image_is_seen_once_an_epoch_in_another_order(dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[float] = []
    turns: list[int] = []

    def step(state: State, batch: Batch, turn: int, device: Device) -> torch.Tensor:
        assert len(batch.z) == 20 and batch.real.min() >= -1 and batch.real.max() <= 1
        seen.extend(batch.real[:, 0, 0, 0].tolist())
        turns.append(turn)
        return torch.zeros(2)

    monkeypatch.setitem(updates.RULES, "simultaneous", step)
    images = np.zeros((110, 1, 28, 28), np.uint8)
    images[:, 0, 0, 0] = np.arange(110)
    list(train(start(), images, 20, 220, 0, 1000, FP32))
    first, second = ([round((value + 1) * 127.5) for value in part] for part in (seen[:110], seen[110:]))
    assert sorted(first) == sorted(second) == list(range(110)) and first != second
    assert turns == list(range(12))  # epochs of 6 batches


def test_a_budget_ends_a_training_in_the_middle_of_an_epoch(dataset: Dataset) -> None:
    """Whatever the batch size: equal budgets are equal numbers of images."""
    for batch, points in ((20, [60, 120, 150]), (32, [64, 128, 150])):
        progress = list(train(start(), dataset.train_images[:1000], batch, 150, 0, 60, FP32))
        assert [p.images_seen for p in progress] == points and not any(p.epoch_ended for p in progress)


def test_a_loss_that_is_not_finite_stops_the_training(dataset: Dataset) -> None:
    state = start()
    with torch.no_grad():
        state.G[0].weight[0, 0] = float("nan")
    with pytest.raises(DivergedError, match="left the finite numbers before image 20"):
        list(train(state, dataset.train_images[:40], 20, 40, 0, 20, FP32))


@pytest.mark.slow
def test_D_learns_to_tell_real_from_fake_and_G_to_fool_it(dataset: Dataset) -> None:
    """With G at rest D's loss falls far below blindness; against a D at rest, G's loss falls."""
    images = dataset.train_images[:400]
    state = start(Run(batch=50, lr=1e-3, beta1=0.5, leak=0.2))
    state.optimiser_G.param_groups[0]["lr"] = 0.0
    progress = list(train(state, images, 50, 1200, 0, 100, FP32))
    assert progress[-1].loss_D < 0.1 < 1.0 < progress[0].loss_D + 0.5
    G_before = progress[-1].loss_G
    state.optimiser_G.param_groups[0]["lr"], state.optimiser_D.param_groups[0]["lr"] = 1e-3, 0.0
    progress = list(train(state, images, 50, 2400, 0, 100, FP32))
    assert progress[-1].loss_G < G_before / 4


def test_mini_batches_of_resident_images_are_those_of_a_file(dataset: Dataset) -> None:
    """As on a GPU that holds all of them."""
    index = np.array([3, 1, 4, 1, 5])
    found = [training.load(start(), source, dataset.train_labels, index, 20, FP32)
             for source in (dataset.train_images, torch.from_numpy(np.array(dataset.train_images)))]
    assert torch.equal(found[0].real, found[1].real) and torch.equal(found[0].z, found[1].z)
    assert found[0].real.shape == (5, 1, 28, 28)
    assert training.resident(dataset.train_images, FP32) is dataset.train_images
