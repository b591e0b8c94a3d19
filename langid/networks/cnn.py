"""Convolutional network over spectrograms of whole utterances."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from langid.errors import check_least
from langid.networks.masked_norm import RealFrames, norm_frames
from langid.networks.network import UtteranceNetwork
from langid.networks.pooling import frame_mask, masked_mean, real_frames


class CNN(UtteranceNetwork):
    """Blocks of 3x3 convolutions, mean over time, a dense ReLU layer, and logits of the utterance.

    Small filters whose number doubles while maximum pooling halves time and bins, after the VGG
    networks of Simonyan & Zisserman 2015. ``channels`` are the filters of each block.
    """

    def __init__(
        self,
        bins: int,
        num_classes: int,
        channels: Sequence[int] = (16, 32, 64, 128),
        dense: int = 128,
        dropout: float = 0.0,
    ):
        super().__init__()
        check_least(1, dense=dense)
        self.blocks = ConvBlocks(bins, channels, kernels=(3,))
        self.dropout = nn.Dropout(dropout)
        self.dense = nn.Linear(self.blocks.units, dense)
        self.output = nn.Linear(dense, num_classes)

    def forward(self, features: Tensor, lengths: Tensor) -> Tensor:
        hidden, lengths = self.blocks(features, lengths)
        pooled = masked_mean(hidden, frame_mask(lengths, hidden.shape[1]))
        logits: Tensor = self.output(torch.relu(self.dense(self.dropout(pooled))))
        return logits.unsqueeze(1)


class ConvBlocks(nn.Module):
    """Blocks of convolution, batch norm, ReLU and maximum pooling over two bins and two frames.

    ``kernels`` are the sides of the first filters, the last of them that of all further ones.
    Without ``pool_time`` only bins are pooled. ``units`` is the width of what comes out.
    """

    def __init__(
        self,
        bins: int,
        channels: Sequence[int],
        kernels: Sequence[int],
        pool_time: bool = True,
    ):
        super().__init__()
        check_channels(channels)
        sides = [kernels[min(block, len(kernels) - 1)] for block in range(len(channels))]
        self.convolutions = nn.ModuleList(
            nn.Conv2d(before, after, side, padding=side // 2, bias=False)
            for before, after, side in zip([1, *channels], channels, sides, strict=False)
        )
        self.norms = nn.ModuleList(nn.BatchNorm2d(width) for width in channels)
        self.pool_frames = 2 if pool_time else 1
        for _ in channels:
            bins = -(-bins // 2)
        self.units = channels[-1] * bins

    def forward(self, features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """``features (batch, time, bins), lengths -> hidden (batch, frames, units), lengths``."""
        # An utterance of no frames is taken for one frame of zeros.
        features = nn.functional.pad(features, (0, 0, 0, max(1 - features.shape[1], 0)))
        hidden = features.unsqueeze(1)
        real = real_frames(lengths, hidden.shape[2])
        hidden = hidden if real is None else real.alone(hidden)
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            hidden = norm_frames(norm, convolution(hidden), real)
            # Padding is zero, the least value after ReLU: it can win no maximum over frames.
            hidden = nn.functional.max_pool2d(hidden.relu_(), (self.pool_frames, 2), ceil_mode=True)
            lengths = -(-lengths // self.pool_frames)
            real = None if real is None else RealFrames(frame_mask(lengths, hidden.shape[2]))
        return hidden.transpose(1, 2).flatten(2), lengths


def check_channels(channels: Any) -> None:
    """Raise ValueError unless ``channels`` is a list with the filters of one layer or more."""
    whole = isinstance(channels, list | tuple) and all(isinstance(n, int) for n in channels)
    if not whole or not channels or min(channels) < 1:
        raise ValueError(f"channels={channels}: accepted is a list of whole numbers, 1 and more")
