"""Batch norm over the real frames of a padded batch."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn


class RealFrames:
    """Which frames of a padded batch are real: ``mask (batch, time) bool``."""

    def __init__(self, mask: Tensor):
        self.mask = mask

    @cached_property
    def places(self) -> tuple[Tensor, ...]:
        """Row and time of each real frame; sought once for all norms, as a GPU waits for it."""
        return self.mask.nonzero(as_tuple=True)

    def alone(self, hidden: Tensor) -> Tensor:
        """Return ``hidden (batch, channels, time[, bins])`` with zeros for padding."""
        mask = self.mask.unsqueeze(1)
        return hidden * (mask if hidden.dim() == 3 else mask.unsqueeze(3))


def norm_frames(norm: nn.Module, hidden: Tensor, real: RealFrames | None = None) -> Tensor:
    """Batch norm of real frames, which alone are in its statistics; padding becomes zero.

    ``hidden (batch, channels, time[, bins])`` or, without time, ``(batch, channels)``; all of it is
    real where ``real`` is None. ``norm`` is torch's own of so many dimensions, or what its
    conversion to synchronised norms has made of it.
    """
    if real is None:
        return _norm(norm, hidden)
    if not norm.training:
        return real.alone(norm(hidden))
    taken: Tensor = _Taken.apply(hidden, *real.places)  # type: ignore[no-untyped-call]
    frames = _norm(norm, taken.unsqueeze(2)).squeeze(2)
    outputs: Tensor = _Put.apply(frames, hidden.shape, *real.places)  # type: ignore[no-untyped-call]
    return outputs


def _take(hidden: Tensor, places: Sequence[Tensor]) -> Tensor:
    """``hidden (batch, channels, time[, bins]) -> (frames, channels[, bins])``."""
    return hidden.transpose(1, 2)[tuple(places)]


def _put(frames: Tensor, shape: torch.Size, places: Sequence[Tensor]) -> Tensor:
    """Return what ``_take`` would take the frames from, zeros elsewhere."""
    hidden = frames.new_zeros(shape)
    hidden.transpose(1, 2)[tuple(places)] = frames
    return hidden


# The gradient of each is the other. torch would add gradients up at places that might be taken
# twice, which takes its time; none is.


class _Taken(torch.autograd.Function):
    """``_take`` with its gradient."""

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, *places: Tensor) -> Tensor:
        ctx.save_for_backward(*places)
        ctx.shape = hidden.shape
        return _take(hidden, places)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:  # type: ignore[override]
        return _put(gradient, ctx.shape, ctx.saved_tensors), None, None


class _Put(torch.autograd.Function):
    """``_put`` with its gradient."""

    @staticmethod
    def forward(ctx: Any, frames: Tensor, shape: torch.Size, *places: Tensor) -> Tensor:
        ctx.save_for_backward(*places)
        return _put(frames, shape, places)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:  # type: ignore[override]
        return _take(gradient, ctx.saved_tensors), None, None, None


def _norm(norm: nn.Module, values: Tensor) -> Tensor:
    """Norm ``(batch, channels, ...)``, single values of a channel by the running statistics.

    The last batch of an epoch may be one short utterance: a single value has no deviation.
    """
    single = norm.training and values.numel() == values.shape[1]
    if single and isinstance(norm, nn.BatchNorm1d | nn.BatchNorm2d):  # synchronised, there are more
        return nn.functional.batch_norm(
            values, norm.running_mean, norm.running_var, norm.weight, norm.bias, eps=norm.eps
        )
    outputs: Tensor = norm(values)
    return outputs
