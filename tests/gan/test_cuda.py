"""What runs on a GPU, run under fake tensors: a tensor that stays on the CPU is found without a GPU.

Fake tensors have a device and a shape and no values. Whoever asks for values gets zeros. The engine of backward passes
needs a driver, so that only which leaves have gradients is computed.
"""
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode, unset_fake_temporarily

from pipeline.data.images import Dataset
from pipeline.gan import build, literature, sampling, training
from pipeline.gan.devices import Device
from pipeline.gan.networks import Network
from pipeline.gan.updates import State
from pipeline.params.sections import Run, Sampling
from pipeline.scores import discriminator, probe, supervised

pytestmark = pytest.mark.filterwarnings("ignore:Accessing the data pointer")
CUDA, N, BATCH = torch.device("cuda:0"), 20, 8


class Generator(torch.Generator):
    """One of the CPU that says it is the GPU's, where that is asked for."""
    said = torch.device("cpu")

    def __new__(cls, device: Any = "cpu") -> "Generator":
        made = super().__new__(cls)
        made.said = CUDA if torch.device(device).type == "cuda" else torch.device("cpu")
        return made

    @property
    def device(self) -> torch.device:  # type: ignore[override]
        return self.said


def leaves(node: Any, seen: set[Any]) -> Iterator[Tensor]:
    """The leaves that a gradient reaches."""
    if node is not None and node not in seen:
        seen.add(node)
        if hasattr(node, "variable"):
            yield node.variable
        for after, _ in node.next_functions:
            yield from leaves(after, seen)


def backward(self: Tensor, gradient: Tensor | None = None, retain_graph: bool = False, create_graph: bool = False,
             inputs: Any = None) -> None:
    """In the place of Tensor.backward."""
    if gradient is not None:
        assert (gradient.device, gradient.shape) == (self.device, self.shape)
    for leaf in leaves(self.grad_fn, set()):
        if inputs is None or any(leaf is one for one in inputs):
            leaf.grad = torch.empty_like(leaf)


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Everything inside the test that has a device `cuda` is fake."""
    def outside(build: Callable[..., Any]) -> Callable[..., Any]:
        def built(*words: Any) -> Any:
            with unset_fake_temporarily():  # weights are drawn on the CPU
                return build(*words)
        return built

    monkeypatch.setattr(training, "build", outside(build.build))
    monkeypatch.setattr(supervised, "classifier", outside(build.classifier))
    monkeypatch.setattr(torch, "Generator", Generator)
    monkeypatch.setattr(Tensor, "backward", backward)
    monkeypatch.setattr(Tensor, "__bool__", lambda self: True)
    monkeypatch.setattr(Tensor, "__int__", lambda self: 0)
    monkeypatch.setattr(Tensor, "__float__", lambda self: 1.0)
    monkeypatch.setattr(Tensor, "numpy", lambda self: np.zeros(self.shape, np.float32))
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (1 << 40, 1 << 40))
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: True)
    monkeypatch.setattr(torch.cuda.amp.common, "amp_definitely_not_available", lambda: False)
    with FakeTensorMode(allow_non_fake_inputs=True):
        yield


@pytest.fixture(params=[torch.float32, torch.bfloat16], ids=["fp32", "bf16"])
def device(request: pytest.FixtureRequest) -> Device:
    return Device(CUDA, request.param, fast=True)


def trained(network: Network, device: Device, monkeypatch: pytest.MonkeyPatch, **more: Any) -> State:
    """A state that was trained for two epochs, and told its losses."""
    told: list[Tensor] = []
    monkeypatch.setattr(training, "progress", lambda seen, ended, mean: told.append(mean))
    state = training.start(network, Run(batch=BATCH, lr=1e-3, beta1=0.5, leak=0.2, **more), 0, device)
    images, labels = np.zeros((N, *network.image), np.uint8), np.arange(N) % 10
    assert len([*training.train(state, images, labels, BATCH, 2 * N, 0, 10**9, device, 1)]) == 2
    assert {mean.device for mean in told} == {CUDA}
    return state


@pytest.mark.parametrize("name", literature.NETWORKS)
def test_every_network_trains_and_generates(gpu: None, name: str, device: Device,
                                            monkeypatch: pytest.MonkeyPatch) -> None:
    network = literature.network(name, 0.25)
    for more in ({}, {"ema": 0.9, "d_steps": 2, "flip": True, "label_smoothing": 0.1}):
        state = trained(network, device, monkeypatch, **more)
        assert {one.device for net in (state.G, state.D) for one in net.state_dict().values()} == {CUDA}
        with sampling.evaluating(state.average or state.G, network, Sampling(statistics_images=500), device) as G:
            z = sampling.prior(network, 300, torch.Generator().manual_seed(0))
            assert sampling.sample(G, network, z, device).shape == (300, *network.image)


@pytest.mark.parametrize("name", ["udacity-svhn", "paper-mnist"])
def test_discriminators_are_scored(gpu: None, name: str, device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    network = literature.network(name, 0.25)
    D = trained(network, device, monkeypatch).D
    images, labels = np.zeros((300, *network.image), np.uint8), np.arange(300) % 10
    channels = sum(module.out_channels for module in D if isinstance(module, torch.nn.Conv2d))
    assert [found.shape for found in probe.features(D, network, (images, images[:9]), device)] == [
        (300, 16 * channels), (9, 16 * channels)]
    with probe.settled(D, network, images, device):
        discriminator._real(D, network, images, labels, device)


def test_large_data_stay_on_the_cpu_and_their_batches_are_sent(gpu: None, device: Device,
                                                               monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (0, 0))
    pinned: list[int] = []

    def pin_memory(self: Tensor) -> Tensor:
        assert self.device.type == "cpu"
        pinned.append(len(self))
        return self

    monkeypatch.setattr(Tensor, "pin_memory", pin_memory)
    trained(literature.network("paper-mnist", 0.25), device, monkeypatch, flip=True)
    assert pinned == 2 * [8, 8, 4]


def test_a_network_that_stays_on_the_cpu_is_found(gpu: None, device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    state = trained(literature.network("slides", 0.25), device, monkeypatch)
    with unset_fake_temporarily():
        state.D = build.build(literature.network("slides", 0.25), 0.2, torch.Generator())[1]
    with pytest.raises(RuntimeError, match="to be on the same device"):
        list(training.train(state, np.zeros((N, 1, 28, 28), np.uint8), np.zeros(N), BATCH, 4 * N, 0, 10**9, device, 0))


def test_the_supervised_control_runs_there(gpu: None, device: Device, dataset: Dataset) -> None:
    lesson = supervised.Lesson(literature.network("slides", 0.25), 0.2, 10, 0, device)
    some = supervised.Examples(dataset.train_images[:80], dataset.train_labels[:80])
    assert len([*lesson.accuracies(some, some, 1e-3, [1, 3])]) == 2
