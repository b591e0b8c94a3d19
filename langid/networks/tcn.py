"""The temporal convolutional network."""

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from langid.errors import check_least
from langid.networks.cmvn import CMVN
from langid.networks.network import State, StreamingNetwork
from langid.networks.skipped_frames import compact, hold, window


class TCN(StreamingNetwork):
    """Dilated causal convolutions in residual blocks (Bai et al. 2018), and logits for every frame.

    Block number i of ``layers`` has two convolutions of ``kernel`` frames that are 2^i apart, so a
    frame of logits sees ``1 + 2 (kernel - 1)(2^layers - 1)`` frames. A dense ReLU layer follows.
    Before the first frame that is kept the logits are zeros. ``cmvn_frames`` is that of
    ``Recurrent``.
    """

    def __init__(
        self,
        bins: int,
        num_classes: int,
        channels: int = 64,
        layers: int = 6,
        kernel: int = 3,
        dense: int = 100,
        dropout: float = 0.05,
        cmvn_frames: int = 0,
    ):
        super().__init__()
        check_least(1, channels=channels, layers=layers, dense=dense)
        check_least(2, kernel=kernel)
        check_least(0, cmvn_frames=cmvn_frames)
        self.cmvn = CMVN(bins, cmvn_frames) if cmvn_frames else None
        self.blocks = nn.ModuleList(
            ResidualBlock(channels if number else bins, channels, kernel, 2**number, dropout)
            for number in range(layers)
        )
        self.dropout = nn.Dropout(dropout)
        self.dense = nn.Linear(channels, dense)
        self.output = nn.Linear(dense, num_classes)
        # That of cmvn, what each convolution needs again, and the last logits.
        first = [self.cmvn.memory] if self.cmvn else []
        of_blocks = [shape for block in self.blocks for shape in block.memories]  # type: ignore[union-attr]
        self.memories = [*first, *of_blocks, (num_classes,)]

    def step(
        self, features: Tensor, state: State, advance: Tensor | None = None
    ) -> tuple[Tensor, State]:
        hidden, counts = compact(features, advance)
        after: list[Tensor] = []
        if self.cmvn:
            hidden, memory = self.cmvn(hidden, state[0], counts)
            after.append(memory)
        hidden = hidden.transpose(1, 2)
        for block in self.blocks:
            hidden, memories = block(hidden, state[len(after) : len(after) + 2], counts)
            after.extend(memories)
        logits = self.output(torch.relu(self.dense(self.dropout(hidden.transpose(1, 2)))))
        logits = hold(state[-1], logits, counts)
        return logits, (*after, logits[:, -1])


class ResidualBlock(nn.Module):
    """Two dilated causal convolutions with weight norm and spatial dropout, and a way around them.

    ``frames (batch, inputs, time), memory, counts -> frames (batch, channels, time), memory``.
    """

    def __init__(self, inputs: int, channels: int, kernel: int, dilation: int, dropout: float):
        super().__init__()
        self.first = weight_norm(nn.Conv1d(inputs, channels, kernel, dilation=dilation))
        self.second = weight_norm(nn.Conv1d(channels, channels, kernel, dilation=dilation))
        self.around = nn.Conv1d(inputs, channels, 1) if inputs != channels else nn.Identity()
        self.dropout = nn.Dropout1d(dropout)
        past = (kernel - 1) * dilation
        self.memories = ((past, inputs), (past, channels))

    def forward(
        self, frames: Tensor, memory: State, counts: Tensor | None
    ) -> tuple[Tensor, list[Tensor]]:
        hidden, after = frames, []
        for convolution, past in zip((self.first, self.second), memory, strict=True):
            hidden = torch.cat([past.transpose(1, 2), hidden], dim=2)
            after.append(window(hidden.transpose(1, 2), past.shape[1], counts))
            hidden = self.dropout(torch.relu(convolution(hidden)))
        return torch.relu(hidden + self.around(frames)), after
