"""The three orders of updates, each against its plain formulation; conditional batches; the falling learning rate."""
from collections.abc import Callable
from copy import deepcopy

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from pipeline.data.images import Dataset
from pipeline.errors import InputError
from pipeline.gan import literature, training, updates
from pipeline.gan.fast import winograd
from pipeline.gan.layers import Dropout
from pipeline.gan.updates import Batch, State
from pipeline.params.sections import Run
from tests.conftest import FP32, PLAIN

RUN = Run(batch=20, lr=2e-4, beta1=0.5, leak=0.2)
bce = F.binary_cross_entropy_with_logits


def start(name: str = "guidelines-28", width: float = 0.25) -> State:
    return training.start(literature.network(name, width), RUN, 0, FP32)


def doubled(state: State, batch: Batch) -> Batch:
    """`batch` and the networks of `state` in float64, where Adam has less rounding to turn into whole steps."""
    state.G.double(), state.D.double()
    return Batch(batch.real.double(), None if batch.y is None else batch.y.double(), batch.z.double())


def batch_of(state: State, count: int = 12) -> Batch:
    generator = torch.Generator().manual_seed(1)
    network = state.network
    y = torch.eye(network.classes)[torch.arange(count) % 7] if network.classes else None
    real = torch.rand(count, *network.image, generator=generator)
    return Batch(real, y, torch.rand(count, network.z_dim, generator=generator) * 2 - 1)


def learn(state: State, name: str, loss: Tensor) -> None:
    """One step of one network on `loss`, and of nothing else."""
    net, optimiser = getattr(state, name), getattr(state, f"optimiser_{name}")
    for parameter, gradient in zip(net.parameters(), torch.autograd.grad(loss, list(net.parameters()))):
        parameter.grad = torch.empty_like(parameter).copy_(gradient)
    optimiser.step()


def logits(state: State, batch: Batch, fake: Tensor) -> tuple[Tensor, Tensor]:
    return state.D(batch.real, batch.y), state.D(fake, batch.y)


def loss_of_D(real: Tensor, fake: Tensor) -> Tensor:
    return bce(real, torch.ones_like(real)) + bce(fake, torch.zeros_like(fake))


def loss_of_G(fake: Tensor) -> Tensor:
    return bce(fake, torch.ones_like(fake))


def plain_simultaneous(state: State, batch: Batch, turn: int) -> list[Tensor]:
    fake = state.G(batch.z, batch.y)
    found = logits(state, batch, fake)
    loss_D, loss_G = loss_of_D(*found), loss_of_G(found[1])
    gradients = [torch.autograd.grad(loss, list(net.parameters()), retain_graph=True)
                 for loss, net in ((loss_D, state.D), (loss_G, state.G))]
    for net, values, optimiser in zip((state.D, state.G), gradients, (state.optimiser_D, state.optimiser_G)):
        for parameter, gradient in zip(net.parameters(), values):
            parameter.grad = torch.empty_like(parameter).copy_(gradient)
        optimiser.step()
    return [loss_D, loss_G]


def plain_D_then_G(state: State, batch: Batch, turn: int) -> list[Tensor]:
    """PyTorch's example: the loss of G is that of the new D."""
    fake = state.G(batch.z, batch.y)
    loss_D = loss_of_D(*logits(state, batch, fake.detach()))
    learn(state, "D", loss_D)
    loss_G = loss_of_G(state.D(fake, batch.y))
    learn(state, "G", loss_G)
    return [loss_D, loss_G]


def plain_in_turns(state: State, batch: Batch, turn: int) -> list[Tensor]:
    """Newmu: n_updates % 2 == 0 trains G, else D."""
    fake = state.G(batch.z, batch.y)
    found = logits(state, batch, fake)
    losses = [loss_of_D(*found), loss_of_G(found[1])]
    learn(state, "D" if turn % 2 else "G", losses[turn % 2 == 0])
    return losses


@pytest.mark.parametrize("name", ["guidelines-28", "paper-mnist", "udacity-svhn"])
@pytest.mark.parametrize(("rule", "plain"), [
    ("simultaneous", plain_simultaneous), ("D then G", plain_D_then_G), ("alternating", plain_in_turns)])
def test_an_update_is_the_plain_one(rule: str, plain: Callable[[State, Batch, int], list[Tensor]], name: str) -> None:
    """Losses and all weights, over three turns, with batch norm in D and with labels."""
    ours, theirs = start(name), start(name)
    for turn in range(3):
        batch = doubled(theirs, doubled(ours, batch_of(ours)))
        found = updates.RULES[rule](ours, batch, turn, FP32)
        expected = torch.stack(plain(theirs, batch, turn)).detach()
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=0, check_dtype=False)
    for net in ("G", "D"):
        for (key, a), b in zip(getattr(ours, net).named_parameters(), getattr(theirs, net).parameters()):
            if key.endswith("bias") and b.grad.norm() < 1e-5:
                continue  # a bias before batch norm: its gradient is rounding alone
            apart = ((a - b).abs() > 0.05 * RUN.lr).double().mean()  # Adam turns rounding into whole steps at 0
            assert apart < 0.02, (net, key, apart)


def test_in_turns_one_network_rests() -> None:
    state = start()
    for turn, (moves, rests) in enumerate([("G", "D"), ("D", "G"), ("G", "D")]):
        before = {net: [p.clone() for p in getattr(state, net).parameters()] for net in ("G", "D")}
        updates.alternating(state, batch_of(state), turn, FP32)
        assert all(torch.equal(a, b) for a, b in zip(before[rests], getattr(state, rests).parameters()))
        assert not any(torch.equal(a, b) for a, b in zip(before[moves], getattr(state, moves).parameters()))


@pytest.mark.parametrize(("name", "decay"), [("guidelines-28", 0), ("paper-mnist", 2)])
def test_turns_rates_and_labels_go_on_after_a_stop(dataset: Dataset, name: str, decay: int) -> None:
    """Three batches an epoch: the second epoch begins with D's turn, and so it does when it is resumed there."""
    images, labels = dataset.train_images[:50], dataset.train_labels
    full = start(name)
    steps = training.train(full, images, labels, 20, 100, 0, 1000, FP32, decay)
    next(steps)
    resumed = start(name)
    for part in ("G", "D", "optimiser_G", "optimiser_D"):
        getattr(resumed, part).load_state_dict(deepcopy(getattr(full, part).state_dict()))
    resumed.generator.set_state(full.generator.get_state())
    resumed.images_seen = full.images_seen
    list(steps)
    list(training.train(resumed, images, labels, 20, 100, 0, 1000, FP32, decay))
    for net in ("G", "D"):
        pairs = zip(getattr(full, net).parameters(), getattr(resumed, net).parameters())
        assert all(torch.equal(a, b) for a, b in pairs)
    first = next(iter(full.optimiser_G.state.values()))["step"], next(iter(full.optimiser_D.state.values()))["step"]
    assert first == (3, 3)


def test_a_conditional_training_gives_both_networks_the_labels_of_the_real_images(
        dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[np.ndarray, Tensor, int]] = []

    def step(state: State, batch: Batch, turn: int, device: object) -> Tensor:
        assert batch.y is not None
        seen.append(((batch.real[:, 0, 0, 0] * 255).round().numpy(), batch.y.argmax(1), len(batch.z)))
        return torch.zeros(2)

    monkeypatch.setitem(updates.RULES, "alternating", step)
    images, labels = np.zeros((50, 1, 28, 28), np.uint8), np.arange(50) % 10
    images[:, 0, 0, 0] = np.arange(50)
    list(training.train(start("paper-mnist"), images, labels, 20, 50, 0, 1000, FP32, 0))
    assert [count for _, _, count in seen] == [20, 20, 10]
    for which, y, _ in seen:
        assert (which.astype(int) % 10 == y.numpy()).all()


def test_the_learning_rate_falls_over_the_last_epochs(dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    """Newmu's schedule: full, ..., full, then equal steps; the last epoch has one step left."""
    rates = []

    def step(state: State, batch: Batch, turn: int, device: object) -> Tensor:
        rates.append([group["lr"] for chosen in (state.optimiser_G, state.optimiser_D)
                      for group in chosen.param_groups])
        return torch.zeros(2)

    monkeypatch.setitem(updates.RULES, "alternating", step)
    list(training.train(start(), dataset.train_images[:20], dataset.train_labels, 20, 100, 0, 1000, FP32, decay=4))
    assert rates == [[pytest.approx(2e-4 * factor)] * 2 for factor in (1, 1, 0.75, 0.5, 0.25)]


def test_weight_decay_is_added_to_the_gradient() -> None:
    """L2 as in Newmu's code: a weight without a gradient of its own moves by Adam's first whole step, towards 0."""
    state = start()
    for parameter in state.G.parameters():
        parameter.grad = torch.zeros_like(parameter)
    before = state.G[0].weight.clone()
    state.optimiser_G.step()
    moved = state.G[0].weight - before
    big = before.abs() > 0.01  # 2.5e-5 of it is far above Adam's epsilon
    torch.testing.assert_close(moved[big], -2e-4 * before.sign()[big], rtol=0.05, atol=0)


def test_a_single_image_that_batch_norm_would_see_alone_is_refused(dataset: Dataset) -> None:
    state = start("paper-mnist")
    with pytest.raises(InputError, match="batches of 20 leave a last one of a single image out of 41"):
        next(training.train(state, dataset.train_images[:41], dataset.train_labels, 20, 41, 0, 1000, FP32, 0))


@pytest.mark.parametrize("name", ["slides", "guidelines-28", "paper-mnist", "udacity-svhn"])
def test_one_pass_over_real_and_fake_says_what_two_say(name: str) -> None:
    """Batch norm sees them apart and remembers the same averages."""
    state, other = start(name), start(name)
    batch = batch_of(state)
    fake = torch.rand(len(batch.real) if state.network.classes else 7, *state.network.image,
                      generator=torch.Generator().manual_seed(2))
    for module in [*state.D, *other.D]:
        module.train(not isinstance(module, Dropout))
    found = [*updates.together(state.D, batch, fake), *state.D.buffers()]
    for ours, expected in zip(found, [*logits(other, batch, fake), *other.D.buffers()], strict=True):
        torch.testing.assert_close(ours, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", ["slides", "guidelines-28", "paper-mnist", "udacity-svhn", "torch-64"])
def test_the_fast_way_is_the_plain_way(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every rule and network: the same losses and gradients of both networks in float64, without dropout."""
    monkeypatch.setattr(winograd, "PRECISIONS", (torch.float64,))
    monkeypatch.setattr(winograd, "CHANNELS", 8)
    results = []
    for device in (FP32, PLAIN):
        state = start(name)
        batch = doubled(state, batch_of(state))
        for module in state.D:
            module.train(not isinstance(module, Dropout))
        losses = [updates.RULES[state.network.updates](state, batch, turn, device) for turn in range(2)]
        results.append([*losses, *(p.grad for net in (state.G, state.D) for p in net.parameters())])
    for ours, plain in zip(*results):
        torch.testing.assert_close(ours, plain, rtol=1e-5, atol=1e-9 + 1e-6 * plain.abs().max().item())
