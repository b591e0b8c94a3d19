"""Convolutions over the bins and frames of features, as a stream can have them."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from langid.errors import check_least
from langid.networks.skipped_frames import window

FRAMES = 3  # that the first of them hears: two of the past
FIRST_BINS, BINS = 5, 3  # that a filter spans
UNITS = 128  # of what comes out


class SpectralConvolutions(nn.Module):
    """2-D convolutions with ReLU, each over every second bin, a linear layer, and LayerNorm.

    In front of recurrent layers they hear alike what lies a few bins higher (Sainath et al. 2015,
    "Convolutional, long short-term memory, fully connected deep neural networks"). ``channels`` are
    the filters of each. The first also spans the two frames before, which are zeros at the start.
    A frame of ``stacked`` frames of the features has these as its channels. Without the norm
    recurrent layers learn slowly from some beginnings.
    """

    def __init__(self, bins: int, channels: Sequence[int], stacked: int = 1):
        super().__init__()
        check_least(1, stacked=stacked)
        listed = isinstance(channels, Sequence) and not isinstance(channels, str)
        if not listed or not all(isinstance(width, int) and width >= 1 for width in channels):
            raise ValueError(f"convolutions={channels}: accepted are lists of 1 and more")
        if bins % stacked:
            raise ValueError(
                f"stacked={stacked}: accepted is what divides the {bins} bins of a frame,"
                " as model.stride does"
            )
        self.stacked = stacked
        self.units, self.memory = UNITS, (FRAMES - 1, bins)
        sides = [(FRAMES, FIRST_BINS)] + [(1, BINS)] * len(channels)
        self.convolutions = nn.ModuleList(
            nn.Conv2d(before, after, side, stride=(1, 2), padding=(0, side[1] // 2))
            for (before, after), side in zip(pairwise([stacked, *channels]), sides, strict=False)
        )
        rows = bins // stacked
        for _ in channels:
            rows = -(-rows // 2)
        self.projection = nn.Linear(channels[-1] * rows, UNITS)
        self.norm = nn.LayerNorm(UNITS)

    def forward(
        self, features: Tensor, before: Tensor, counts: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """``features (batch, time, bins), memory -> hidden (batch, time, UNITS), memory``.

        Of compact frames ``counts (batch, time)`` tells how many are there, as ``compact`` does.
        """
        every = torch.cat([before, features], dim=1)
        memory = window(every, before.shape[1], counts)
        hidden = torch.unflatten(every, 2, (self.stacked, -1)).transpose(1, 2)
        for convolution in self.convolutions:
            hidden = torch.relu(convolution(hidden))
        return self.norm(self.projection(hidden.transpose(1, 2).flatten(2))), memory
