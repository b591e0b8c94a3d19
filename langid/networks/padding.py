"""Padded batches: which frames are real, and means and batch norm of these alone."""

from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn


def frame_mask(lengths: Tensor, frames: int) -> Tensor:
    """Return which frames belong to each utterance: ``lengths (batch,) -> (batch, frames) bool``.

    An utterance has one frame at least, so that every mean over frames exists.
    """
    return torch.arange(frames, device=lengths.device) < lengths.clamp(min=1)[:, None]


def any_padding(lengths: Tensor, frames: int) -> bool:
    """Whether a batch of so many frames holds padding; an exported graph always reckons with it."""
    return torch.compiler.is_exporting() or bool((lengths < frames).any())


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


def real_frames(lengths: Tensor, frames: int) -> RealFrames | None:
    """Return which of so many frames are real; None, to save time, where no utterance is padded."""
    return RealFrames(frame_mask(lengths, frames)) if any_padding(lengths, frames) else None


def some_frames(features: Tensor) -> Tensor:
    """Return ``features (batch, time, bins)``, of no frames one frame of zeros."""
    return nn.functional.pad(features, (0, 0, 0, max(1 - features.shape[1], 0)))


def masked_mean(hidden: Tensor, mask: Tensor) -> Tensor:
    """``hidden (batch, time, units), mask (batch, time) bool -> mean over time (batch, units)``."""
    weight = mask.unsqueeze(-1).to(hidden.dtype)
    return (hidden * weight).sum(1) / weight.sum(1)


def last_frame(hidden: Tensor, lengths: Tensor) -> Tensor:
    """Return each utterance's last frame: ``hidden (batch, time, units) -> (batch, 1, units)``."""
    last = (lengths.clamp(min=1) - 1)[:, None, None]
    return hidden.gather(1, last.expand(-1, 1, hidden.shape[2]))


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
    taken = _Moved.apply(hidden, None, *real.places)  # type: ignore[no-untyped-call]
    frames = _norm(norm, taken.unsqueeze(2)).squeeze(2)
    return _Moved.apply(frames, hidden.shape, *real.places)  # type: ignore[no-untyped-call]


class _Moved(torch.autograd.Function):
    """``_moved`` with its gradient: that of taking is putting back, and the other way round.

    torch would add gradients up at places that might be taken twice, which takes its time; none is.
    """

    @staticmethod
    def forward(ctx: Any, values: Tensor, shape: torch.Size | None, *places: Tensor) -> Tensor:
        ctx.save_for_backward(*places)
        ctx.shape = values.shape if shape is None else None
        return _moved(values, shape, places)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:  # type: ignore[override]
        return _moved(gradient, ctx.shape, ctx.saved_tensors), None, None, None


def _moved(values: Tensor, shape: torch.Size | None, places: tuple[Tensor, ...]) -> Tensor:
    """Take real frames, ``(batch, channels, time[, bins]) -> (frames, channels[, bins])``.

    With the ``shape`` of a batch put them back there instead, between zeros.
    """
    if shape is None:
        return values.transpose(1, 2)[places]
    hidden = values.new_zeros(shape)
    hidden.transpose(1, 2)[places] = values
    return hidden


def _norm(norm: nn.Module, values: Tensor) -> Tensor:
    """Norm ``(batch, channels, ...)``, single values of a channel by the running statistics.

    The last batch of an epoch may be one short utterance: a single value has no deviation.
    """
    single = norm.training and values.numel() == values.shape[1]
    if single and isinstance(norm, nn.BatchNorm1d | nn.BatchNorm2d):  # synchronised, there are more
        return nn.functional.batch_norm(
            values, norm.running_mean, norm.running_var, norm.weight, norm.bias, eps=norm.eps
        )
    return norm(values)
