"""Recurrent networks: in one direction, which stream, and in both, which need whole utterances."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from langid.errors import check_least
from langid.networks.cmvn import CMVN
from langid.networks.head import Head
from langid.networks.network import Network, State, StreamingNetwork
from langid.networks.padding import any_padding
from langid.networks.running_statistics import StatisticsPooling
from langid.networks.skipped_frames import compact, hold
from langid.networks.spectral_convolutions import SpectralConvolutions

Cell = type[nn.RNN] | type[nn.GRU] | type[nn.LSTM]

# Added to what a gate sums up, opens or closes it to the last bit: sigmoid(-1e4) is 0.
SATURATION = 1e4


class Recurrent(Network):
    """Recurrent layers, dense layers, and logits for every frame.

    ``units`` is the width of all ``layers``, or a list with the width of each; ``dense`` and
    ``activation`` are those of ``Head``. ``dropout`` stands between the layers and before the dense
    ones, ``head_dropout`` behind these. With ``cmvn_frames`` features are normalised first
    by mean and deviation of about so many frames before, as ``CMVN`` does. ``convolutions`` of so
    many channels stand before the recurrent layers, as ``SpectralConvolutions`` are, with frames
    of ``stacked`` ones. With ``pooling_frames`` the dense layers get mean and deviation of about so
    many frames of the last recurrent layer, and the network is cumulative. ``pause_frames`` then
    is after how many frames in a row that are skipped the recurrent layers begin anew, 0 for never:
    somebody else may speak. Mean and deviation go on, so that the answer does.
    """

    cell: Cell
    remembered = 1  # tensors of each layer, in a stream
    memories: Sequence[tuple[int, ...]]
    frames_at_once: int
    bidirectional = False

    def __init__(
        self,
        bins: int,
        num_classes: int,
        units: int | Sequence[int] = 200,
        layers: int = 1,
        dense: int | Sequence[int] = 100,
        activation: str = "relu",
        dropout: float = 0.0,
        head_dropout: float = 0.0,
        cmvn_frames: int = 0,
        pooling_frames: int = 0,
        pause_frames: int = 0,
        convolutions: Sequence[int] = (),
        stacked: int = 1,
    ):
        super().__init__()
        check_least(1, layers=layers)
        check_least(
            0, cmvn_frames=cmvn_frames, pooling_frames=pooling_frames, pause_frames=pause_frames
        )
        widths = list(units) if isinstance(units, Sequence) else [units] * layers
        if pooling_frames and not isinstance(self, StreamingNetwork):
            raise ValueError(
                f"pooling_frames={pooling_frames}: accepted is 0 of networks that need whole"
                " utterances; it is for rnn, gru and lstm"
            )
        if pause_frames and not pooling_frames:
            raise ValueError(
                f"pause_frames={pause_frames}: accepted is 0 without pooling_frames, by which the"
                " answer goes on over a pause; set pooling_frames, too"
            )
        if not widths or not all(isinstance(width, int) and width >= 1 for width in widths):
            raise ValueError(
                f"units={units}: accepted are 1 and more, or a list of such, one a layer"
            )
        if layers not in (1, len(widths)):
            raise ValueError(
                f"layers={layers}, but units={units} are {len(widths)} layers; leave layers out"
            )
        self.cmvn = CMVN(bins, cmvn_frames) if cmvn_frames else None
        self.convolutions = None
        if convolutions:
            self.convolutions = SpectralConvolutions(bins, convolutions, stacked)
            bins = self.convolutions.units
        directions = 2 if self.bidirectional else 1
        inputs = [bins, *(directions * width for width in widths)]
        # One module per layer: then the state after any frame can be read off the outputs.
        self.layers = nn.ModuleList(
            self.cell(size, width, batch_first=True, bidirectional=self.bidirectional)
            for size, width in zip(inputs, widths, strict=False)
        )
        first = [part.memory for part in self.front]
        self.memories = first + [(width,) for width in widths for _ in range(self.remembered)]
        self.dropout = nn.Dropout(dropout)
        self.pooling = StatisticsPooling(inputs[-1], pooling_frames) if pooling_frames else None
        self.cumulative = self.pooling is not None
        if self.pooling:
            self.memories.append(self.pooling.memory)
        self.pause_frames = self.frames_at_once = pause_frames
        if pause_frames:
            self.memories.append((1,))  # frames since the last that was not skipped
        heard = 2 * inputs[-1] if self.pooling else inputs[-1]
        self.head = Head(heard, num_classes, dense, activation, head_dropout)

    @property
    def front(self) -> list[CMVN | SpectralConvolutions]:
        """What stands before the recurrent layers, each with a memory of its own."""
        return [part for part in (self.cmvn, self.convolutions) if part is not None]

    @property
    def output(self) -> nn.Linear:
        """The layer of the logits."""
        return self.head.output

    def logits(self, hidden: Tensor) -> Tensor:
        """``hidden (batch, time, units)``, or statistics of it, ``-> (batch, time, classes)``."""
        return self.head(self.dropout(hidden))

    def process_whole(self, features: Tensor, lengths: Tensor) -> Tensor:
        """``features (batch, time, bins) -> (batch, time, units)``, with dropout between layers."""
        for part in self.front:
            features, _ = part(features, features.new_zeros(len(features), *part.memory))
        for number, layer in enumerate(self.layers):
            frames = self.dropout(features) if number else features
            features = process_both_ways(layer, frames, lengths)
        return features


def process_both_ways(layer: nn.Module, features: Tensor, lengths: Tensor) -> Tensor:
    """Run a layer whose way back, if it has one, begins at each utterance's last frame.

    ``features (batch, time, bins) -> (batch, time, units)``. This is what packed sequences do; on a
    CPU they take up to five times as long.
    """
    if not layer.bidirectional or not any_padding(lengths, features.shape[1]):
        return layer(features)[0]
    place = torch.arange(features.shape[1], device=features.device)
    last = lengths[:, None] - 1
    turned = torch.where(place <= last, last - place, place).unsqueeze(-1)
    there, back = layer.all_weights  # type: ignore[misc]
    forth = _one_way(layer, there, features)
    turned_back = _one_way(layer, back, features.gather(1, turned.expand_as(features)))
    return torch.cat([forth, turned_back.gather(1, turned.expand_as(turned_back))], dim=-1)


def _one_way(layer: nn.Module, weights: list[Tensor], features: Tensor) -> Tensor:
    """Run one direction of a layer, from no memory at all."""
    zeros = features.new_zeros(1, features.shape[0], layer.hidden_size)  # type: ignore[call-overload]
    state = (zeros, zeros) if isinstance(layer, nn.LSTM) else zeros
    function = getattr(torch, str(layer.mode).lower())  # rnn_tanh, gru or lstm
    return function(features, state, weights, True, 1, 0.0, False, False, True)[0]


class StreamingRecurrent(Recurrent, StreamingNetwork):
    """Recurrent layers in one direction; the state is what each layer remembers."""

    def step(
        self, features: Tensor, state: State, advance: Tensor | None = None
    ) -> tuple[Tensor, State]:
        if not self.pause_frames:
            return self._go_on(features, state, advance)
        state, skipped = state[:-1], state[-1]
        if advance is None:
            logits, state = self._go_on(features, state, None)
            return logits, (*state, torch.zeros_like(skipped))
        parts = [(features, advance)]
        if not torch.compiler.is_exporting():  # whoever runs the graph cuts, by frames_at_once
            size = self.pause_frames
            cut = (torch.split(whole, size, dim=1) for whole in (features, advance))
            parts = [*zip(*cut, strict=True)]
        found = []
        for frames, kept in parts:
            state, skipped = self._over_pause(state, skipped, kept)
            logits, state = self._go_on(frames, state, kept)
            found.append(logits)
        return torch.cat(found, dim=1), (*state, skipped)

    def _over_pause(self, state: State, skipped: Tensor, advance: Tensor) -> tuple[State, Tensor]:
        """Empty the recurrent layers' memory where a pause goes on long enough; count frames.

        ``advance (batch, time)`` are so few frames that no whole pause lies within. ``skipped
        (batch, 1)`` are the frames since the last that was kept: before, and returned behind them.
        """
        counts, kept = advance.long().cumsum(1), advance.sum(1, keepdim=True)
        leading = (counts == 0).sum(1, keepdim=True)
        going_on = (skipped + leading < self.pause_frames).to(skipped.dtype)
        first, last = len(self.front), len(state) - 1
        layers = (memory * going_on for memory in state[first:last])
        since = (counts == kept).sum(1, keepdim=True)  # that last one, and all behind it
        skipped = torch.where(kept > 0, since - 1, skipped + since)
        return (*state[:first], *layers, state[last]), skipped

    def _go_on(
        self, features: Tensor, state: State, advance: Tensor | None
    ) -> tuple[Tensor, State]:
        """Step through frames with the memory that there is."""
        hidden, counts = compact(features, advance)
        after: list[Tensor] = []
        for part in self.front:
            hidden, memory = part(hidden, state[len(after)], counts)
            after.append(memory)
        for number, layer in enumerate(self.layers):
            before = state[len(after) : len(after) + self.remembered]
            frames = self.dropout(hidden) if number else hidden
            hidden, memories = self._process(layer, frames, before, counts)
            after.extend(memories)
        if self.pooling:
            hidden, memory = self.pooling(hidden, state[-1], counts)
            after.append(memory)
        else:
            hidden = hold(before[0], hidden, counts)
        return self.logits(hidden), tuple(after)

    def _process(
        self, layer: nn.Module, frames: Tensor, before: State, counts: Tensor | None
    ) -> tuple[Tensor, State]:
        """Run one layer on compact frames; return its outputs and what it remembers of them."""
        outputs, last = layer(frames, before[0].unsqueeze(0))
        if counts is None:
            return outputs, (last.squeeze(0),)
        return outputs, (hold(before[0], outputs, counts[:, -1:]).squeeze(1),)


class RNN(StreamingRecurrent):
    """The simple recurrent network (Elman 1990) with tanh."""

    cell = nn.RNN


class GRU(StreamingRecurrent):
    """Gated recurrent units (Cho et al. 2014).

    With 64 bins, 200 units, 100 dense units and 3 classes it has the 180,003 parameters of the
    EE599 course's baseline.
    """

    cell = nn.GRU


class LSTM(StreamingRecurrent):
    """Long short-term memory (Hochreiter and Schmidhuber 1997; forget gate of Gers et al. 2000).

    A layer remembers two tensors: its output and its cell.
    """

    cell = nn.LSTM
    remembered = 2

    def _process(
        self, layer: nn.Module, frames: Tensor, before: State, counts: Tensor | None
    ) -> tuple[Tensor, State]:
        hidden, cell = (memory.unsqueeze(0) for memory in before)
        if counts is None:
            outputs, (hidden, cell) = layer(frames, (hidden, cell))
            return outputs, (hidden.squeeze(0), cell.squeeze(0))
        # Of the cells only the last is to be had. So one more input says which frames lie behind
        # those that count; it opens the forget gate and closes the input gate, and the cell stays.
        behind = torch.arange(frames.shape[1], device=frames.device) >= counts[:, -1:]
        frames = torch.cat([frames, behind.unsqueeze(-1).to(frames.dtype)], dim=-1)
        outputs, _, cell = torch.lstm(
            frames, (hidden, cell), _holding_weights(layer), True, 1, 0.0, False, False, True
        )
        return outputs, (hold(before[0], outputs, counts[:, -1:]).squeeze(1), cell.squeeze(0))


def _holding_weights(layer: nn.Module) -> list[Tensor]:
    """Return the weights of an nn.LSTM with one more input, which makes the cell stay."""
    weight, *others = layer.parameters()  # gates in the order input, forget, cell, output
    gates = weight.new_tensor([-SATURATION, SATURATION, 0.0, 0.0])
    column = gates.repeat_interleave(len(weight) // 4).unsqueeze(1)
    return [torch.cat([weight, column], dim=1), *others]


class BidirectionalRecurrent(Recurrent):
    """Recurrent layers in both directions; the way back begins at each utterance's last frame."""

    bidirectional = True

    def forward(self, features: Tensor, lengths: Tensor) -> Tensor:
        return self.logits(self.process_whole(features, lengths))


class BiGRU(BidirectionalRecurrent):
    """Gated recurrent units in both directions (Schuster and Paliwal 1997; Cho et al. 2014)."""

    cell = nn.GRU


class BiLSTM(BidirectionalRecurrent):
    """Long short-term memory in both directions (Graves and Schmidhuber 2005)."""

    cell = nn.LSTM
