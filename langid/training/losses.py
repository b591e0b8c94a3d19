"""Losses over frames of logits."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from langid.data.silence_policy import IGNORED
from langid.errors import LangidError

UNITS = ("frame", "utterance")  # what a loss is of
TINY = 1e-9  # a change of pace can leave a batch without any target
SAMPLE_FRAMES = 6000  # what counts as a sample for effective numbers: a minute in hops of 10 ms


def weights_of(
    choice: str | Sequence[float] | None, class_frames: Sequence[int], beta: float = 0.999
) -> Tensor:
    """Return a loss weight per class, ``(classes,)``.

    ``balanced`` is ``frames / (classes * frames of the class)``, ``None`` or ``none`` is 1
    throughout, and a list gives one positive weight per class. ``effective`` is the inverse of the
    effective number of samples, ``(1 - beta ** n) / (1 - beta)``, scaled to a mean of 1 over the
    classes (Cui et al. 2019). Frames in a row are all but copies of one another, so ``n`` counts
    minutes, not frames: with ``beta`` 0.999 classes of a few hours are weighted almost as if
    balanced, and beyond some 50 hours more speech of a class makes no difference.
    """
    frames = torch.tensor(list(class_frames), dtype=torch.float64)
    if choice is None or choice == "none":
        return torch.ones(len(frames))
    if choice == "balanced":
        return (frames.sum() / (len(frames) * frames.clamp(min=1))).float()
    if choice == "effective":
        inverse = 1 / (1 - beta ** (frames.clamp(min=1) / SAMPLE_FRAMES))
        return (inverse / inverse.mean()).float()
    values = list(choice) if isinstance(choice, list | tuple) else []
    if len(values) != len(frames) or not all(
        isinstance(value, int | float) and 0 < value < math.inf for value in values
    ):
        raise LangidError(
            f"loss.class_weights={choice}: accepted are balanced, effective, none, or a list of"
            f" {len(frames)} positive numbers, one per class"
        )
    return torch.tensor([float(value) for value in values])


def utterance_logits(logits: Tensor, counted: Tensor) -> Tensor:
    """Return the log of the mean posterior over the frames that count, ``(batch, 1, classes)``.

    ``logits (batch, frames, classes), counted (batch, frames) bool``, one frame of each at least.
    An utterance is scored by this mean, so that the loss is val/nll. Mean logits, which make a
    geometric mean, are not: there one frame that is sure of another class can outweigh all others.
    Here frames learn in proportion to the posterior that they give the class.
    """
    logs = logits.log_softmax(-1).masked_fill(~counted[..., None], -math.inf)
    return logs.logsumexp(1, keepdim=True) - counted.sum(1)[:, None, None].log()


def _checked(name: str, value: float, below: float) -> float:
    if not isinstance(value, int | float) or not 0 <= value < below:
        raise ValueError(f"loss.{name}={value}: accepted are numbers from 0 to below {below}")
    return value


class WeightedLoss(nn.Module):
    """A loss with a weight per class, as ``weights_of`` makes them.

    ``logits (batch, frames, classes), targets (batch, frames) -> loss ()``, in nats; targets
    IGNORED count for nothing, and where there are no others it is 0. What an utterance network says
    counts at every frame of the sequence. With ``unit`` utterance a network of frames is asked for
    the sequence too: what it says is its mean posterior over the frames that are scored.
    """

    def __init__(
        self,
        class_frames: Sequence[int],
        class_weights: str | Sequence[float] | None = "balanced",
        beta: float = 0.999,
        unit: str = "frame",
    ):
        super().__init__()
        if unit not in UNITS:
            raise ValueError(f"loss.unit={unit}: accepted are {', '.join(UNITS)}")
        self.unit = unit
        weight = weights_of(class_weights, class_frames, _checked("beta", beta, below=1))
        self.weight = nn.Buffer(weight, persistent=False)

    def total_weight(self, targets: Tensor) -> Tensor:
        """Return what the mean over ``targets (batch, frames)`` is divided by, ``()``."""
        return (self.weight[targets.clamp(min=0)] * (targets != IGNORED)).sum()


class CrossEntropy(WeightedLoss):
    """Class-weighted cross-entropy, averaged over the frames that have a target.

    ``label_smoothing`` is the share of a target that is spread evenly over all classes, its own
    included (Szegedy et al. 2016); weights then apply to each class's share, as torch has it.
    """

    def __init__(
        self,
        class_frames: Sequence[int],
        class_weights: str | Sequence[float] | None = "balanced",
        beta: float = 0.999,
        label_smoothing: float = 0.0,
        unit: str = "frame",
    ):
        super().__init__(class_frames, class_weights, beta, unit)
        self.label_smoothing = _checked("label_smoothing", label_smoothing, below=1)

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        loss: Tensor = self.of_labels(logits, targets) / self.total_weight(targets).clamp(min=TINY)
        return loss

    def of_labels(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the weighted sum over the frames that have a target."""
        return nn.functional.cross_entropy(
            logits.flatten(0, 1),
            targets.flatten(),
            self.weight,
            ignore_index=IGNORED,
            reduction="sum",
            label_smoothing=self.label_smoothing,
        )


class Focal(WeightedLoss):
    """Cross-entropy times ``(1 - p) ** gamma``, ``p`` the posterior of the true class.

    Frames that are right already count less (Lin et al. 2017, whose best ``gamma`` is 2); 0 is
    cross-entropy. The mean is weighted as that of CrossEntropy.
    """

    def __init__(
        self,
        class_frames: Sequence[int],
        class_weights: str | Sequence[float] | None = "balanced",
        beta: float = 0.999,
        gamma: float = 2.0,
        unit: str = "frame",
    ):
        super().__init__(class_frames, class_weights, beta, unit)
        self.gamma = _checked("gamma", gamma, below=math.inf)

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        targets = targets.flatten()
        surprise = nn.functional.cross_entropy(
            logits.flatten(0, 1), targets, ignore_index=IGNORED, reduction="none"
        )
        # 1 - p, off zero: there the power's slope is infinite for a gamma below 1.
        doubt = (-torch.expm1(-surprise)).clamp(min=1e-7)
        weight = self.weight[targets.clamp(min=0)] * (targets != IGNORED)
        loss: Tensor = (weight * doubt**self.gamma * surprise).sum() / weight.sum().clamp(min=TINY)
        return loss
