"""Convolutional networks over spectrograms of whole utterances, one of them recurrent too."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from langid.errors import check_least
from langid.networks.network import UtteranceNetwork
from langid.networks.padding import RealFrames, frame_mask, masked_mean, norm_frames, real_frames
from langid.networks.recurrent import process_both_ways

KERNELS = (7, 5, 3)  # of the first, the second and all further convolutions, as published


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
        return self.output(torch.relu(self.dense(self.dropout(pooled)))).unsqueeze(1)


class CRNN(UtteranceNetwork):
    """Blocks of convolutions, a bidirectional LSTM, its mean over time, logits of the utterance.

    After Bartz et al. 2017, "Language identification using deep convolutional recurrent neural
    networks", whose filters and units are the defaults; they take the LSTM's last outputs instead
    of the mean. ``units`` are those of each direction; without ``pool_time`` the convolutions pool
    bins only and the LSTM gets every frame.
    """

    def __init__(
        self,
        bins: int,
        num_classes: int,
        channels: Sequence[int] = (16, 32, 64, 128, 256),
        units: int = 256,
        pool_time: bool = True,
        dropout: float = 0.0,
    ):
        super().__init__()
        check_least(1, units=units)
        self.blocks = ConvBlocks(bins, channels, KERNELS, pool_time)
        self.lstm = nn.LSTM(self.blocks.units, units, batch_first=True, bidirectional=True)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(2 * units, num_classes)

    def forward(self, features: Tensor, lengths: Tensor) -> Tensor:
        hidden, lengths = self.blocks(features, lengths)
        hidden = process_both_ways(self.lstm, hidden, lengths.clamp(min=1))
        pooled = masked_mean(hidden, frame_mask(lengths, hidden.shape[1]))
        return self.output(self.dropout(pooled)).unsqueeze(1)


class ConvBlocks(nn.Module):
    """Blocks of convolution, batch norm, ReLU and maximum pooling over two bins and two frames.

    ``kernels`` are the sides of the first filters, the last of them that of all further ones.
    Without ``pool_time`` only bins are pooled. ``units`` is the width of what comes out.
    """

    def __init__(
        self, bins: int, channels: Sequence[int], kernels: Sequence[int], pool_time: bool = True
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
        self.units = channels[-1] * -(-bins // 2 ** len(channels))

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
