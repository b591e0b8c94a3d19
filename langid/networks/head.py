"""The head of a network: dense layers, and the logits."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

ACTIVATIONS = {"relu": torch.relu, "tanh": torch.tanh}


class Head(nn.Module):
    """Dense layers, each with its activation, dropout, and the output layer.

    ``hidden (batch, time, units) -> logits (batch, time, classes)``. ``dense`` is the width of one
    layer or a list with the width of each; 0 or an empty list is for none. ``activation`` is
    ``relu`` or ``tanh``. Raises ValueError for anything else.
    """

    def __init__(
        self,
        units: int,
        num_classes: int,
        dense: int | Sequence[int] = 100,
        activation: str = "relu",
        dropout: float = 0.0,
    ):
        super().__init__()
        if activation not in tuple(ACTIVATIONS):
            raise ValueError(f"activation={activation}: accepted are {', '.join(ACTIVATIONS)}")
        widths = list(dense) if isinstance(dense, Sequence) else [dense] if dense != 0 else []
        if not all(isinstance(width, int) and width >= 1 for width in widths):
            accepted = "1 and more, a list of such, one a layer, or 0 for none"
            raise ValueError(f"dense={dense}: accepted are {accepted}")
        widths = [units, *widths]
        self.dense = nn.ModuleList(nn.Linear(before, after) for before, after in pairwise(widths))
        self.activation = ACTIVATIONS[activation]
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(widths[-1], num_classes)

    def forward(self, hidden: Tensor) -> Tensor:
        for layer in self.dense:
            hidden = self.activation(layer(hidden))
        return self.output(self.dropout(hidden))
