"""Features normalised by their own mean and deviation, which differ by microphone."""

from torch import Tensor, nn

from langid.networks.padding import RealFrames, masked_mean
from langid.networks.running_statistics import LEAST, RunningStatistics


class CMVN(nn.Module):
    """Mean and variance normalisation by the frames up to each, as a stream can.

    With every frame that follows, a frame counts by a ``frames``-th less. Of cepstra (Viikki and
    Laurila 1998) it is called so; log spectra change in the same way with the channel.
    """

    def __init__(self, bins: int, frames: int):
        super().__init__()
        self.statistics = RunningStatistics(
            bins, frames, prior_variance=1.0
        )  # as normalised speech
        self.memory = self.statistics.memory

    def forward(
        self, features: Tensor, before: Tensor, counts: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """``features (batch, time, bins), memory (batch, 2 * bins + 1) -> features, memory``.

        Of compact frames ``counts (batch, time)`` tells how many are there, as ``compact`` does.
        """
        sums, memory = self.statistics(features, before, counts)
        mean, variance = self.statistics.moments(sums)
        return (features - mean) / variance.sqrt(), memory


def utterance_cmvn(features: Tensor, real: RealFrames | None) -> Tensor:
    """Mean and variance normalisation by all real frames of an utterance; padding is undefined.

    ``features (batch, time, bins)``, at least one frame of each -> the same shape.
    """
    mean = features.mean(1) if real is None else masked_mean(features, real.mask)
    varying = features - mean.unsqueeze(1)
    squares = varying.square()
    variance = squares.mean(1) if real is None else masked_mean(squares, real.mask)
    return varying * variance.clamp(min=LEAST).rsqrt().unsqueeze(1)
