"""Recurrent networks."""

import torch
from torch import Tensor, nn

from langid.networks.network import State, StreamingNetwork


class GRU(StreamingNetwork):
    """Gated recurrent units (Cho et al. 2014), a dense ReLU layer, and logits for every frame.

    With 64 bins, 200 units, 100 dense units and 3 classes it has the 180,003 parameters of the
    EE599 course's baseline.
    """

    def __init__(
        self,
        bins: int,
        num_classes: int,
        units: int = 200,
        layers: int = 1,
        dense: int = 100,
        dropout: float = 0.0,
    ):
        super().__init__()
        for name, value in (("units", units), ("layers", layers), ("dense", dense)):
            if value < 1:
                raise ValueError(f"{name}={value}: accepted are 1 and more")
        widths = [bins] + [units] * layers
        # One module per layer: then the state after any frame can be read off the outputs.
        self.layers = nn.ModuleList(nn.GRU(width, units, batch_first=True) for width in widths[:-1])
        self.dropout = nn.Dropout(dropout)
        self.dense = nn.Linear(units, dense)
        self.output = nn.Linear(dense, num_classes)
        self.units = units

    def initial_state(self, batch_size: int) -> State:
        """Return zeros ``(batch, units)`` for each layer."""
        zeros = self.output.weight.new_zeros(batch_size, self.units)
        return tuple(zeros for _ in self.layers)

    def step(
        self, features: Tensor, state: State, advance: Tensor | None = None
    ) -> tuple[Tensor, State]:
        if advance is not None:
            features, heard = _compact(features, advance)
        hidden = features
        after: list[Tensor] = []
        for layer, before in zip(self.layers, state, strict=True):
            outputs, last = layer(self.dropout(hidden) if after else hidden, before.unsqueeze(0))
            if advance is None:
                after.append(last.squeeze(0))
            else:
                held = torch.cat([before.unsqueeze(1), outputs], dim=1)
                after.append(_take(held, heard[:, -1:]).squeeze(1))
            hidden = outputs
        if advance is not None:
            hidden = _take(torch.cat([state[-1].unsqueeze(1), hidden], dim=1), heard)
        logits = self.output(torch.relu(self.dense(self.dropout(hidden))))
        return logits, tuple(after)


def _compact(features: Tensor, advance: Tensor) -> tuple[Tensor, Tensor]:
    """Move the frames that are heard to the front; also return how many were, up to each frame."""
    heard = advance.long().cumsum(1)
    place = torch.where(advance, heard - 1, features.shape[1])  # the others go behind the end
    place = place.unsqueeze(-1).expand(-1, -1, features.shape[2])
    room = torch.cat([torch.zeros_like(features), torch.zeros_like(features[:, :1])], dim=1)
    return room.scatter(1, place, features)[:, :-1], heard


def _take(frames: Tensor, index: Tensor) -> Tensor:
    """Pick frames: ``(batch, frames, units), index (batch, time) -> (batch, time, units)``."""
    return frames.gather(1, index.unsqueeze(-1).expand(-1, -1, frames.shape[2]))
