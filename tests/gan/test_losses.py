"""The losses against PyTorch's own, and the ratio that lets one backward pass serve both players."""
import math

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from pipeline.gan import losses


def test_losses_are_binary_cross_entropies_with_the_right_targets() -> None:
    real, fake = torch.randn(2, 64, 1, generator=torch.Generator().manual_seed(0)) * 5
    bce = F.binary_cross_entropy_with_logits
    expected = bce(real, torch.ones_like(real)) + bce(fake, torch.zeros_like(fake))
    torch.testing.assert_close(losses.loss_D(real, fake), expected)
    torch.testing.assert_close(losses.loss_G(fake), bce(fake, torch.ones_like(fake)))


def test_a_blind_D_gives_2_log_2_and_log_2_and_a_good_one_less() -> None:
    zero, five = torch.zeros(3, 1), torch.full((3, 1), 5.0)
    assert losses.loss_D(zero, zero).item() == pytest.approx(2 * math.log(2))
    assert losses.loss_G(zero).item() == pytest.approx(math.log(2))
    assert losses.loss_D(five, -five) < 0.02 < 9 < losses.loss_D(-five, five)
    assert losses.loss_G(five) < 0.01 < 4 < losses.loss_G(-five)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.4])
def test_no_logits_bring_Ds_loss_below_its_least(smoothing: float) -> None:
    found = min(losses.loss_D(torch.tensor(logit), torch.tensor(-40.0), smoothing).item()
                for logit in np.linspace(-20, 20, 801))
    assert found == pytest.approx(losses.least_D(smoothing), abs=1e-4) and found >= losses.least_D(smoothing)


def test_the_ratio_turns_one_players_gradient_into_the_others() -> None:
    logits = torch.linspace(-50, 50, 101, dtype=torch.float64)[:, None].requires_grad_()
    of_D, = torch.autograd.grad(losses.loss_D(torch.zeros(1, 1), logits), logits)
    of_G, = torch.autograd.grad(losses.loss_G(logits), logits)
    torch.testing.assert_close(of_D * losses.gradient_ratio(logits.detach()), of_G, rtol=1e-9, atol=0)


def test_the_ratio_stays_finite_for_a_D_that_is_certain() -> None:
    assert losses.gradient_ratio(torch.tensor([[-1e4], [-200.0], [1e4]])).isfinite().all()
