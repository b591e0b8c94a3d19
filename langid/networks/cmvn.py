"""Features normalised by their running mean and deviation, which differ by microphone."""

import torch
from torch import Tensor, nn

from langid.networks.skipped_frames import hold

PRIOR = 10.0  # frames before the first, of mean 0 and deviation 1, as normalised speech has
LEAST = 1e-4  # of variances, which the rounding of sums could make negative
BLOCK = 1024  # frames at once: the work for each grows with how many


class CMVN(nn.Module):
    """Mean and variance normalisation by the frames up to each, as a stream can.

    With every frame that follows, a frame counts by a ``frames``-th less. Of cepstra (Viikki and
    Laurila 1998) it is called so; log spectra change in the same way with the channel.
    """

    def __init__(self, bins: int, frames: int):
        super().__init__()
        self.memory = (2 * bins + 1,)  # sums of each bin, of its squares, and of the weights
        self.decay = 1 - 1 / frames

    def forward(
        self, features: Tensor, before: Tensor, counts: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """``features (batch, time, bins), memory (batch, 2 * bins + 1) -> features, memory``.

        Of compact frames ``counts (batch, time)`` tells how many are there, as ``compact`` does.
        """
        summed = torch.cat([features, features.square(), torch.ones_like(features[..., :1])], -1)
        exporting = torch.compiler.is_exporting()  # of any length, which is short in a stream
        sums, memory = [], before
        for block in [summed] if exporting else torch.split(summed, BLOCK, dim=1):
            sums.append(self._sums(block, memory))
            memory = sums[-1][:, -1]
        every = torch.cat(sums, dim=1)
        if counts is not None:
            memory = hold(before, every, counts[:, -1:]).squeeze(1)
        bins, weight = features.shape[2], every[..., -1:] + PRIOR
        mean = every[..., :bins] / weight
        variance = (every[..., bins:-1] + PRIOR) / weight - mean.square()
        return (features - mean) * variance.clamp(min=LEAST).rsqrt(), memory

    def _sums(self, frames: Tensor, before: Tensor) -> Tensor:
        """Return the sums up to each frame, ``(batch, time, 2 * bins + 1)``."""
        place = torch.arange(frames.shape[1], device=frames.device)
        age = (place[:, None] - place).to(frames.dtype)
        weights = torch.where(age >= 0, self.decay ** age.clamp(min=0), 0.0)
        fading = self.decay ** (place + 1).to(frames.dtype)
        return weights @ frames + fading[:, None] * before.unsqueeze(1)
