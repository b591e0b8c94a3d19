"""The Conformer, with a past of limited length and no future, so that it streams."""

import torch
from torch import Tensor, nn

from langid.errors import check_least
from langid.networks.cmvn import CMVN
from langid.networks.network import State, StreamingNetwork
from langid.networks.skipped_frames import compact, hold, window

PIECE = 100  # frames that are processed at once: the cost grows with time, not with its square


class Conformer(StreamingNetwork):
    """Attention and convolution in turns (Gulati et al. 2020), and logits for every frame.

    So that steps equal ``forward`` exactly, every frame attends to itself and the
    ``context_frames`` before it, convolutions of ``kernel`` frames are causal, and LayerNorm stands
    in for BatchNorm. Instead of sinusoids of the relative position each head learns one bias per
    distance (Raffel et al. 2020). Width, heads and kernel are those of the paper's smallest. Before
    the first frame that is kept the logits are zeros. ``cmvn_frames`` is that of ``Recurrent``.
    """

    def __init__(
        self,
        bins: int,
        num_classes: int,
        width: int = 144,
        layers: int = 4,
        heads: int = 4,
        kernel: int = 31,
        context_frames: int = 100,
        dropout: float = 0.1,
        cmvn_frames: int = 0,
    ):
        super().__init__()
        check_least(1, width=width, layers=layers, heads=heads, context_frames=context_frames)
        check_least(2, kernel=kernel)
        check_least(0, cmvn_frames=cmvn_frames)
        if width % heads:
            raise ValueError(f"heads={heads}: accepted are divisors of width={width}")
        self.cmvn = CMVN(bins, cmvn_frames) if cmvn_frames else None
        self.input = nn.Linear(bins, width)
        self.dropout = nn.Dropout(dropout)
        self.blocks = nn.ModuleList(
            ConformerBlock(width, heads, kernel, context_frames, dropout) for _ in range(layers)
        )
        self.output = nn.Linear(width, num_classes)
        self.context_frames = context_frames
        # Those of cmvn and of each block, which of the past frames there were, and the last logits.
        first = [self.cmvn.memory] if self.cmvn else []
        of_blocks = [shape for block in self.blocks for shape in block.memories]  # type: ignore[union-attr]
        self.memories = [*first, *of_blocks, (context_frames, 1), (num_classes,)]

    def step(
        self, features: Tensor, state: State, advance: Tensor | None = None
    ) -> tuple[Tensor, State]:
        if torch.compiler.is_exporting():  # a graph has no number of pieces; its runtime cuts calls
            return self._process(features, state, advance)
        pieces = torch.split(features, PIECE, dim=1)
        masks = [None] * len(pieces) if advance is None else torch.split(advance, PIECE, dim=1)
        logits: list[Tensor] = []
        for piece, mask in zip(pieces, masks, strict=True):
            frames, state = self._process(piece, state, mask)
            logits.append(frames)
        return torch.cat(logits, dim=1), state

    def _process(
        self, features: Tensor, state: State, advance: Tensor | None
    ) -> tuple[Tensor, State]:
        features, counts = compact(features, advance)
        after: list[Tensor] = []
        if self.cmvn:
            features, moments = self.cmvn(features, state[0], counts)
            after.append(moments)
        hidden = self.dropout(self.input(features))
        there = torch.cat([state[-2], torch.ones_like(hidden[..., :1])], dim=1)
        # How far behind each frame those are that it might attend to, (time, past + time).
        places = torch.arange(there.shape[1], device=features.device)
        distance = places[self.context_frames :].unsqueeze(1) - places
        within = (distance >= 0) & (distance <= self.context_frames)
        mask = within & (there.transpose(1, 2) > 0)
        distance = distance.clamp(0, self.context_frames)
        for block in self.blocks:
            memory = state[len(after) : len(after) + 3]
            hidden, memory = block(hidden, memory, counts, distance, mask)
            after.extend(memory)
        logits = hold(state[-1], self.output(hidden), counts)
        return logits, (*after, window(there, self.context_frames, counts), logits[:, -1])


class ConformerBlock(nn.Module):
    """Half a feed-forward layer, attention, convolution, half a feed-forward layer, LayerNorm."""

    def __init__(self, width: int, heads: int, kernel: int, context: int, dropout: float):
        super().__init__()
        self.before = _feed_forward(width, dropout)
        self.attention = Attention(width, heads, dropout, context)
        self.convolution = Convolution(width, kernel, dropout)
        self.behind = _feed_forward(width, dropout)
        self.norm = nn.LayerNorm(width)
        # Past keys, values and inputs of the convolution.
        self.memories = [(context, width), (context, width), (kernel - 1, width)]

    def forward(
        self, frames: Tensor, memory: State, counts: Tensor | None, distance: Tensor, mask: Tensor
    ) -> tuple[Tensor, State]:
        keys, values, inputs = memory
        frames = frames + 0.5 * self.before(frames)
        attended, (keys, values) = self.attention(frames, (keys, values), counts, distance, mask)
        frames = frames + attended
        convolved, inputs = self.convolution(frames, inputs, counts)
        frames = frames + convolved
        return self.norm(frames + 0.5 * self.behind(frames)), (keys, values, inputs)


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
    """Attention of every frame to itself and ``context`` frames before it."""

    def __init__(self, width: int, heads: int, dropout: float, context: int):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.project = nn.Linear(width, 3 * width)
        self.output = nn.Linear(width, width)
        self.dropout = nn.Dropout(dropout)
        self.bias = nn.Parameter(torch.zeros(heads, context + 1))

    def forward(
        self, frames: Tensor, past: State, counts: Tensor | None, distance: Tensor, mask: Tensor
    ) -> tuple[Tensor, State]:
        """``frames (batch, time, width)``, past keys and values -> the same.

        ``distance (time, past + time)`` is how far behind, ``mask (batch, *distance) bool`` whether
        a frame attends.
        """
        query, *new = self.project(self.norm(frames)).chunk(3, dim=-1)
        known = [torch.cat(pair, dim=1) for pair in zip(past, new, strict=True)]
        q, k, v = (self._heads(tensor) for tensor in (query, *known))
        scores = q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5 + self.bias[:, distance]
        scores = scores.masked_fill(~mask.unsqueeze(1), float("-inf"))
        attended = (self.dropout(scores.softmax(-1)) @ v).transpose(1, 2).flatten(2)
        after = tuple(window(tensor, past[0].shape[1], counts) for tensor in known)
        return self.dropout(self.output(attended)), after

    def _heads(self, frames: Tensor) -> Tensor:
        """``(batch, time, width) -> (batch, heads, time, width of a head)``."""
        return frames.reshape(*frames.shape[:2], len(self.bias), -1).transpose(1, 2)


class Convolution(nn.Module):
    """A gated causal convolution over time, each channel by itself."""

    def __init__(self, width: int, kernel: int, dropout: float):
        super().__init__()
        self.gate = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.GLU())
        self.depthwise = nn.Conv1d(width, width, kernel, groups=width)
        self.output = nn.Sequential(
            nn.LayerNorm(width), nn.SiLU(), nn.Linear(width, width), nn.Dropout(dropout)
        )

    def forward(self, frames: Tensor, past: Tensor, counts: Tensor | None) -> tuple[Tensor, Tensor]:
        gated = torch.cat([past, self.gate(frames)], dim=1)
        convolved = self.depthwise(gated.transpose(1, 2)).transpose(1, 2)
        return self.output(convolved), window(gated, past.shape[1], counts)
