"""Losses over frames of logits."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from langid.data.dataset import IGNORED
from langid.errors import LangidError


def weights_of(choice: str | Sequence[float] | None, class_frames: Sequence[int]) -> Tensor:
    """Return a loss weight per class.

    ``balanced`` is ``frames / (classes * frames of the class)``, ``None`` or ``none`` is 1
    throughout, and a list gives one positive weight per class.
    """
    frames = torch.tensor(list(class_frames), dtype=torch.float64)
    if choice is None or choice == "none":
        return torch.ones(len(frames))
    if choice == "balanced":
        return (frames.sum() / (len(frames) * frames.clamp(min=1))).float()
    values = list(choice) if isinstance(choice, list | tuple) else []
    if len(values) != len(frames) or not all(
        isinstance(value, int | float) and 0 < value < math.inf for value in values
    ):
        raise LangidError(
            f"loss.class_weights={choice}: accepted are balanced, none, or a list of"
            f" {len(frames)} positive numbers, one per class"
        )
    return torch.tensor([float(value) for value in values])


class CrossEntropy(nn.Module):
    """Class-weighted cross-entropy, averaged over the frames that have a target."""

    weight: Tensor

    def __init__(
        self,
        class_frames: Sequence[int],
        class_weights: str | Sequence[float] | None = "balanced",
    ):
        super().__init__()
        weight = weights_of(class_weights, class_frames)
        self.register_buffer("weight", weight, persistent=False)

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """``logits (batch, time, classes), targets (batch, time) -> loss ()``, in nats."""
        return nn.functional.cross_entropy(
            logits.flatten(0, 1), targets.flatten(), self.weight, ignore_index=IGNORED
        )
