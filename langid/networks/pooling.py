"""Pooling over time that leaves padding out."""

import torch
from torch import Tensor, nn

from langid.networks.masked_norm import RealFrames, norm_frames


def frame_mask(lengths: Tensor, frames: int) -> Tensor:
    """Return which frames belong to each utterance: ``lengths (batch,) -> (batch, frames) bool``.

    An utterance has one frame at least, so that every mean over frames exists.
    """
    return torch.arange(frames, device=lengths.device) < lengths.clamp(min=1)[:, None]


def any_padding(lengths: Tensor, frames: int) -> bool:
    """Whether a batch of so many frames holds padding; an exported graph always reckons with it."""
    return torch.compiler.is_exporting() or bool((lengths < frames).any())


def real_frames(lengths: Tensor, frames: int) -> RealFrames | None:
    """Return which of so many frames are real, None where no utterance is padded.

    Where nothing is padded, masks would only cost their time.
    """
    return RealFrames(frame_mask(lengths, frames)) if any_padding(lengths, frames) else None


def masked_mean(hidden: Tensor, mask: Tensor) -> Tensor:
    """``hidden (batch, time, units), mask (batch, time) bool -> mean over time (batch, units)``."""
    weight = mask.unsqueeze(-1).to(hidden.dtype)
    return (hidden * weight).sum(1) / weight.sum(1)


def last_frame(hidden: Tensor, lengths: Tensor) -> Tensor:
    """Return each utterance's last frame: ``hidden (batch, time, units) -> (batch, 1, units)``."""
    last = (lengths.clamp(min=1) - 1)[:, None, None]
    return hidden.gather(1, last.expand(-1, 1, hidden.shape[2]))


class AttentiveStatisticsPooling(nn.Module):
    """Mean and deviation over time, weighted by attention per channel with global context.

    As in Desplanques et al. 2020, "ECAPA-TDNN", section 3.1, after Okabe et al. 2018.
    """

    def __init__(self, channels: int, bottleneck: int):
        super().__init__()
        self.attention = nn.Sequential(
            nn.Conv1d(3 * channels, bottleneck, 1),
            nn.ReLU(),
            nn.BatchNorm1d(bottleneck),
            nn.Tanh(),
            nn.Conv1d(bottleneck, channels, 1, bias=False),  # a bias cancels in the softmax
        )

    def forward(self, hidden: Tensor, real: RealFrames | None = None) -> Tensor:
        """``hidden (batch, channels, time) -> (batch, 2 * channels)``."""
        valid = torch.ones_like(hidden[:, :1], dtype=torch.bool)
        if real is not None:
            valid = real.mask.unsqueeze(1)
        uniform = valid / valid.sum(2, keepdim=True)
        context = torch.cat(_statistics(hidden, uniform), dim=1)
        context = context.unsqueeze(2).expand(-1, -1, hidden.shape[2])
        scores = self._scores(torch.cat([hidden, context], dim=1), real)
        weights = scores.masked_fill(~valid, -torch.inf).softmax(2)
        return torch.cat(_statistics(hidden, weights), dim=1)

    def _scores(self, frames: Tensor, real: RealFrames | None) -> Tensor:
        before, relu, norm, tanh, after = self.attention
        scores: Tensor = after(tanh(norm_frames(norm, relu(before(frames)), real)))
        return scores


def _statistics(hidden: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and standard deviation over time, ``(batch, channels)`` each."""
    mean = (hidden * weights).sum(2)
    variance = ((hidden - mean.unsqueeze(2)).square() * weights).sum(2)
    return mean, variance.clamp(min=1e-6).sqrt()  # the root of 0 has no gradient
