"""Small networks that ask what features know already, as those of a pretrained encoder do."""

import torch
from torch import Tensor, nn

from langid.errors import check_least
from langid.networks.ecapa_tdnn import AttentiveStatisticsPooling, statistics
from langid.networks.network import UtteranceNetwork
from langid.networks.padding import frame_mask, norm_frames, real_frames, some_frames


class LinearProbe(UtteranceNetwork):
    """A linear layer on mean and standard deviation of every bin over an utterance.

    A probe as of Alain and Bengio 2016, "Understanding intermediate layers using linear classifier
    probes". Batch norm lets all statistics learn alike.
    """

    def __init__(self, bins: int, num_classes: int):
        super().__init__()
        self.pooled_norm = nn.BatchNorm1d(2 * bins)
        self.output = nn.Linear(2 * bins, num_classes)

    def forward(self, features: Tensor, lengths: Tensor) -> Tensor:
        features = some_frames(features)
        weights = frame_mask(lengths, features.shape[1]).unsqueeze(1).to(features.dtype)
        weights = weights / weights.sum(2, keepdim=True)
        pooled = torch.cat(statistics(features.transpose(1, 2), weights), dim=1)
        return self.output(norm_frames(self.pooled_norm, pooled)).unsqueeze(1)


class AttentiveProbe(UtteranceNetwork):
    """Attentive statistics (Okabe et al. 2018) and one hidden layer."""

    def __init__(
        self,
        bins: int,
        num_classes: int,
        bottleneck: int = 64,
        hidden: int = 128,
        dropout: float = 0.0,
    ):
        super().__init__()
        check_least(1, bottleneck=bottleneck, hidden=hidden)
        self.pooling = AttentiveStatisticsPooling(bins, bottleneck)
        self.pooled_norm = nn.BatchNorm1d(2 * bins)
        self.hidden = nn.Linear(2 * bins, hidden)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(hidden, num_classes)

    def forward(self, features: Tensor, lengths: Tensor) -> Tensor:
        features = some_frames(features)
        pooled = self.pooling(features.transpose(1, 2), real_frames(lengths, features.shape[1]))
        hidden = torch.relu(self.hidden(norm_frames(self.pooled_norm, pooled)))
        return self.output(self.dropout(hidden)).unsqueeze(1)
