"""Recurrent networks: in one direction, which stream, and in both, which need whole utterances."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from langid.networks.heard import compact, hold
from langid.networks.network import Network, State, StreamingNetwork

# Added to what a gate sums up, opens or closes it to the last bit: sigmoid(-1e4) is 0.
SATURATION = 1e4


class Recurrent(Network):
    """Recurrent layers, a dense ReLU layer, and logits for every frame.

    ``units`` is the width of all ``layers``, or a list with the width of each. Dropout stands
    between the layers and before the dense one.
    """

    cell: type[nn.RNN] | type[nn.GRU] | type[nn.LSTM]
    bidirectional = False

    def __init__(
        self,
        bins: int,
        num_classes: int,
        units: int | Sequence[int] = 200,
        layers: int = 1,
        dense: int = 100,
        dropout: float = 0.0,
    ):
        super().__init__()
        self.widths = widths = _widths(units, layers)
        if dense < 1:
            raise ValueError(f"dense={dense}: accepted are 1 and more")
        directions = 2 if self.bidirectional else 1
        inputs = [bins, *(directions * width for width in widths)]
        # One module per layer: then the state after any frame can be read off the outputs.
        self.layers = nn.ModuleList(
            self.cell(size, width, batch_first=True, bidirectional=self.bidirectional)
            for size, width in zip(inputs, widths, strict=False)
        )
        self.dropout = nn.Dropout(dropout)
        self.dense = nn.Linear(inputs[-1], dense)
        self.output = nn.Linear(dense, num_classes)

    def logits(self, hidden: Tensor) -> Tensor:
        """``hidden (batch, time, units) -> logits (batch, time, classes)``."""
        logits: Tensor = self.output(torch.relu(self.dense(self.dropout(hidden))))
        return logits


def _widths(units: int | Sequence[int], layers: int) -> list[int]:
    if layers < 1:
        raise ValueError(f"layers={layers}: accepted are 1 and more")
    widths = list(units) if isinstance(units, Sequence) else [units] * layers
    if not widths or not all(isinstance(width, int) and width >= 1 for width in widths):
        raise ValueError(f"units={units}: accepted are 1 and more, or a list of such, one a layer")
    if layers not in (1, len(widths)):
        raise ValueError(
            f"layers={layers}, but units={units} are {len(widths)} layers; leave layers out"
        )
    return widths


class StreamingRecurrent(Recurrent, StreamingNetwork):
    """Recurrent layers in one direction; the state is what each layer remembers."""

    memories = 1

    def initial_state(self, batch_size: int) -> State:
        """Return zeros ``(batch, units)`` for each memory of each layer."""
        sizes = [width for width in self.widths for _ in range(self.memories)]
        return tuple(self.output.weight.new_zeros(batch_size, size) for size in sizes)

    def step(
        self, features: Tensor, state: State, advance: Tensor | None = None
    ) -> tuple[Tensor, State]:
        hidden, heard = compact(features, advance)
        after: list[Tensor] = []
        for layer in self.layers:
            before = state[len(after) : len(after) + self.memories]
            frames = self.dropout(hidden) if after else hidden
            hidden, memory = self._hear(layer, frames, before, heard)
            after.extend(memory)
        return self.logits(hold(before[0], hidden, heard)), tuple(after)

    def _hear(
        self, layer: nn.Module, frames: Tensor, before: State, heard: Tensor | None
    ) -> tuple[Tensor, State]:
        """Run one layer on compact frames; return its outputs and what it remembers of them."""
        outputs, last = layer(frames, before[0].unsqueeze(0))
        if heard is None:
            return outputs, (last.squeeze(0),)
        return outputs, (hold(before[0], outputs, heard[:, -1:]).squeeze(1),)


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
    memories = 2

    def _hear(
        self, layer: nn.Module, frames: Tensor, before: State, heard: Tensor | None
    ) -> tuple[Tensor, State]:
        hidden, cell = (memory.unsqueeze(0) for memory in before)
        if heard is None:
            outputs, (hidden, cell) = layer(frames, (hidden, cell))
            return outputs, (hidden.squeeze(0), cell.squeeze(0))
        # Of the cells only the last is to be had. So one more input says which frames lie behind
        # those heard; it opens the forget gate and closes the input gate, and the cell stays.
        behind = torch.arange(frames.shape[1], device=frames.device) >= heard[:, -1:]
        frames = torch.cat([frames, behind.unsqueeze(-1).to(frames.dtype)], dim=-1)
        outputs, _, cell = torch.lstm(
            frames, (hidden, cell), _holding_weights(layer), True, 1, 0.0, False, False, True
        )
        return outputs, (hold(before[0], outputs, heard[:, -1:]).squeeze(1), cell.squeeze(0))


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
        packed = pack_padded_sequence(
            features, lengths.cpu(), batch_first=True, enforce_sorted=False
        )
        for number, layer in enumerate(self.layers):
            if number:
                packed = packed._replace(data=self.dropout(packed.data))
            packed, _ = layer(packed)
        hidden, _ = pad_packed_sequence(packed, batch_first=True, total_length=features.shape[1])
        return self.logits(hidden)


class BiGRU(BidirectionalRecurrent):
    """Gated recurrent units in both directions (Schuster and Paliwal 1997; Cho et al. 2014)."""

    cell = nn.GRU


class BiLSTM(BidirectionalRecurrent):
    """Long short-term memory in both directions (Graves and Schmidhuber 2005)."""

    cell = nn.LSTM
