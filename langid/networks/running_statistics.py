"""Mean and deviation of the frames up to each, as a stream can have them."""

import torch
from torch import Tensor, nn

from langid.networks.skipped_frames import hold

PRIOR = 10.0  # frames before the first
LEAST = 1e-4  # of variances, which the rounding of sums could make negative
BLOCK = 1024  # frames at once: the work for each grows with how many


class RunningStatistics(nn.Module):
    """Sums of frames and of their squares, in which a frame counts by a ``frames``-th less with
    every one that follows.

    Before the first frame stand PRIOR others, of mean 0 and variance ``prior_variance``.
    """

    def __init__(self, units: int, frames: int, prior_variance: float):
        super().__init__()
        self.units, self.prior_variance = units, prior_variance
        self.memory = (2 * units + 1,)  # sums of each unit, of its squares, and of the weights
        self.decay = 1 - 1 / frames

    def forward(
        self, frames: Tensor, before: Tensor, counts: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """``frames (batch, time, units), memory -> sums (batch, time, 2 * units + 1), memory``.

        Of compact frames ``counts (batch, time)`` tells how many are there, as ``compact`` does.
        """
        weighed = nn.functional.pad(frames * frames, (0, 1), value=1.0)
        summed = torch.cat([frames, weighed], -1)
        exporting = torch.compiler.is_exporting()  # of any length, which is short in a stream
        sums, memory = [], before
        for block in [summed] if exporting else torch.split(summed, BLOCK, dim=1):
            # torch.export takes the length of what a GRU makes of compact frames for its example's.
            time = counts.shape[1] if exporting and counts is not None else block.shape[1]
            sums.append(self._sums(block, memory, time))
            memory = sums[-1][:, -1]
        every = torch.cat(sums, dim=1)
        if counts is not None:
            memory = hold(before, every, counts[:, -1:]).squeeze(1)
        return every, memory

    def _sums(self, frames: Tensor, before: Tensor, time: int) -> Tensor:
        """Return the sums up to each frame, ``(batch, time, 2 * units + 1)``."""
        place = torch.arange(time + 1, device=frames.device)  # of what was before, then of frames
        age = place[1:, None] - place
        weights = torch.tril(self.decay**age, diagonal=1).to(frames.dtype)
        return weights @ torch.cat([before.unsqueeze(1), frames], dim=1)

    def moments(self, sums: Tensor) -> tuple[Tensor, Tensor]:
        """``sums (batch, time, 2 * units + 1) -> mean, variance (batch, time, units)``."""
        weight = sums[..., -1:] + PRIOR
        mean = sums[..., : self.units] / weight
        squares = sums[..., self.units : -1] + PRIOR * self.prior_variance
        return mean, (squares / weight - mean.square()).clamp(min=LEAST)


class StatisticsPooling(nn.Module):
    """Mean and deviation of hidden frames up to each (Snyder et al. 2018, who take all of them)."""

    def __init__(self, units: int, frames: int):
        super().__init__()
        self.statistics = RunningStatistics(units, frames, prior_variance=0.0)
        self.memory = self.statistics.memory

    def forward(
        self, hidden: Tensor, before: Tensor, counts: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """``hidden (batch, time, units), memory -> (batch, time, 2 * units), memory``.

        ``hidden`` are compact frames where there are ``counts``; what is returned is of all frames.
        """
        sums, memory = self.statistics(hidden, before, counts)
        mean, variance = self.statistics.moments(hold(before, sums, counts))
        return torch.cat([mean, variance.sqrt()], dim=-1), memory
