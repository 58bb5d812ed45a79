"""Sampling: eval mode, which statistics, and that nothing of it stays behind."""
import pytest
import torch
from torch import nn

from pipeline.errors import DivergedError
from pipeline.gan import literature, sampling
from pipeline.gan.build import build
from pipeline.params.sections import Sampling
from tests.conftest import FP32

SLIDES = literature.network("slides")
RECOMPUTED = Sampling(batch_norm="recomputed", statistics_images=500)
RUNNING = Sampling(batch_norm="running", statistics_images=500)


@pytest.fixture
def G() -> nn.Sequential:
    """A generator whose running averages lag behind its weights."""
    G, _ = build(SLIDES, 0.2, torch.Generator().manual_seed(0))
    G.train()(torch.randn(50, 100, generator=torch.Generator().manual_seed(3)))
    with torch.no_grad():
        G[4].weight *= 10
    return G


@pytest.mark.parametrize("asked", [RECOMPUTED, RUNNING])
def test_the_generator_is_afterwards_what_it_was(G: nn.Sequential, asked: Sampling) -> None:
    before = {key: value.clone() for key, value in G.state_dict().items()}
    with pytest.raises(RuntimeError), sampling.evaluating(G, SLIDES, asked, FP32):
        assert not G.training
        raise RuntimeError
    assert G.training and all(torch.equal(value, before[key]) for key, value in G.state_dict().items())
    assert [module.momentum for module in G if hasattr(module, "momentum")] == pytest.approx([0.01] * 3)


def test_recomputed_statistics_describe_the_final_weights(G: nn.Sequential) -> None:
    z = torch.randn(500, 100, generator=torch.Generator().manual_seed(7))
    with sampling.evaluating(G, SLIDES, RECOMPUTED, FP32), torch.no_grad():
        incoming = G[:5](z)  # what the second batch norm sees
        fresh = incoming.mean((0, 2, 3)), incoming.var((0, 2, 3))
        kept = G[5].running_mean.clone(), G[5].running_var.clone()
    torch.testing.assert_close(kept[0], fresh[0], rtol=0, atol=0.1 * fresh[1].sqrt().mean().item())
    torch.testing.assert_close(kept[1], fresh[1], rtol=0.15, atol=0)
    with sampling.evaluating(G, SLIDES, RUNNING, FP32):
        assert (G[5].running_var / fresh[1]).max() < 0.5  # the lag that recomputing takes away


def test_an_image_depends_on_its_z_alone(G: nn.Sequential) -> None:
    z = torch.randn(sampling.BATCH + 3, 100, generator=torch.Generator().manual_seed(0))
    with sampling.evaluating(G, SLIDES, RECOMPUTED, FP32):
        together, alone = (sampling.sample(G, SLIDES, part, FP32) for part in (z, z[-1:]))
    assert together.shape == (sampling.BATCH + 3, 1, 28, 28)  # parts are even: none of 3, too few for statistics
    assert abs(together[-1].astype(int) - alone[0].astype(int)).max() <= 1


def test_any_number_of_images_can_make_statistics(G: nn.Sequential) -> None:
    asked = Sampling(batch_norm="recomputed", statistics_images=sampling.BATCH + 1)
    with sampling.evaluating(G, SLIDES, asked, FP32):
        assert G[5].running_var.isfinite().all()


def test_images_that_are_not_finite_are_never_scored(G: nn.Sequential) -> None:
    with torch.no_grad():
        G[10].weight[0, 0] = float("nan")
    with pytest.raises(DivergedError, match="not finite"), sampling.evaluating(G, SLIDES, RUNNING, FP32):
        sampling.sample(G, SLIDES, torch.zeros(2, 100), FP32)


def test_a_conditional_generator_makes_the_classes_in_turns_and_takes_rows() -> None:
    network = literature.network("paper-mnist", 0.125)
    G, _ = build(network, 0.2, torch.Generator().manual_seed(0))
    G.eval()
    z = sampling.prior(network, 23, torch.Generator().manual_seed(1))
    y = torch.eye(10)[torch.arange(23) % 10]
    rows = torch.cat([z, y], 1)
    torch.testing.assert_close(sampling.by_rows(G, network)(rows), G(z, y))
    assert not torch.allclose(G(z, y), G(z, y.roll(1, 0)))
    images = sampling.sample(G, network, z, FP32)
    assert abs(images - (G(z, y) * 255).round().detach().numpy()).max() <= 1
    assert sampling.example(network).shape == (2, 110) and sampling.example(network)[:, 100:].sum() == 2
    assert sampling.by_rows(G, SLIDES) is G


@pytest.mark.parametrize("name", ["slides", "paper-64"])
def test_z_has_the_networks_prior(name: str) -> None:
    """Mean 0 in both; variance 1 and no bound, or variance 1/3 within -1..1."""
    network = literature.network(name)
    z = sampling.prior(network, 2000, torch.Generator().manual_seed(0))
    assert z.shape == (2000, 100) and z.mean().abs() < 0.01
    assert z.var().item() == pytest.approx(1 if name == "slides" else 1 / 3, rel=0.02)
    assert (z.abs().max() <= 1) == (name != "slides")
