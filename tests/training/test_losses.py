"""Tests of langid/training/losses.py."""

import math
from typing import Any

import pytest
import torch

from langid.data.silence_policy import IGNORED
from langid.errors import LangidError
from langid.training.losses import CrossEntropy, Focal, WeightedLoss, weights_of

EE599 = [7_655_251, 2_321_676, 5_347_300]


def test_balanced_weights_are_the_published_ones() -> None:
    weights = weights_of("balanced", EE599).tolist()
    assert weights == pytest.approx([0.667, 2.200, 0.955], abs=5e-4)


@pytest.mark.parametrize("choice", [None, "none"])
def test_no_weights(choice: str | None) -> None:
    assert weights_of(choice, EE599).tolist() == [1, 1, 1]


def test_explicit_weights() -> None:
    assert weights_of([1, 0.5, 2], EE599).tolist() == [1, 0.5, 2]


def test_effective_weights_are_inverse_to_the_effective_number_of_minutes() -> None:
    minutes = [1275.875, 386.946, 891.217]  # EE599, 6,000 frames each
    numbers = [(1 - 0.99**count) / (1 - 0.99) for count in minutes]
    weights = weights_of("effective", EE599, beta=0.99).tolist()
    products = [weight * number for weight, number in zip(weights, numbers, strict=True)]
    assert products == pytest.approx([products[0]] * 3, rel=1e-5)
    assert sum(weights) == pytest.approx(3)


def test_effective_weights_lie_between_none_and_balanced() -> None:
    assert weights_of("effective", EE599, beta=0).tolist() == pytest.approx([1, 1, 1])
    few = [60_000, 30_000, 0]  # ten minutes, five, and none
    effective, balanced = weights_of("effective", few[:2]), weights_of("balanced", few[:2])
    assert float(effective[1] / effective[0]) == pytest.approx(
        float(balanced[1] / balanced[0]), rel=0.01
    )
    assert weights_of("effective", few).isfinite().all()
    default = weights_of("effective", EE599)
    assert 1 < float(default[1] / default[0]) < EE599[0] / EE599[1]


@pytest.mark.parametrize(
    "choice",
    [[1, 2], [1, 2, 3, 4], [1, 2, 0], [1, 2, -1], [1, 2, math.nan], [1, 2, math.inf],
     [1, 2, "x"], [1, 2, None], "balance", 3, {"a": 1}],
)  # fmt: skip
def test_bad_weights_are_refused(choice: Any) -> None:
    with pytest.raises(LangidError, match="balanced, effective, none, or a list of 3 positive"):
        weights_of(choice, EE599)


def test_loss_is_weighted_and_leaves_ignored_frames_out() -> None:
    logits = torch.tensor([[[1.0, 2.0], [0.0, 0.0], [5.0, -5.0]], [[3.0, 1.0]] * 3])
    targets = torch.tensor([[0, 1, IGNORED], [1, IGNORED, IGNORED]])
    loss = CrossEntropy([10, 10], class_weights=[1.0, 3.0])
    first = math.log(1 + math.e)  # of logits 1, 2 for class 0
    second = math.log(2)
    third = math.log(1 + math.e**2)  # of logits 3, 1 for class 1
    expected = (1 * first + 3 * second + 3 * third) / (1 + 3 + 3)
    assert float(loss(logits, targets)) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("loss", [CrossEntropy, Focal])
def test_without_any_target_it_is_nothing(loss: type[WeightedLoss]) -> None:
    logits = torch.randn(2, 4, 3, requires_grad=True)
    found = loss(EE599)(logits, torch.full((2, 4), IGNORED))
    found.backward()
    assert float(found.detach()) == 0 and logits.grad is not None and not logits.grad.any()


def test_no_gradient_comes_from_ignored_frames() -> None:
    logits = torch.randn(1, 4, 3, requires_grad=True)
    targets = torch.tensor([[0, IGNORED, 2, IGNORED]])
    CrossEntropy(EE599)(logits, targets).backward()
    assert logits.grad is not None
    assert torch.count_nonzero(logits.grad[0, [1, 3]]) == 0
    assert torch.count_nonzero(logits.grad[0, [0, 2]]) == 6


def test_smoothing_is_over_all_classes_and_leaves_ignored_frames_out() -> None:
    logits, weight = torch.randn(1, 3, 3), torch.tensor([1.0, 2.0, 4.0])
    targets = torch.tensor([[2, IGNORED, 0]])
    loss = CrossEntropy([1, 1, 1], [1.0, 2.0, 4.0], label_smoothing=0.3)
    surprise = -logits[0].log_softmax(-1)
    total = torch.tensor(0.0)
    for frame, target in ((0, 2), (2, 0)):
        shares = torch.full((3,), 0.1) + 0.7 * torch.eye(3)[target]
        total += (shares * weight * surprise[frame]).sum()
    expected = total / (4 + 1)  # the weights of the true classes
    assert float(loss(logits, targets)) == pytest.approx(float(expected), rel=1e-5)


def test_focal_loss_is_that_of_the_paper() -> None:
    posteriors = torch.tensor([[[0.9, 0.1], [0.5, 0.5], [0.2, 0.8]]])
    targets = torch.tensor([[0, 1, IGNORED]])
    loss = Focal([1, 1], class_weights=[1.0, 3.0], gamma=2)
    expected = (1 * 0.1**2 * -math.log(0.9) + 3 * 0.5**2 * -math.log(0.5)) / 4
    assert float(loss(posteriors.log(), targets)) == pytest.approx(expected, rel=1e-5)


def test_focal_loss_without_gamma_is_cross_entropy() -> None:
    logits, targets = torch.randn(2, 5, 3), torch.randint(3, (2, 5))
    targets[0, 2:] = IGNORED
    torch.testing.assert_close(
        Focal(EE599, gamma=0)(logits, targets), CrossEntropy(EE599)(logits, targets)
    )


@pytest.mark.parametrize("gamma", [0, 0.5, 1, 2])
def test_focal_gradient_is_finite_where_the_network_is_sure(gamma: float) -> None:
    logits = torch.tensor([[[200.0, 0, 0], [0, 0, 200], [1, 2, 3]]], requires_grad=True)
    targets = torch.tensor([[0, 0, IGNORED]])  # surely right, surely wrong, and not asked
    loss = Focal(EE599, gamma=gamma)(logits, targets)
    loss.backward()
    assert logits.grad is not None
    assert loss.isfinite() and logits.grad.isfinite().all()
    assert torch.count_nonzero(logits.grad[0, 2]) == 0
    assert torch.count_nonzero(logits.grad[0, 1]) > 0


@pytest.mark.parametrize("loss", [CrossEntropy(EE599, label_smoothing=0.1), Focal(EE599)])
def test_utterance_networks_have_one_frame(loss: WeightedLoss) -> None:
    logits, targets = torch.randn(4, 1, 3), torch.tensor([[0], [1], [2], [1]])
    as_frames = loss(logits.transpose(0, 1), targets.T)
    torch.testing.assert_close(loss(logits, targets), as_frames)


@pytest.mark.parametrize(
    ("loss", "key", "value"),
    [(CrossEntropy, "label_smoothing", 1.0), (CrossEntropy, "label_smoothing", -0.1),
     (CrossEntropy, "beta", 1.0), (Focal, "beta", math.nan), (Focal, "gamma", -1.0),
     (Focal, "gamma", math.inf), (Focal, "gamma", "two")],
)  # fmt: skip
def test_bad_settings_are_refused(loss: type[WeightedLoss], key: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"loss.{key}={value}: accepted are numbers from 0"):
        loss(EE599, **{key: value})
