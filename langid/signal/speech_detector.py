"""Detectors of speech frames: ``samples (batch, samples) -> speech (batch, time) bool``."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from langid.errors import check_least
from langid.signal.features import PerHop, last


class Detector(PerHop):
    """Marks the frames that hold speech, one a hop of samples of a rate.

    ``obstacle`` says of marks why those of one that is not ``causal`` cannot be streamed.
    ``by_runtime`` may be set where speed counts and the last digits do not.
    """

    by_runtime = False
    obstacle = "are relative to the whole clip"

    def __init__(self, hop_samples: int, sample_rate: int = 16000):
        super().__init__()
        self.hop_samples = hop_samples
        self.sample_rate = sample_rate


NO_FLOOR = -1e10  # negative power that no sound reaches


@dataclass(eq=False, repr=False)  # a module equals itself alone
class EnergyDetector(Detector):
    """A frame is speech where its level stands out of the noise floor so far.

    The level is the mean variance of the last ``smooth_frames`` hops in dB, so that a constant is
    none; the noise floor is the lowest level of the last ``floor_frames`` (minimum statistics,
    Martin 2001, without its bias correction) of those frames whose hops all reach ``signal_db``:
    digital silence, dither and a closed gate are no room's noise. A frame at ``loud_db`` or more is
    speech whatever the floor where neighbouring samples correlate by ``loud_correlation`` or more,
    as they do in voiced speech and not in white noise (Atal and Rabiner 1976). One below
    ``quiet_db`` never is speech, and speech lasts ``hangover_frames`` beyond the last such frame.
    Nothing depends on later samples or on the clip as a whole. Levels are relative to full scale.
    """

    causal = True

    hop_samples: int
    sample_rate: int = 16000
    threshold_db: float = 12.0
    quiet_db: float = -60.0
    loud_db: float = -30.0
    loud_correlation: float = 0.8
    signal_db: float = -75.0
    smooth_frames: int = 5
    floor_frames: int = 300
    hangover_frames: int = 15

    def __post_init__(self) -> None:
        super().__init__(self.hop_samples, self.sample_rate)
        for name in ("smooth_frames", "floor_frames", "hangover_frames"):
            check_least(1, "detector.", **{name: getattr(self, name)})
        if not self.loud_correlation < 1:
            told = f"detector.loud_correlation={self.loud_correlation:g}"
            raise ValueError(f"{told}: accepted is below 1")
        self.like = nn.Buffer(torch.zeros(0), persistent=False)

    def initial_state(self, batch_size: int) -> tuple[Tensor, ...]:
        """Return powers, smooth power and activity before the first frame, ``(batch, n, frames)``.

        Powers are the variance and half the mean square of neighbours' differences, both negative:
        the noise floor then is a maximum, as pooling has it.
        """
        power = self.like.new_zeros(batch_size, 2, self.smooth_frames - 1)
        smooth = self.like.new_full((batch_size, 1, self.floor_frames - 1), NO_FLOOR)
        active = self.like.new_zeros(batch_size, 1, self.hangover_frames - 1)
        return power, smooth, active

    def step(self, samples: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
        """``samples (batch, frames * hop), state`` -> ``speech (batch, frames), state``."""
        power_before, smooth_before, active_before = state
        hops = samples.unfold(1, self.hop_samples, self.hop_samples)
        neighbours = hops[..., : self.hop_samples - 1 : 2] - hops[..., 1::2]
        varying = hops - hops.mean(2, keepdim=True)  # squared, ten times as fast as torch's var
        powers = [-varying.square().mean(2), neighbours.square().mean(2) / -2]
        power = torch.cat([power_before, torch.stack(powers, 1)], dim=2)
        now, own = torch.split(nn.functional.avg_pool1d(power, self.smooth_frames, 1), 1, 1)
        signal = torch.where(power[:, :1] <= -_ratio(self.signal_db), power[:, :1], NO_FLOOR)
        signal = nn.functional.avg_pool1d(signal, self.smooth_frames, 1)
        smooth = torch.cat([smooth_before, signal], dim=2)
        floor = nn.functional.max_pool1d(smooth, self.floor_frames, 1)
        loud = (own / (1 - self.loud_correlation)).clamp(max=-_ratio(self.loud_db))
        threshold = torch.maximum(floor * _ratio(self.threshold_db), loud)
        threshold = threshold.clamp(max=-_ratio(self.quiet_db))
        active = torch.cat([active_before, (now <= threshold).to(now.dtype)], dim=2)
        speech = nn.functional.max_pool1d(active, self.hangover_frames, 1).squeeze(1) > 0.5
        return speech, (
            last(power, self.smooth_frames - 1),
            last(smooth, self.floor_frames - 1),
            last(active, self.hangover_frames - 1),
        )


def _ratio(decibels: float) -> float:
    """Return the ratio of powers that ``decibels`` are."""
    return float(10 ** (decibels / 10))


class EveryFrame(Detector):
    """Every frame counts as speech, for published protocols that do not ask for silence."""

    causal = True

    def forward(self, samples: Tensor) -> Tensor:
        """Return one frame more than there are whole hops, as centred features have."""
        return self.step(nn.functional.pad(samples, (0, self.hop_samples)), ())[0]

    def initial_state(self, batch_size: int) -> tuple[Tensor, ...]:
        return ()

    def step(self, samples: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
        """``samples (batch, frames * hop), state`` -> ``speech (batch, frames), state``."""
        frames = samples.shape[1] // self.hop_samples
        return samples.new_ones(samples.shape[0], frames, dtype=torch.bool), state


class LibrosaDetector(Detector):
    """``librosa.effects.split``: frames less than ``top_db`` below the loudest frame of the clip.

    Needs the whole clip, so it cannot be streamed; for published protocols.
    """

    causal = False

    def __init__(self, hop_samples: int, sample_rate: int = 16000, top_db: float = 50.0):
        super().__init__(hop_samples, sample_rate)
        self.top_db = top_db

    def forward(self, samples: Tensor) -> Tensor:
        from librosa.effects import split  # slow to import and only needed here

        hop = self.hop_samples
        speech = torch.zeros(samples.shape[0], -(-samples.shape[1] // hop), dtype=torch.bool)
        for row, clip in zip(speech, samples.numpy(), strict=True):
            intervals = split(clip, top_db=self.top_db, frame_length=4 * hop, hop_length=hop)
            for start, stop in intervals // hop:
                row[start : max(stop, start + 1)] = True
        return speech
