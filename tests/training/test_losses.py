"""Tests of langid/training/losses.py."""

import math
from typing import Any

import pytest
import torch

from langid.data.dataset import IGNORED
from langid.errors import LangidError
from langid.training.losses import CrossEntropy, weights_of

EE599 = [7_655_251, 2_321_676, 5_347_300]


def test_balanced_weights_are_the_published_ones() -> None:
    weights = weights_of("balanced", EE599).tolist()
    assert weights == pytest.approx([0.667, 2.200, 0.955], abs=5e-4)


@pytest.mark.parametrize("choice", [None, "none"])
def test_no_weights(choice: str | None) -> None:
    assert weights_of(choice, EE599).tolist() == [1, 1, 1]


def test_explicit_weights() -> None:
    assert weights_of([1, 0.5, 2], EE599).tolist() == [1, 0.5, 2]


@pytest.mark.parametrize(
    "choice",
    [[1, 2], [1, 2, 3, 4], [1, 2, 0], [1, 2, -1], [1, 2, math.nan], [1, 2, math.inf],
     [1, 2, "x"], [1, 2, None], "balance", 3, {"a": 1}],
)  # fmt: skip
def test_bad_weights_are_refused(choice: Any) -> None:
    with pytest.raises(LangidError, match="accepted are balanced, none, or a list of 3 positive"):
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


def test_no_gradient_comes_from_ignored_frames() -> None:
    logits = torch.randn(1, 4, 3, requires_grad=True)
    targets = torch.tensor([[0, IGNORED, 2, IGNORED]])
    CrossEntropy(EE599)(logits, targets).backward()
    assert logits.grad is not None
    assert torch.count_nonzero(logits.grad[0, [1, 3]]) == 0
    assert torch.count_nonzero(logits.grad[0, [0, 2]]) == 6
