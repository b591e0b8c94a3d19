"""The running mean of features is taken off: what a microphone adds to every log spectrum."""

import torch
from torch import Tensor, nn

from langid.networks.skipped_frames import hold

PRIOR = 10.0  # frames of zeros before the first: normalised, these are the mean of training speech
BLOCK = 1024  # frames at once: the work for each grows with how many


class RunningMean(nn.Module):
    """Takes the mean of the frames up to each off its bins, as a stream can.

    With every frame that follows, a frame counts by a ``frames``-th less. Cepstral mean
    normalisation (Atal 1974), which is the same on log spectra, while speech comes in.
    """

    def __init__(self, bins: int, frames: int):
        super().__init__()
        self.memory = (bins + 1,)  # the sum of each bin, and of the frames' weights
        self.decay = 1 - 1 / frames

    def forward(
        self, features: Tensor, before: Tensor, counts: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """``features (batch, time, bins), before (batch, bins + 1) -> features, memory``.

        Of compact frames ``counts (batch, time)`` tells how many are there, as ``compact`` does.
        """
        summed = torch.cat([features, torch.ones_like(features[..., :1])], dim=-1)
        exporting = torch.compiler.is_exporting()  # of any length, which is short in a stream
        sums, memory = [], before
        for block in [summed] if exporting else torch.split(summed, BLOCK, dim=1):
            sums.append(self._sums(block, memory))
            memory = sums[-1][:, -1]
        every = torch.cat(sums, dim=1)
        if counts is not None:
            memory = hold(before, every, counts[:, -1:]).squeeze(1)
        return features - every[..., :-1] / (every[..., -1:] + PRIOR), memory

    def _sums(self, frames: Tensor, before: Tensor) -> Tensor:
        """Return the sums up to each frame, ``(batch, time, bins + 1)``."""
        place = torch.arange(frames.shape[1], device=frames.device)
        age = (place[:, None] - place).to(frames.dtype)
        weights = torch.where(age >= 0, self.decay ** age.clamp(min=0), 0.0)
        fading = self.decay ** (place + 1).to(frames.dtype)
        return weights @ frames + fading[:, None] * before.unsqueeze(1)
