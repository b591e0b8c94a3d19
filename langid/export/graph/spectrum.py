"""Mel power in two small matrix products: the transform of the exported graph."""

import math

import torch
from torch import Tensor, nn

from langid.signal.features import LogMel

ROW = 16  # samples; at 512 points both stages hold 17 kB of factors, a direct product 410


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
    matrix product, for an exported graph knows no fast one. Of ``n_fft`` points the first stage
    transforms every 16th sample, its results are turned, and the second transforms 16 of them,
    which gives every ``n_fft / 16``th frequency. The mel filters stand in this order. What is
    turned is computed twice: to multiply it by cosines and by sines at once would take longer.
    """

    def __init__(self, features: LogMel):
        super().__init__()
        self.hop_rows = features.hop_samples // ROW
        self.reach = features.hops - 1
        rows = features.hops * self.hop_rows
        filled = (rows * ROW - features.window_samples, 0)
        window, weights = (
            nn.functional.pad(values, filled).view(rows, ROW)
            for values in (features.window, features.weights)
        )
        self.window = nn.Buffer(window, persistent=False)
        self.weights = nn.Buffer(weights, persistent=False)
        self.first = nn.Buffer(_first_stage(features.n_fft, rows), persistent=False)
        self.turn = nn.Buffer(_turn(features.n_fft), persistent=False)
        self.second = nn.Buffer(_second_stage(), persistent=False)
        self.pairs = nn.Buffer(torch.eye(ROW).repeat(2, 1), persistent=False)
        filters = _ordered(features.filters, features.n_fft)
        self.filters = nn.Buffer(filters, persistent=False)

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

    def windows(self, hops: Tensor, rows: Tensor) -> Tensor:
        """``hops (batch, reach + frames, rows, 16)`` -> those that each frame is made of, in a row.

        ``rows (batch, frames, rows, 16)`` are the last of the hops.
        """
        reached = [hops[:, i : i - self.reach] for i in range(self.reach)]
        return torch.cat([*reached, rows], dim=2)

    def forward(self, windows: Tensor) -> Tensor:
        """``windows (batch, frames, rows, 16) -> mel (batch, frames, n_mels)``."""
        frames = windows * self.window
        frames = frames - frames.sum((2, 3), keepdim=True) * self.weights
        turned = reshape((self.first @ frames) * self.turn, [0, 0, -1, 4 * ROW])
        parts = turned @ self.second
        power: Tensor = reshape((parts * parts) @ self.pairs, [0, 0, -1])
        return power @ self.filters


def _first_stage(n_fft: int, rows: int) -> Tensor:
    """Return ``(n_fft / 8 + 4, rows)``: for each remainder real and imaginary parts, twice."""
    period = n_fft // ROW
    remainder = torch.arange(period // 2 + 1, dtype=torch.float64)[:, None]
    angle = 2 * math.pi / period * remainder * torch.arange(rows)
    return torch.stack([angle.cos(), -angle.sin()] * 2, dim=1).flatten(0, 1).float()


def _turn(n_fft: int) -> Tensor:
    """Return ``(n_fft / 8 + 4, 16)``: for each remainder two rows of cosines and two of sines."""
    remainder = torch.arange(n_fft // ROW // 2 + 1, dtype=torch.float64)[:, None]
    angle = 2 * math.pi / n_fft * remainder * torch.arange(ROW)
    cosine, sine = angle.cos(), angle.sin()
    return torch.stack([cosine, cosine, sine, sine], dim=1).flatten(0, 1).float()


def _second_stage() -> Tensor:
    """Return ``(64, 32)``: real and imaginary parts, times cosines and sines, to 16 frequencies."""
    column = torch.arange(ROW, dtype=torch.float64)
    angle = 2 * math.pi / ROW * column[:, None] * column
    cosine, sine = angle.cos(), angle.sin()
    real = torch.cat([cosine, sine, -sine, cosine])
    imaginary = torch.cat([-sine, cosine, -cosine, -sine])
    return torch.cat([real, imaginary], dim=1).float()


def _ordered(filters: Tensor, n_fft: int) -> Tensor:
    """Return mel filters ``(n_fft / 2, n_mels)`` in the order of the second stage's results.

    Half of them are mirrored frequencies. Those of remainder 0 and of half the period have both,
    so one is left out, as is frequency 0.
    """
    period = n_fft // ROW
    remainder = torch.arange(period // 2 + 1)[:, None]
    frequency = remainder + period * torch.arange(ROW)
    mirrored = torch.minimum(frequency, n_fft - frequency)
    twice = (remainder % (period // 2) == 0) & (frequency > n_fft // 2)
    chosen = filters[mirrored - 1] * ~(twice | (frequency == 0))[..., None]
    return chosen.flatten(0, 1)
