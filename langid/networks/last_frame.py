"""Recurrent network whose last frame decides for the whole utterance."""

from collections.abc import Sequence

from torch import Tensor, nn

from langid.networks.network import UtteranceNetwork
from langid.networks.padding import last_frame, some_frames
from langid.networks.recurrent import Cell, Recurrent

CELLS: dict[str, Cell] = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}


class LastFrame(Recurrent, UtteranceNetwork):
    """Recurrent layers, of whose outputs the last frame goes through dense layers to the logits.

    The last frame is that of each utterance's own length. In both directions it holds the last
    output of the way there and the first of the way back, as ``outputs[:, -1]`` of torch's layers
    does in published networks. ``dropout`` stands between the layers only, as torch's own does.
    ``cell`` is ``rnn``, ``gru`` or ``lstm``; ``units``, ``layers`` and
    ``dropout`` are those of ``GRU``, the other keys those of ``Head``.
    """

    def __init__(
        self,
        bins: int,
        num_classes: int,
        cell: str = "gru",
        bidirectional: bool = False,
        units: int | Sequence[int] = 200,
        layers: int = 1,
        dense: int | Sequence[int] = 100,
        activation: str = "relu",
        dropout: float = 0.0,
        head_dropout: float = 0.0,
    ):
        if cell not in tuple(CELLS):
            raise ValueError(f"cell={cell}: accepted are {', '.join(CELLS)}")
        self.cell, self.bidirectional = CELLS[cell], bidirectional
        super().__init__(bins, num_classes, units, layers, dense, activation, dropout, head_dropout)

    def forward(self, features: Tensor, lengths: Tensor) -> Tensor:
        hidden = self.process_whole(some_frames(features), lengths.clamp(min=1))
        return self.head(last_frame(hidden, lengths))
