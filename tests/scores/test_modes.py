"""Mode coverage and the Inception score: closed forms."""
import math

import numpy as np
import pytest
import torch

from pipeline.errors import ScoreError
from pipeline.scores import inception_score, modes

SURE = 60 * torch.eye(10)


def test_shares_are_those_of_the_largest_logits() -> None:
    logits = torch.tensor([[0.0, 1, 2], [5, 1, 2], [0, 3, -1], [9, 0, 0]])
    assert modes.shares(logits).tolist() == [0.5, 0.25, 0.25]


def test_only_confident_samples_count_for_a_class() -> None:
    """log 19 against 0 is a probability of 95 %; scribbles get a class, but no confident one."""
    logits = torch.tensor([[math.log(19), 0], [0, math.log(19)], [0, math.log(8)], [math.log(8), 0]])
    assert modes.confident(logits, 0.9).tolist() == [0.25, 0.25] and modes.shares(logits).tolist() == [0.5, 0.5]


def test_a_class_below_a_tenth_of_its_real_share_is_missing() -> None:
    assert modes.missing(np.array([0.5, 0.029, 0.031, 0]), np.array([0.4, 0.3, 0.3, 0])) == 1
    assert modes.missing(np.zeros(10), np.full(10, 0.1)) == 10


def test_the_divergence_is_that_of_samples_from_data() -> None:
    """One of ten classes: log 10. The other way round it would be infinite."""
    uniform = np.full(10, 0.1)
    assert modes.divergence(np.eye(10)[3], uniform) == pytest.approx(math.log(10))
    assert modes.divergence(uniform, uniform) == 0
    skewed = np.array([0.75, 0.25])
    assert modes.divergence(skewed, np.array([0.5, 0.5])) == pytest.approx(0.75 * math.log(1.5) + 0.25 * math.log(0.5))


def test_sure_and_even_answers_score_the_number_of_classes() -> None:
    assert inception_score.score(SURE) == pytest.approx(10)


def test_one_answer_or_no_answer_scores_one() -> None:
    assert inception_score.score(SURE[[4] * 7]) == pytest.approx(1)
    assert inception_score.score(torch.zeros(5, 10)) == pytest.approx(1)


def test_the_score_is_exp_of_the_mean_divergence_from_the_mean() -> None:
    logits = torch.randn(50, 4, generator=torch.Generator().manual_seed(0))
    p = torch.softmax(logits.double(), 1).numpy()
    expected = math.exp(np.mean([sum(row * np.log(row / p.mean(0))) for row in p]))
    assert inception_score.score(logits) == pytest.approx(expected, rel=1e-9)


def test_logits_that_are_not_finite_are_refused() -> None:
    with pytest.raises(ScoreError, match="finite logits"):
        inception_score.score(torch.tensor([[0.0, float("nan")]]))
