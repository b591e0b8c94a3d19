"""Changes to samples that features are made of in training, and there alone."""

import torch
from torch import Tensor, nn


class WaveformAugment(nn.Module):
    """``samples (batch, samples) -> samples`` of full scale 1; in evaluation as they are."""


class RandomGain(WaveformAugment):
    """Makes every sequence louder or softer, by a uniform draw of up to ``gain_db`` either way.

    Draws come from torch's generator. Nothing is clipped.
    """

    def __init__(self, gain_db: float = 6.0):
        super().__init__()
        if type(gain_db) not in (int, float) or not 0 < gain_db <= 60:
            raise ValueError(f"waveform.gain_db={gain_db}: accepted are more than 0 and at most 60")
        self.gain_db = gain_db

    def forward(self, samples: Tensor) -> Tensor:
        if not self.training:
            return samples
        draws = torch.rand(len(samples), 1, device=samples.device) * 2 - 1
        return samples * 10 ** (draws * self.gain_db / 20)
