"""The networks are those of the sources: counts, initialisation, normalisation, activations, training."""
import pytest
import torch
from torch import nn

from pipeline.errors import InputError
from pipeline.gan import literature
from pipeline.gan.build import Stack, build
from pipeline.gan.networks import Adam, BatchNorm, Conv, ConvTranspose, Dense, Dropout, LeakyReLU, Network, ReLU

SLIDES = literature.network("slides")
# Trainable numbers of G and D: printed by the sources where they print them, else counted by hand from their code.
COUNTS = {
    "slides": (2_305_472, 212_865), "article-cifar10": (5_207_872, 3_287_681), "udacity-svhn": (4_935_171, 1_034_113),
    "paper-64": (18_885_760, 17_232_768), "torch-64": (3_576_704, 2_765_568),
    "paper-mnist": (110 * 1024 + 1034 * 6272 + 138 * 64 * 25 + 74 * 25,
                    11 * 64 * 25 + 74 * 128 * 25 + 6282 * 1024 + 1034),
    "paper-svhn": (1_446_976, 1_033_664),  # those of the authors' own arrays
    "paper-imagenet32": (256 * 8192 + 2 * 8192 + 2 * (512 + 256 + 256 + 128 + 128)
                         + 9 * (512 * 512 + 512 * 256 + 256 * 256 + 256 * 128 + 128 * 128 + 128 * 3),
                         9 * (3 * 128 + 128 * 128 + 128 * 256 + 256 * 256 + 256 * 512 + 512 * 512)
                         + 2 * (128 + 256 + 256 + 512 + 512) + 8192),
    "guidelines-28": (100 * 6272 + 2 * 6272 + 25 * (128 * 64 + 64) + 2 * 64, 25 * (64 + 64 * 128) + 2 * 128 + 6272),
}


@pytest.mark.parametrize("name", literature.NETWORKS)
def test_the_networks_have_their_sources_parameter_counts(name: str) -> None:
    nets = build(literature.network(name), 0.2, torch.Generator().manual_seed(0))
    assert tuple(sum(p.numel() for p in net.parameters()) for net in nets) == COUNTS[name]


@pytest.mark.parametrize("name", literature.NETWORKS)
def test_every_weight_of_every_network_gets_a_gradient(name: str) -> None:
    """From both losses, at a quarter of the width; images have the network's shape and range."""
    network = literature.network(name, 0.25)
    G, D = build(network, 0.2, torch.Generator().manual_seed(0))
    check_gradients(network, G, D)


def check_gradients(network: Network, G: Stack, D: Stack) -> None:
    z = torch.randn(4, network.z_dim, generator=torch.Generator().manual_seed(1))
    y = torch.eye(network.classes)[[3, 1, 4, 1]] if network.classes else None
    fake = G(z, y)
    assert fake.shape == (4, *network.image) and network.low <= fake.min() and fake.max() <= 1
    logits = D(fake, y)
    assert logits.shape == (4, 1)
    logits.square().sum().backward()
    for net in (G, D):
        for key, parameter in net.named_parameters():
            assert parameter.grad is not None and parameter.grad.abs().sum() > 0, key


def test_what_the_sources_fix_beside_the_counts() -> None:
    """No parameter count shows these, one row for each source: z, weights, updates, darkest pixel, classes, Adam's
    epsilon and weight decay; momentum, epsilon and scales of batch norm; paddings; activations of G and of D.
    """
    def row(net: Network) -> tuple[object, ...]:
        layers = net.generator + net.discriminator
        norms = {(layer.momentum, layer.epsilon, layer.affine) for layer in layers if isinstance(layer, BatchNorm)}
        paddings = {layer.padding for layer in layers if isinstance(layer, Conv | ConvTranspose)}
        hidden = [{type(layer).__name__ for layer in part if isinstance(layer, ReLU | LeakyReLU)}
                  for part in (net.generator, net.discriminator)]
        return (net.z_dim, net.prior, net.weights, net.updates, net.low, net.classes, net.optimiser, norms, paddings,
                *hidden)

    keras, paper = (0.99, 1e-3, True), (0.9, 1e-8, True)
    leaky, rectified = {"LeakyReLU"}, {"ReLU"}
    assert {name: row(net) for name, net in literature.NETWORKS.items()} == {
        "slides": (100, "normal", "glorot", "simultaneous", -1, 0, Adam(1e-7), {keras}, {"same"}, leaky, leaky),
        "article-cifar10": (
            128, "normal", "glorot", "simultaneous", -1, 0, Adam(1e-7), {keras}, {"same"}, leaky, leaky),
        "udacity-svhn": (100, "uniform", "glorot", "D then G", -1, 0, Adam(1e-8), {keras}, {"same"}, leaky, leaky),
        "paper-64": (
            100, "uniform", "normal", "alternating", -1, 0, Adam(1e-8, 1e-5), {paper}, {"half"}, rectified, leaky),
        "paper-mnist": (100, "uniform", "normal", "alternating", 0, 10, Adam(1e-8, 2.5e-5), {(0.9, 1e-8, False)},
                        {"half"}, rectified, leaky),
        "paper-svhn": (
            100, "normal", "normal", "alternating", -1, 0, Adam(1e-8, 1e-5), {paper}, {"half"}, rectified, leaky),
        "paper-imagenet32": (
            256, "uniform", "normal", "alternating", -1, 0, Adam(1e-8, 1e-5), {paper}, {"half"}, rectified, leaky),
        "torch-64": (100, "normal", "normal", "D then G", -1, 0, Adam(1e-8), {(0.9, 1e-5, True)}, {"half", "valid"},
                     rectified, leaky),
        "guidelines-28": (
            100, "uniform", "normal", "alternating", -1, 0, Adam(1e-8, 2.5e-5), {paper}, {"half"}, rectified, leaky),
    }
    dropped = {name: [layer.p for layer in net.discriminator if isinstance(layer, Dropout)]
               for name, net in literature.NETWORKS.items()}
    assert {name: p for name, p in dropped.items() if p} == {"slides": [0.3] * 2, "article-cifar10": [0.3] * 4}


def test_the_papers_imagenet_features_have_28672_dimensions() -> None:
    D = literature.NETWORKS["paper-imagenet32"].discriminator
    assert 16 * sum(layer.channels for layer in D if isinstance(layer, Conv)) == 28_672


def test_weights_are_normal_where_the_source_says_so() -> None:
    """N(0, .02), batch norm's scales N(1, .02), its shifts 0: three standard errors."""
    G, D = build(literature.network("paper-64"), 0.2, torch.Generator().manual_seed(0))
    for net in (G, D):
        for key, p in net.named_parameters():
            if key.endswith("bias"):
                assert not p.any()
            else:
                mean, sigma = (0.0 if p.dim() > 1 else 1.0), 0.02 / p.numel() ** 0.5
                assert p.mean().item() == pytest.approx(mean, abs=4 * sigma), key
                assert p.std().item() == pytest.approx(0.02, abs=4 * sigma), key
    again = build(literature.network("paper-64"), 0.2, torch.Generator().manual_seed(0))[0]
    assert all(torch.equal(a, b) for a, b in zip(G.state_dict().values(), again.state_dict().values()))


def test_width_scales_everything_but_the_ends() -> None:
    for name, network in literature.NETWORKS.items():
        half = literature.network(name, 0.5)
        for wide, narrow in ((network.generator, half.generator), (network.discriminator, half.discriminator)):
            sizes = [[layer.units if isinstance(layer, Dense) else layer.channels for layer in layers
                      if isinstance(layer, Dense | Conv | ConvTranspose)] for layers in (wide, narrow)]
            assert sizes[1] == [size // 2 for size in sizes[0][:-1]] + sizes[0][-1:], name
        assert (half.image, half.z_dim) == (network.image, network.z_dim)
    G, D = build(literature.network("slides", 0.3), 0.2, torch.Generator())  # 76.8 channels are 77
    assert [module.out_channels for module in G if isinstance(module, nn.ConvTranspose2d)] == [38, 19, 1]
    assert G[0].out_features == 77 * 49


def test_an_unknown_network_or_guideline_is_refused_with_the_nearest() -> None:
    with pytest.raises(InputError, match="no network 'udacity-svnh' .did you mean 'udacity-svhn'..; there are slide"):
        literature.network("udacity-svnh")
    with pytest.raises(InputError, match="no guideline 'poling' .did you mean 'pooling'..; there are pooling, "):
        literature.network("guidelines-28", violate=["poling"])
    with pytest.raises(InputError, match="'no_batch_norm_D' changes nothing in slides, which does not keep that"):
        literature.network("slides", violate=["no_batch_norm_D"])


def networks(leak: float = 0.3, seed: int = 0) -> tuple[nn.Sequential, nn.Sequential]:
    return build(SLIDES, leak, torch.Generator().manual_seed(seed))


def test_the_slides_networks_have_the_slides_parameter_counts() -> None:
    G, D = networks()
    assert sum(p.numel() for p in G.parameters()) == 2_305_472
    with_statistics = [value for key, value in G.state_dict().items() if "num_batches" not in key]
    assert sum(value.numel() for value in with_statistics) == 2_330_944  # what Keras' summary() prints
    assert sum(p.numel() for p in D.parameters()) == 212_865


def test_the_generators_shapes_are_those_of_the_slides() -> None:
    G, D = networks()
    shapes, x = [], torch.randn(2, 100)
    for module in G:
        x = module(x)
        if not isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d, nn.LeakyReLU)):
            shapes.append(tuple(x.shape[1:]))
    assert shapes == [(12544,), (256, 7, 7), (128, 7, 7), (64, 14, 14), (1, 28, 28), (1, 28, 28)]
    assert x.abs().max() <= 1
    assert D(x).shape == (2, 1)


def test_keras_defaults_are_ported() -> None:
    G, D = networks(leak=0.3)
    norms = [module for module in G if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d))]
    assert [norm.num_features for norm in norms] == [12544, 128, 64]
    assert all(norm.eps == 1e-3 and norm.momentum == pytest.approx(0.01) for norm in norms)
    assert not any(isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)) for module in D)
    assert all(p.abs().max() == 0 for name, p in D.named_parameters() if name.endswith("bias"))
    slopes = [module.negative_slope for net in (G, D) for module in net if isinstance(module, nn.LeakyReLU)]
    assert slopes == [0.3] * 5


@pytest.mark.parametrize(("net", "layer", "fan"), [
    (0, 0, 100 + 12544), (0, 4, 25 * (256 + 128)), (0, 7, 25 * (128 + 64)), (0, 10, 25 * (64 + 1)),
    (1, 0, 25 * (1 + 64)), (1, 3, 25 * (64 + 128)), (1, 7, 6272 + 1)])
def test_weights_are_glorot_uniform(net: int, layer: int, fan: int) -> None:
    """U(-a, a) with a = sqrt(6 / (fan_in + fan_out)): the bound is all but reached, the variance is a^2 / 3."""
    weight = networks()[net][layer].weight
    a = (6 / fan) ** 0.5
    assert 0.99 * a < weight.abs().max() <= a
    assert weight.var().item() == pytest.approx(a ** 2 / 3, rel=5 / weight.numel() ** 0.5)


def test_the_seed_decides_about_every_weight() -> None:
    first, same, other = (networks(seed=seed)[0].state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(first[key], same[key]) for key in first)
    assert not torch.equal(first["0.weight"], other["0.weight"])
