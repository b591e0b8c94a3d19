"""ECAPA-TDNN: time-delay network with channel attention, propagation and aggregation."""

import torch
from torch import Tensor, nn

from langid.errors import check_least
from langid.networks.cmvn import utterance_cmvn
from langid.networks.network import UtteranceNetwork
from langid.networks.padding import RealFrames, masked_mean, norm_frames, real_frames, some_frames

DILATIONS = (2, 3, 4)
SCALE = 8  # parts into which a Res2 convolution divides its channels


class ECAPATDNN(UtteranceNetwork):
    """SE-Res2 blocks, multi-layer aggregation, attentive statistics, embedding, logits.

    Desplanques et al. 2020, "ECAPA-TDNN: Emphasized Channel Attention, Propagation and Aggregation
    in TDNN Based Speaker Verification"; the defaults are their network of 6.2 million parameters.
    A linear layer stands in for the additive angular margin. ``aggregated`` is the width behind the
    multi-layer aggregation, ``bottleneck`` that of squeeze-excitation and attention. With ``cmvn``
    features are normalised first by mean and deviation of the utterance.
    """

    def __init__(
        self,
        bins: int,
        num_classes: int,
        channels: int = 512,
        aggregated: int = 1536,
        embedding: int = 192,
        bottleneck: int = 128,
        cmvn: bool = False,
    ):
        super().__init__()
        self.cmvn = cmvn
        check_least(1, aggregated=aggregated, embedding=embedding, bottleneck=bottleneck)
        if channels < SCALE or channels % SCALE:
            raise ValueError(f"channels={channels}: accepted are multiples of {SCALE}")
        self.stem = TDNN(bins, channels, kernel=5)
        self.blocks = nn.ModuleList(
            SERes2Block(channels, dilation, bottleneck) for dilation in DILATIONS
        )
        self.aggregation = nn.Conv1d(len(DILATIONS) * channels, aggregated, 1)
        self.pooling = AttentiveStatisticsPooling(aggregated, bottleneck)
        self.pooled_norm = nn.BatchNorm1d(2 * aggregated)
        self.embedding = nn.Linear(2 * aggregated, embedding)
        self.embedding_norm = nn.BatchNorm1d(embedding)
        self.output = nn.Linear(embedding, num_classes)

    def forward(self, features: Tensor, lengths: Tensor) -> Tensor:
        features = some_frames(features)
        real = real_frames(lengths, features.shape[1])
        if self.cmvn:
            features = utterance_cmvn(features, real)
        hidden = features.transpose(1, 2)
        hidden = self.stem(hidden if real is None else real.alone(hidden), real)
        outputs: list[Tensor] = []
        for block in self.blocks:  # each gets the sum of all before it
            outputs.append(block(hidden, real))
            hidden = hidden + outputs[-1]
        aggregated = torch.relu(self.aggregation(torch.cat(outputs, dim=1)))
        pooled = norm_frames(self.pooled_norm, self.pooling(aggregated, real))
        return self.output(norm_frames(self.embedding_norm, self.embedding(pooled))).unsqueeze(1)


class TDNN(nn.Module):
    """Dilated convolution over time, ReLU and batch norm; padding is zero before and after."""

    def __init__(self, before: int, after: int, kernel: int = 1, dilation: int = 1):
        super().__init__()
        padding = kernel // 2 * dilation
        self.convolution = nn.Conv1d(before, after, kernel, padding=padding, dilation=dilation)
        self.norm = nn.BatchNorm1d(after)

    def forward(self, hidden: Tensor, real: RealFrames | None) -> Tensor:
        """``hidden (batch, before, time) -> (batch, after, time)``."""
        return norm_frames(self.norm, torch.relu(self.convolution(hidden)), real)


class SERes2Block(nn.Module):
    """Dense layer, Res2 convolution, dense layer, squeeze-excitation, and the input added.

    A Res2 convolution divides the channels into parts; each but the first is added to what came out
    of the part before and convolved (Gao et al. 2019).
    """

    def __init__(self, channels: int, dilation: int, bottleneck: int):
        super().__init__()
        width = channels // SCALE
        self.before = TDNN(channels, channels)
        self.parts = nn.ModuleList(TDNN(width, width, 3, dilation) for _ in range(SCALE - 1))
        self.after = TDNN(channels, channels)
        self.gate = nn.Sequential(
            nn.Linear(channels, bottleneck),
            nn.ReLU(),
            nn.Linear(bottleneck, channels),
            nn.Sigmoid(),
        )

    def forward(self, hidden: Tensor, real: RealFrames | None) -> Tensor:
        """``hidden (batch, channels, time) -> the same shape``."""
        first, *others = self.before(hidden, real).chunk(SCALE, dim=1)
        outputs = [first]
        for number, (convolution, part) in enumerate(zip(self.parts, others, strict=True)):
            inputs = part + outputs[-1] if number else part
            outputs.append(convolution(inputs, real))
        mixed = self.after(torch.cat(outputs, dim=1), real)
        mean = mixed.mean(2) if real is None else masked_mean(mixed.transpose(1, 2), real.mask)
        return hidden + mixed * self.gate(mean).unsqueeze(2)


class AttentiveStatisticsPooling(nn.Module):
    """Mean and deviation over time, weighted by attention per channel with global context.

    As in section 3.1 of the paper, after Okabe et al. 2018.
    """

    def __init__(self, channels: int, bottleneck: int):
        super().__init__()
        self.attention = nn.Sequential(
            nn.Conv1d(3 * channels, bottleneck, 1),
            nn.ReLU(),
            nn.BatchNorm1d(bottleneck),
            nn.Tanh(),
            nn.Conv1d(bottleneck, channels, 1, bias=False),  # a bias cancels in the softmax
        )

    def forward(self, hidden: Tensor, real: RealFrames | None = None) -> Tensor:
        """``hidden (batch, channels, time) -> (batch, 2 * channels)``."""
        valid = torch.ones_like(hidden[:, 0], dtype=torch.bool) if real is None else real.mask
        valid = valid.unsqueeze(1)
        uniform = valid / valid.sum(2, keepdim=True)
        context = torch.cat(statistics(hidden, uniform), dim=1)
        context = context.unsqueeze(2).expand(-1, -1, hidden.shape[2])
        before, relu, norm, tanh, after = self.attention
        scores = relu(before(torch.cat([hidden, context], dim=1)))
        scores = after(tanh(norm_frames(norm, scores, real)))
        weights = scores.masked_fill(~valid, -torch.inf).softmax(2)
        return torch.cat(statistics(hidden, weights), dim=1)


def statistics(hidden: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and standard deviation over time, ``(batch, channels)`` each."""
    mean = (hidden * weights).sum(2)
    variance = ((hidden - mean.unsqueeze(2)).square() * weights).sum(2)
    return mean, variance.clamp(min=1e-6).sqrt()  # the root of 0 has no gradient
