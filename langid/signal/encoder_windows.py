"""Overlapping windows of clips that are longer than an encoder hears at once."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

LONGEST_S = 30.0  # what Whisper hears at most, and what memory bears of the others
OVERLAP_S = 2.0  # of windows of a longer clip


class EncoderWindows:
    """Windows of 30 s that overlap by 2 s, of which each gives the frames up to the middle of it.

    ``frames`` are those of a window, ``edge`` those of half an overlap.
    """

    def __init__(self, sample_rate: int, hop_samples: int):
        self.hop_samples = hop_samples
        self.frames, self.edge = (
            round(seconds * sample_rate / hop_samples) for seconds in (LONGEST_S, OVERLAP_S / 2)
        )

    def of(self, clip: Tensor) -> list[Tensor]:
        """Return the windows of a clip, ``(samples,)`` each."""
        hop, frames, starts = self.hop_samples, math.ceil(len(clip) / self.hop_samples), [0]
        while starts[-1] + self.frames < frames:
            starts.append(starts[-1] + self.frames - 2 * self.edge)
        return [clip[start * hop : (start + self.frames) * hop] for start in starts]

    def joined(self, states: Sequence[Tensor]) -> Tensor:
        """Return the states ``(time, width)`` of a clip of those of its windows."""
        last = len(states) - 1
        return torch.cat(
            [
                part[self.edge if place else 0 : None if place == last else self.frames - self.edge]
                for place, part in enumerate(states)
            ]
        )
