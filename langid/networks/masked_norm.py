"""Batch norm over the real frames of a padded batch."""

from functools import cached_property

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
    by_frame = hidden.transpose(1, 2)
    frames = _norm(norm, by_frame[real.places].unsqueeze(2)).squeeze(2)
    outputs = frames.new_zeros(by_frame.shape)
    outputs[real.places] = frames
    return outputs.transpose(1, 2).contiguous()


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
