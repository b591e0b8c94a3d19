"""Mel power in two small matrix products: the transform of the exported graph."""

import math

import torch
from torch import Tensor, nn

from langid.signal.features import LogMel

ROW = 16  # samples; two stages of it hold 65 kB of factors at 512 points, the direct products 410


@torch.library.custom_op("langid::reshape", mutates_args=())
def reshape(x: Tensor, sizes: list[int]) -> Tensor:
    """Reshape as ONNX does, where 0 is the size of the same axis before.

    An operator of its own, for the exporter would work out the sizes of any other in the graph.
    """
    return x.reshape(_sizes(x, sizes)).clone()


@reshape.register_fake
def _(x: Tensor, sizes: list[int]) -> Tensor:
    return x.new_empty(x.reshape(_sizes(x, sizes)).shape)


def _sizes(x: Tensor, sizes: list[int]) -> list[int]:
    return [size or x.shape[axis] for axis, size in enumerate(sizes)]


class FastMel(nn.Module):
    """The mel power of a LogMel, from rows of samples: ``(streams, frames, n_mels)``.

    The discrete Fourier transform of real samples in two stages (Cooley and Tukey 1965), each a
    matrix product, for an exported graph knows no fast one. Of ``n_fft`` points the first
    stage transforms every 16th sample, the second turns and sums these results, 16 frequencies a
    block. The order of frequencies is that of the blocks, and the mel filters follow it.
    """

    window: Tensor
    first: Tensor
    second: Tensor
    filters: Tensor

    def __init__(self, features: LogMel):
        super().__init__()
        self.hop_rows = features.hop_samples // ROW
        self.reach = features.hops - 1
        rows = features.hops * self.hop_rows
        window = torch.zeros(rows * ROW)
        window[-features.window_samples :] = features.window
        frequencies = _frequencies(features.n_fft)
        filters = features.filters[frequencies - 1].repeat_interleave(2, dim=0)
        # Of each block the real parts stand before the imaginary ones.
        filters = filters.view(-1, ROW, 2, features.filters.shape[1]).transpose(1, 2).flatten(0, 2)
        self.register_buffer("window", window.view(rows, ROW), persistent=False)
        self.register_buffer("first", _first_stage(features.n_fft, rows), persistent=False)
        self.register_buffer("second", _second_stage(features.n_fft), persistent=False)
        self.register_buffer("filters", filters.contiguous(), persistent=False)

    @staticmethod
    def fits(features: nn.Module) -> bool:
        """Whether the features are of this spectrum, with hops that are whole rows."""
        return (
            isinstance(features, LogMel)
            and type(features)._power is LogMel._power
            and type(features).step is LogMel.step
            and features.hop_samples % ROW == 0
            and features.n_fft >= 4 * ROW
        )

    def rows(self, samples: Tensor) -> Tensor:
        """``samples (batch, frames * hop) -> (batch, frames, rows, 16)``."""
        return reshape(samples, [0, -1, self.hop_rows, ROW])

    def forward(self, hops: Tensor, rows: Tensor, past: int) -> Tensor:
        """``hops (batch, past + frames, rows, 16) -> mel (batch, frames, n_mels)``.

        ``rows (batch, frames, rows, 16)`` are the last of the hops; ``past`` is at least ``reach``.
        """
        reached = [hops[:, past - i : -i] for i in range(self.reach, 0, -1)]
        frames = torch.cat([*reached, rows], dim=2) * self.window
        blocks = reshape(self.first @ frames, [0, 0, -1, 1, 2 * ROW])
        parts = reshape(blocks @ self.second, [0, 0, -1])
        return (parts * parts) @ self.filters


def _frequencies(n_fft: int) -> Tensor:
    """Return all frequencies but 0, 16 a block: those that one block of the second stage gives."""
    period = n_fft // ROW
    blocks = [[], *([] for _ in range(1, period // 2))]
    for k in range(1, n_fft // 2 + 1):
        remainder = min(k % period, period - k % period)
        blocks[remainder % (period // 2)].append(k)
    return torch.tensor(blocks).flatten()


def _first_stage(n_fft: int, rows: int) -> Tensor:
    """Return ``(n_fft // 16, rows)``: cosines and sines over the rows, two a block."""
    period = n_fft // ROW
    row = torch.arange(rows, dtype=torch.float64)
    matrix = torch.empty(period, rows, dtype=torch.float64)
    matrix[0], matrix[1] = torch.ones(rows), (math.pi * row).cos()  # real both, so one block
    for k in range(1, period // 2):
        angle = 2 * math.pi * k * row / period
        matrix[2 * k], matrix[2 * k + 1] = angle.cos(), angle.sin()
    return matrix.float()


def _second_stage(n_fft: int) -> Tensor:
    """Return ``(blocks, 32, 32)``: two rows of the first stage to 16 frequencies."""
    period = n_fft // ROW
    frequencies = _frequencies(n_fft).view(-1, 1, ROW)
    column = torch.arange(ROW, dtype=torch.float64)[:, None]
    angle = 2 * math.pi * column * frequencies / n_fft
    cosine, sine = angle.cos(), angle.sin()
    remainder = frequencies % period
    conjugate = torch.where(remainder > period // 2, -1.0, 1.0)
    top = torch.cat([cosine, -sine], dim=2)
    bottom = torch.cat([-sine * conjugate, -cosine * conjugate], dim=2)
    # Block 0 holds the multiples of the period, then the odd multiples of its half.
    even = (remainder[0] == 0).double()
    top[0] = torch.cat([cosine[0] * even, -sine[0] * even], dim=1)
    bottom[0] = torch.cat([cosine[0] * (1 - even), -sine[0] * (1 - even)], dim=1)
    return torch.cat([top, bottom], dim=1).float()
