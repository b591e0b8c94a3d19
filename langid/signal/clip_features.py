"""Samples to frames of features that need the whole clip, to reproduce published protocols."""

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from langid.errors import check_least
from langid.signal.features import Features
from langid.signal.torchaudio_loader import torchaudio


@dataclass(eq=False, repr=False)  # a module equals itself alone
class ClipFeatures(Features):
    """Features of whole clips, which cannot be streamed or exported.

    With ``clip_s`` every clip is cut, or filled with zeros at its end, to so many seconds first.
    """

    causal = False
    clip_s: float | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        super().__init__()
        for name in ("sample_rate", "hop_samples", "bins"):
            check_least(1, **{name: getattr(self, name)})
        if self.clip_s is not None and round(self.clip_s * self.sample_rate) < 1:
            raise ValueError(
                f"clip_s={self.clip_s:g}: accepted are null and more than 0, in seconds"
            )

    def forward(self, samples: Tensor) -> Tensor:
        return self.frames(self.clip(samples))

    def clip(self, samples: Tensor) -> Tensor:
        if self.clip_s is None:
            return samples
        return _of_length(samples, round(self.clip_s * self.sample_rate))


@dataclass(eq=False, repr=False)
class MFCCLibrosa(ClipFeatures):
    """librosa's MFCC with its defaults: centred frames, clamped 80 dB below the loudest.

    With ``join_top_db`` the intervals that ``librosa.effects.split`` finds with that ``top_db`` are
    joined before anything else, as EE599 baselines do (USC, 2020); a clip without any stays as it
    is. Clips of a batch that become shorter than others are filled with zeros.
    """

    sample_rate: int = 16000
    n_mfcc: int = 64
    n_fft: int = 400
    hop_samples: int = 160
    join_top_db: float | None = None

    def __post_init__(self) -> None:
        self.bins = self.n_mfcc
        super().__post_init__()
        if self.join_top_db is not None and self.join_top_db <= 0:
            raise ValueError(f"join_top_db={self.join_top_db:g}: accepted are null and more than 0")

    def clip(self, samples: Tensor) -> Tensor:
        if self.join_top_db is not None:
            joined = [self._joined(clip, self.join_top_db) for clip in samples]
            samples = nn.utils.rnn.pad_sequence(joined, batch_first=True)
        return super().clip(samples)

    def _joined(self, clip: Tensor, top_db: float) -> Tensor:
        from librosa.effects import split  # slow to import and only needed here

        intervals = [clip[start:stop] for start, stop in split(clip.numpy(), top_db=top_db)]
        return torch.cat(intervals) if intervals else clip

    def frames(self, clip: Tensor) -> Tensor:
        from librosa.feature import mfcc  # slow to import and only needed here

        sizes = {"n_mfcc": self.n_mfcc, "n_fft": self.n_fft, "hop_length": self.hop_samples}
        coefficients = mfcc(y=clip.numpy(), sr=self.sample_rate, **sizes)
        return torch.from_numpy(coefficients).transpose(1, 2).contiguous()


@dataclass(eq=False, repr=False)
class Spectrogram(ClipFeatures):
    """Power spectrum as torchaudio's with its defaults: Hann window, centred frames, no logarithm.

    A clip shorter than one window is filled with zeros to one. The defaults are deepLanguage's.
    """

    stored_as = "float32"  # the range of power is wider than float16's
    sample_rate: int = 16000
    n_fft: int = 256
    hop_samples: int = 128

    def __post_init__(self) -> None:
        self.bins = self.n_fft // 2 + 1
        super().__post_init__()
        self.window = nn.Buffer(torch.hann_window(self.n_fft), persistent=False)

    def frames(self, clip: Tensor) -> Tensor:
        clip = _of_length(clip, max(clip.shape[1], self.n_fft))
        spectrum = torch.stft(
            clip, self.n_fft, self.hop_samples, window=self.window, return_complex=True
        )
        return spectrum.abs().square().transpose(1, 2)


@dataclass(eq=False, repr=False)
class MelSpectrogram(Spectrogram):
    """Power in mel bands of torchaudio with its defaults (HTK scale, from 0 to half the rate).

    With ``top_db`` in decibels, none more than that below the loudest value of the clip.
    """

    sample_rate: int = 32000
    n_fft: int = 1024
    hop_samples: int = 512
    n_mels: int = 64
    top_db: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.top_db is not None and self.top_db <= 0:
            raise ValueError(f"top_db={self.top_db:g}: accepted are null and more than 0")
        filters = torchaudio.functional.melscale_fbanks(
            self.bins, 0.0, self.sample_rate / 2, self.n_mels, self.sample_rate
        )
        self.filters = nn.Buffer(filters, persistent=False)
        self.bins = self.n_mels
        self.stored_as = "float32" if self.top_db is None else "float16"  # decibels fit that

    def frames(self, clip: Tensor) -> Tensor:
        mel = super().frames(clip) @ self.filters
        if self.top_db is None:
            return mel
        decibels = 10 * mel.clamp(min=1e-10).log10()
        return decibels.maximum(decibels.amax((1, 2), keepdim=True) - self.top_db)


@dataclass(eq=False, repr=False)
class Samples(ClipFeatures):
    """The samples themselves, one hop a frame, the last filled with zeros: for raw audio."""

    sample_rate: int = 8000
    hop_ms: float = 10.0

    def __post_init__(self) -> None:
        self.hop_samples = self.bins = round(self.sample_rate * self.hop_ms / 1000)
        super().__post_init__()

    def frames(self, clip: Tensor) -> Tensor:
        filled = _of_length(clip, -(-clip.shape[1] // self.hop_samples) * self.hop_samples)
        return filled.reshape(len(clip), -1, self.hop_samples)


def _of_length(samples: Tensor, length: int) -> Tensor:
    return nn.functional.pad(samples, (0, length - samples.shape[1]))
