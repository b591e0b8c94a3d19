"""Networks and a training step in plain torch.nn, to measure langid's against.

A network has the layers of the one that conf/model has under the same name, takes the same
arguments, and holds the same parameters in the same order. Sequences are whole: nothing is masked,
packed or carried over. ``features (batch, time, bins) -> logits (batch, time, classes)``, or
``(batch, classes)`` of whole utterances.
"""

import functools
import math
from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import weight_norm


class RunningStatistics(nn.Module):
    """Mean and variance of the frames up to each, whose weight fades with age.

    Before the first stand ten frames of mean 0 and variance ``prior``.
    """

    def __init__(self, frames: int, prior: float):
        super().__init__()
        self.decay, self.prior = 1 - 1 / frames, prior

    def forward(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        place = torch.arange(frames.shape[1], device=frames.device)
        age = (place[:, None] - place).to(frames.dtype)
        weights = torch.where(age >= 0, self.decay ** age.clamp(min=0), 0.0)
        weight = weights.sum(1, keepdim=True) + 10
        mean = weights @ frames / weight
        squares = (weights @ frames.square() + 10 * self.prior) / weight
        return mean, (squares - mean.square()).clamp(min=1e-4)


class CMVN(nn.Module):
    """Features less their running mean, over their running deviation; as they are for 0 frames."""

    def __init__(self, frames: int):
        super().__init__()
        self.statistics = RunningStatistics(frames, prior=1.0) if frames else None

    def forward(self, features: Tensor) -> Tensor:
        if self.statistics is None:
            return features
        mean, variance = self.statistics(features)
        normalised: Tensor = (features - mean) * variance.rsqrt()
        return normalised


class SpectralConvolutions(nn.Module):
    """Convolutions over every second bin, the first over two frames before, too; linear; norm."""

    def __init__(self, bins: int, channels: Sequence[int], stacked: int):
        super().__init__()
        self.stacked, self.units = stacked, 128
        layers: list[nn.Module] = []
        rows = bins // stacked
        for number, (before, after) in enumerate(pairwise([stacked, *channels])):
            side = (1, 3) if number else (3, 5)
            layers += [nn.Conv2d(before, after, side, (1, 2), (0, side[1] // 2)), nn.ReLU()]
            rows = math.ceil(rows / 2)
        self.convolutions = nn.Sequential(*layers)
        self.projection = nn.Linear(channels[-1] * rows, self.units)
        self.norm = nn.LayerNorm(self.units)

    def forward(self, features: Tensor) -> Tensor:
        every = F.pad(features, (0, 0, 2, 0)).unflatten(2, (self.stacked, -1)).transpose(1, 2)
        projected: Tensor = self.projection(self.convolutions(every).transpose(1, 2).flatten(2))
        normed: Tensor = self.norm(projected)
        return normed


class Recurrent(nn.Module):
    """CMVN, convolutions, RNN, GRU or LSTM, a dense layer, logits.

    With ``pooling_frames`` the dense layer gets running mean and deviation of what the last
    recurrent layer says.
    """

    def __init__(
        self,
        cell: type[nn.RNNBase],
        directions: int,
        bins: int,
        classes: int,
        units: int,
        layers: int,
        dense: int,
        activation: str,
        dropout: float,
        head_dropout: float,
        cmvn_frames: int = 0,
        pooling_frames: int = 0,
        pause_frames: int = 0,  # of streams alone
        convolutions: Sequence[int] = (),
        stacked: int = 1,
    ):
        super().__init__()
        self.cmvn = CMVN(cmvn_frames)
        self.convolutions = None
        if convolutions:
            self.convolutions = SpectralConvolutions(bins, convolutions, stacked)
            bins = self.convolutions.units
        self.pooling = RunningStatistics(pooling_frames, prior=0.0) if pooling_frames else None
        self.recurrent = cell(  # type: ignore[call-arg]  # the three cells know their own mode
            bins, units, layers, batch_first=True, dropout=dropout, bidirectional=directions == 2
        )
        self.head = nn.Sequential(
            nn.Dropout(dropout),
            nn.Linear((2 if pooling_frames else directions) * units, dense),
            {"relu": nn.ReLU, "tanh": nn.Tanh}[activation](),
            nn.Dropout(head_dropout),
            nn.Linear(dense, classes),
        )

    def forward(self, features: Tensor) -> Tensor:
        hidden = self.cmvn(features)
        if self.convolutions:
            hidden = self.convolutions(hidden)
        hidden = self.recurrent(hidden)[0]
        if self.pooling:
            mean, variance = self.pooling(hidden)
            hidden = torch.cat([mean, variance.sqrt()], dim=-1)
        logits: Tensor = self.head(hidden)
        return logits


class TCN(nn.Module):
    """CMVN, residual blocks of two dilated causal convolutions, a dense ReLU layer, logits."""

    def __init__(
        self,
        bins: int,
        classes: int,
        channels: int,
        layers: int,
        kernel: int,
        dense: int,
        dropout: float,
        cmvn_frames: int,
    ):
        super().__init__()
        self.cmvn = CMVN(cmvn_frames)
        self.blocks = nn.Sequential(
            *(
                ResidualBlock(channels if number else bins, channels, kernel, 2**number, dropout)
                for number in range(layers)
            )
        )
        self.dropout = nn.Dropout(dropout)
        self.dense = nn.Linear(channels, dense)
        self.output = nn.Linear(dense, classes)

    def forward(self, features: Tensor) -> Tensor:
        hidden = self.dropout(self.blocks(self.cmvn(features).transpose(1, 2)).transpose(1, 2))
        logits: Tensor = self.output(torch.relu(self.dense(hidden)))
        return logits


class ResidualBlock(nn.Module):
    """Twice convolution, ReLU and dropout of channels, and the input added."""

    def __init__(self, inputs: int, channels: int, kernel: int, dilation: int, dropout: float):
        super().__init__()
        self.first = weight_norm(nn.Conv1d(inputs, channels, kernel, dilation=dilation))
        self.second = weight_norm(nn.Conv1d(channels, channels, kernel, dilation=dilation))
        self.around = nn.Conv1d(inputs, channels, 1) if inputs != channels else nn.Identity()
        self.dropout = nn.Dropout1d(dropout)
        self.past = (kernel - 1) * dilation

    def forward(self, frames: Tensor) -> Tensor:
        hidden = self.dropout(torch.relu(self.first(F.pad(frames, (self.past, 0)))))
        hidden = self.dropout(torch.relu(self.second(F.pad(hidden, (self.past, 0)))))
        return torch.relu(hidden + self.around(frames))


class Conformer(nn.Module):
    """CMVN, a linear layer, Conformer blocks with a limited past and no future, logits."""

    def __init__(
        self,
        bins: int,
        classes: int,
        width: int,
        layers: int,
        heads: int,
        kernel: int,
        context_frames: int,
        dropout: float,
        cmvn_frames: int,
    ):
        super().__init__()
        self.cmvn = CMVN(cmvn_frames)
        self.input = nn.Linear(bins, width)
        self.dropout = nn.Dropout(dropout)
        self.blocks = nn.Sequential(
            *(ConformerBlock(width, heads, kernel, context_frames, dropout) for _ in range(layers))
        )
        self.output = nn.Linear(width, classes)

    def forward(self, features: Tensor) -> Tensor:
        logits: Tensor = self.output(self.blocks(self.dropout(self.input(self.cmvn(features)))))
        return logits


class ConformerBlock(nn.Module):
    """Half a feed-forward layer, attention, convolution, half a feed-forward layer, LayerNorm."""

    def __init__(self, width: int, heads: int, kernel: int, context: int, dropout: float):
        super().__init__()
        self.before = _feed_forward(width, dropout)
        self.attention = Attention(width, heads, context, dropout)
        self.gate = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.GLU())
        self.depthwise = nn.Conv1d(width, width, kernel, groups=width)
        self.mix = nn.Sequential(
            nn.LayerNorm(width), nn.SiLU(), nn.Linear(width, width), nn.Dropout(dropout)
        )
        self.behind = _feed_forward(width, dropout)
        self.norm = nn.LayerNorm(width)
        self.past = kernel - 1

    def forward(self, frames: Tensor) -> Tensor:
        frames = frames + 0.5 * self.before(frames)
        frames = frames + self.attention(frames)
        gated = F.pad(self.gate(frames).transpose(1, 2), (self.past, 0))
        frames = frames + self.mix(self.depthwise(gated).transpose(1, 2))
        normed: Tensor = self.norm(frames + 0.5 * self.behind(frames))
        return normed


def _feed_forward(width: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(
        nn.LayerNorm(width),
        nn.Linear(width, 4 * width),
        nn.SiLU(),
        nn.Dropout(dropout),
        nn.Linear(4 * width, width),
        nn.Dropout(dropout),
    )


class Attention(nn.Module):
    """torch's attention with one learned bias per head and distance, over a limited past."""

    def __init__(self, width: int, heads: int, context: int, dropout: float):
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(heads, context + 1))
        self.norm = nn.LayerNorm(width)
        self.project = nn.Linear(width, 3 * width)
        self.output = nn.Linear(width, width)
        self.dropout = nn.Dropout(dropout)
        self.context = context

    def forward(self, frames: Tensor) -> Tensor:
        batch, time, _ = frames.shape
        places = torch.arange(time, device=frames.device)
        distance = places[:, None] - places
        outside = (distance < 0) | (distance > self.context)
        mask = self.bias[:, distance.clamp(0, self.context)].masked_fill(outside, -math.inf)
        q, k, v = (
            part.reshape(batch, time, len(self.bias), -1).transpose(1, 2)
            for part in self.project(self.norm(frames)).chunk(3, dim=-1)
        )
        drop = self.dropout.p if self.training else 0.0
        attended = F.scaled_dot_product_attention(q, k, v, mask.to(q.dtype), drop)
        outputs: Tensor = self.dropout(self.output(attended.transpose(1, 2).flatten(2)))
        return outputs


class ConvBlocks(nn.Module):
    """Convolution, batch norm, ReLU and maximum pooling, several times."""

    def __init__(
        self, bins: int, channels: Sequence[int], kernels: Sequence[int], pool_time: bool = True
    ):
        super().__init__()
        sides = [*kernels, *[kernels[-1]] * len(channels)]
        self.convolutions = nn.ModuleList(
            nn.Conv2d(before, after, side, padding=side // 2, bias=False)
            for before, after, side in zip([1, *channels], channels, sides, strict=False)
        )
        self.norms = nn.ModuleList(nn.BatchNorm2d(width) for width in channels)
        self.pool = nn.MaxPool2d((2 if pool_time else 1, 2), ceil_mode=True)
        self.units = channels[-1] * math.ceil(bins / 2 ** len(channels))

    def forward(self, features: Tensor) -> Tensor:
        """``features (batch, time, bins) -> hidden (batch, frames, units)``."""
        hidden = features.unsqueeze(1)
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            hidden = self.pool(torch.relu(norm(convolution(hidden))))
        return hidden.transpose(1, 2).flatten(2)


class CNN(nn.Module):
    """Blocks of 3x3 convolutions, mean over time, a dense ReLU layer, logits."""

    def __init__(
        self, bins: int, classes: int, channels: Sequence[int], dense: int, dropout: float
    ):
        super().__init__()
        self.blocks = ConvBlocks(bins, channels, kernels=(3,))
        self.dropout = nn.Dropout(dropout)
        self.dense = nn.Linear(self.blocks.units, dense)
        self.output = nn.Linear(dense, classes)

    def forward(self, features: Tensor) -> Tensor:
        pooled = self.dropout(self.blocks(features).mean(1))
        logits: Tensor = self.output(torch.relu(self.dense(pooled)))
        return logits


class CRNN(nn.Module):
    """Blocks of convolutions, a bidirectional LSTM, mean over time, logits."""

    def __init__(
        self,
        bins: int,
        classes: int,
        channels: Sequence[int],
        units: int,
        pool_time: bool,
        dropout: float,
    ):
        super().__init__()
        self.blocks = ConvBlocks(bins, channels, (7, 5, 3), pool_time)
        self.lstm = nn.LSTM(self.blocks.units, units, batch_first=True, bidirectional=True)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(2 * units, classes)

    def forward(self, features: Tensor) -> Tensor:
        pooled = self.lstm(self.blocks(features))[0].mean(1)
        logits: Tensor = self.output(self.dropout(pooled))
        return logits


class ECAPATDNN(nn.Module):
    """SE-Res2 blocks, multi-layer aggregation, attentive statistics, embedding, logits."""

    def __init__(
        self,
        bins: int,
        classes: int,
        channels: int,
        aggregated: int,
        embedding: int,
        bottleneck: int,
        cmvn: bool,
    ):
        super().__init__()
        self.cmvn = cmvn
        self.stem = _tdnn(bins, channels, 5, 1)
        self.blocks = nn.ModuleList(
            SERes2Block(channels, dilation, bottleneck) for dilation in (2, 3, 4)
        )
        self.aggregation = nn.Conv1d(3 * channels, aggregated, 1)
        self.attention = nn.Sequential(
            nn.Conv1d(3 * aggregated, bottleneck, 1),
            nn.ReLU(),
            nn.BatchNorm1d(bottleneck),
            nn.Tanh(),
            nn.Conv1d(bottleneck, aggregated, 1, bias=False),
        )
        self.embedding = nn.Sequential(
            nn.BatchNorm1d(2 * aggregated),
            nn.Linear(2 * aggregated, embedding),
            nn.BatchNorm1d(embedding),
        )
        self.output = nn.Linear(embedding, classes)

    def forward(self, features: Tensor) -> Tensor:
        if self.cmvn:
            deviation, mean = torch.std_mean(features, 1, correction=0, keepdim=True)
            features = (features - mean) / deviation
        hidden = self.stem(features.transpose(1, 2))
        outputs: list[Tensor] = []
        for block in self.blocks:
            outputs.append(block(hidden))
            hidden = hidden + outputs[-1]
        frames = torch.relu(self.aggregation(torch.cat(outputs, dim=1)))
        mean, deviation = frames.mean(2, keepdim=True), frames.std(2, correction=0, keepdim=True)
        context = torch.cat([mean, deviation], dim=1).expand(-1, -1, frames.shape[2])
        weights = self.attention(torch.cat([frames, context], dim=1)).softmax(2)
        mean = (frames * weights).sum(2)
        variance = ((frames - mean.unsqueeze(2)).square() * weights).sum(2)
        pooled = torch.cat([mean, variance.clamp(min=1e-6).sqrt()], dim=1)
        logits: Tensor = self.output(self.embedding(pooled))
        return logits


class SERes2Block(nn.Module):
    """Dense layer, Res2 convolution of 8 parts, dense layer, squeeze-excitation, input added."""

    def __init__(self, channels: int, dilation: int, bottleneck: int):
        super().__init__()
        self.before = _tdnn(channels, channels, 1, 1)
        self.parts = nn.ModuleList(
            _tdnn(channels // 8, channels // 8, 3, dilation) for _ in "1234567"
        )
        self.after = _tdnn(channels, channels, 1, 1)
        self.gate = nn.Sequential(
            nn.Linear(channels, bottleneck),
            nn.ReLU(),
            nn.Linear(bottleneck, channels),
            nn.Sigmoid(),
        )

    def forward(self, hidden: Tensor) -> Tensor:
        first, *others = self.before(hidden).chunk(8, dim=1)
        outputs = [first]
        for number, (part, convolution) in enumerate(zip(others, self.parts, strict=True)):
            outputs.append(convolution(part + outputs[-1] if number else part))
        mixed = self.after(torch.cat(outputs, dim=1))
        return hidden + mixed * self.gate(mixed.mean(2)).unsqueeze(2)


def _tdnn(before: int, after: int, kernel: int, dilation: int) -> nn.Sequential:
    padding = kernel // 2 * dilation
    return nn.Sequential(
        nn.Conv1d(before, after, kernel, padding=padding, dilation=dilation),
        nn.ReLU(),
        nn.BatchNorm1d(after),
    )


NETWORKS: dict[str, Callable[..., nn.Module]] = {
    "rnn": functools.partial(Recurrent, nn.RNN, 1),
    "gru": functools.partial(Recurrent, nn.GRU, 1),
    "lstm": functools.partial(Recurrent, nn.LSTM, 1),
    "bigru": functools.partial(Recurrent, nn.GRU, 2),
    "bilstm": functools.partial(Recurrent, nn.LSTM, 2),
    "tcn": TCN,
    "conformer": Conformer,
    "cnn": CNN,
    "crnn": CRNN,
    "ecapa_tdnn": ECAPATDNN,
}


class BareStep:
    """A training step of plain PyTorch on normalised batches that are in memory already.

    ``shape`` is that of a batch, ``(batch, time, bins)``, ``weight (classes,)`` that of the loss.
    ``precision`` is one of Lightning's: under ``bf16-mixed`` the forward pass is autocast.
    """

    def __init__(
        self,
        network: nn.Module,
        weight: Tensor,
        device: torch.device,
        shape: tuple[int, int, int],
        precision: str = "32-true",
    ):
        self.network = network.to(device)
        self.optimizer = torch.optim.Adam(network.parameters(), lr=0.001)
        self.weight = weight.to(device)
        self.autocast = functools.partial(
            torch.autocast, device.type, torch.bfloat16, enabled=precision == "bf16-mixed"
        )
        self.language = torch.arange(shape[0], device=device) % len(weight)
        speech = (torch.rand(shape[:2], device=device) < 0.8 for _ in range(4))
        self.batches = [
            (torch.randn(shape, device=device), torch.where(mask, self.language[:, None], -100))
            for mask in speech
        ]
        self.taken = 0

    def step(self, frames: int | None = None) -> None:
        """Take one step of training, on so many frames of each sequence, or on all."""
        features, targets = (of[:, :frames] for of in self.batches[self.taken % len(self.batches)])
        self.taken += 1
        self.optimizer.zero_grad()
        with self.autocast():
            logits = self.network(features)
            if logits.dim() == 2:  # of the utterance
                logits, targets = logits.unsqueeze(1), self.language
            loss = F.cross_entropy(
                logits.flatten(0, 1), targets.flatten(), self.weight, ignore_index=-100
            )
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimizer.step()
