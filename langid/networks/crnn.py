"""Convolutional recurrent network over spectrograms of whole utterances."""

from collections.abc import Sequence

from torch import Tensor, nn

from langid.errors import check_least
from langid.networks.cnn import ConvBlocks
from langid.networks.network import UtteranceNetwork
from langid.networks.pooling import frame_mask, masked_mean
from langid.networks.recurrent import process_both_ways

KERNELS = (7, 5, 3)  # of the first, the second and all further convolutions, as published


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
        logits: Tensor = self.output(self.dropout(pooled))
        return logits.unsqueeze(1)
