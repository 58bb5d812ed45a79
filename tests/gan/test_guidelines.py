"""Guidelines: each violation changes what it says and nothing else, and the broken networks still train."""
import pytest
import torch
from torch import nn

from pipeline.data.images import Dataset
from pipeline.gan import guidelines, literature, sampling, training
from pipeline.gan.build import build
from pipeline.gan.networks import Network
from pipeline.params.sections import Run, Sampling
from pipeline.scores import frechet, probe
from tests.conftest import FP32
from tests.gan.test_literature import check_gradients

BASE = literature.network("guidelines-28")
G_COUNT, D_COUNT = 846_272, 212_928
NORM_G, NORM_D = 2 * 6272 + 2 * 64, 2 * 128  # scales and shifts
BIAS_G, BIAS_D = 6272 + 64, 128
HIDDEN_G = 100 * 1024 + 2 * 1024 + (1024 - 100) * 6272
HIDDEN_D = 6272 * 1024 + 2 * 1024 + (1024 - 6272)


def parts(network: Network) -> tuple[list[type], list[type]]:
    return tuple([type(layer) for layer in layers] for layers in (network.generator, network.discriminator))


@pytest.mark.parametrize(("name", "counts"), {
    "pooling": (G_COUNT, D_COUNT), "no_batch_norm_G": (G_COUNT - NORM_G + BIAS_G, D_COUNT),
    "no_batch_norm_D": (G_COUNT, D_COUNT - NORM_D + BIAS_D),
    "no_batch_norm": (G_COUNT - NORM_G + BIAS_G, D_COUNT - NORM_D + BIAS_D),
    "batch_norm_everywhere": (G_COUNT + 2, D_COUNT + 2 * 64),
    "hidden_dense": (G_COUNT + HIDDEN_G, D_COUNT + HIDDEN_D), "relu_D": (G_COUNT, D_COUNT),
    "leaky_relu_G": (G_COUNT, D_COUNT), "sigmoid": (G_COUNT, D_COUNT), "nearest": (G_COUNT, D_COUNT),
    "normal_z": (G_COUNT, D_COUNT), "sgd": (G_COUNT, D_COUNT)}.items())
def test_a_broken_guideline(name: str, counts: tuple[int, int], dataset: Dataset) -> None:
    """Its parameter counts, a gradient for every weight, a few steps of training, images and features to score."""
    network = literature.network("guidelines-28", violate=[name])
    G, D = build(network, 0.2, torch.Generator().manual_seed(0))
    assert (sum(p.numel() for p in G.parameters()), sum(p.numel() for p in D.parameters())) == counts
    check_gradients(network, G, D)
    run = Run(batch=20, lr=2e-4, beta1=0.5, leak=0.2)
    state = training.start(network, run, 0, FP32)
    before = [p.clone() for net in (state.G, state.D) for p in net.parameters()]
    list(training.train(state, dataset.train_images[:40], dataset.train_labels, 20, 40, 0, 20, FP32, 0))
    after = [p for net in (state.G, state.D) for p in net.parameters()]
    assert all(not torch.equal(a, b) for a, b in zip(before, after))

    z = sampling.prior(network, 50, torch.Generator().manual_seed(1))
    with sampling.evaluating(state.G, network, Sampling(batch_norm="recomputed", statistics_images=50), FP32) as G:
        images = sampling.sample(G, network, z, FP32)
    assert images.shape == (50, 1, 28, 28) and images.std() > 0
    fakes, reals = (probe.features(state.D, network, (part,), FP32)[0] for part in (images, dataset.test_images))
    assert fakes.shape == (50, 16 * (64 + 128))
    assert frechet.distance(frechet.moments(torch.from_numpy(fakes[:, :200])),
                            frechet.moments(torch.from_numpy(reals[:, :200]))) > 0


def test_every_guideline_has_its_row_above() -> None:
    assert len(guidelines.VIOLATIONS) == 12
    for name in guidelines.VIOLATIONS:
        assert literature.network("guidelines-28", violate=[name]) != BASE


def test_what_each_violation_changes() -> None:
    def modules(name: str) -> tuple[nn.Sequential, nn.Sequential]:
        return build(literature.network("guidelines-28", violate=[name]), 0.2, torch.Generator())

    _, D = modules("pooling")
    assert [module.stride for module in D if isinstance(module, nn.Conv2d)] == [(1, 1), (1, 1)]
    assert [type(after) for before, after in zip(D, D[1:]) if isinstance(before, nn.LeakyReLU)] == [nn.MaxPool2d] * 2
    for name, absent in (("no_batch_norm_G", (True, False)), ("no_batch_norm_D", (False, True)),
                         ("no_batch_norm", (True, True))):
        assert tuple(not any("BatchNorm" in type(module).__name__ for module in net) for net in modules(name)) == absent
    (*_, G_norm, G_end), (_, D_norm, *_) = modules("batch_norm_everywhere")
    assert [type(module).__name__ for module in (G_norm, G_end, D_norm)] == ["BatchNorm2d", "Tanh", "BatchNorm2d"]
    _, D = modules("relu_D")
    assert not any(isinstance(module, nn.LeakyReLU) for module in D) and sum(isinstance(m, nn.ReLU) for m in D) == 2
    G, D = modules("leaky_relu_G")
    assert not any(isinstance(module, nn.ReLU) for module in G) and sum(isinstance(m, nn.LeakyReLU) for m in G) == 2
    G, _ = modules("sigmoid")
    assert isinstance(G[-1], nn.Sigmoid) and literature.network("guidelines-28", violate=["sigmoid"]).low == 0
    G, _ = modules("nearest")
    assert not any(isinstance(module, nn.ConvTranspose2d) for module in G)
    assert sum(isinstance(module, nn.Upsample) for module in G) == 2
    state = training.start(literature.network("guidelines-28", violate=["sgd"]),
                           Run(batch=20, lr=0.02, beta1=0.5, leak=0.2), 0, FP32)
    for optimiser in (state.optimiser_G, state.optimiser_D):
        assert isinstance(optimiser, torch.optim.SGD)
        assert optimiser.defaults["momentum"] == 0.5 and optimiser.defaults["lr"] == 0.02
        assert optimiser.defaults["weight_decay"] == 2.5e-5  # as the baseline's
    assert (BASE.prior, literature.network("guidelines-28", violate=["normal_z"]).prior) == ("uniform", "normal")


def test_violations_combine_and_apply_to_other_networks() -> None:
    for name in ("paper-64", "torch-64", "paper-imagenet32", "udacity-svhn"):
        network = literature.network(name, 0.125, ["pooling", "no_batch_norm", "sigmoid", "nearest", "sgd"])
        check_gradients(network, *build(network, 0.2, torch.Generator().manual_seed(0)))
