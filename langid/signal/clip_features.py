"""Samples to frames of features that need the whole clip, to reproduce published protocols."""

import torch
from torch import Tensor, nn

from langid.errors import check_least
from langid.signal.features import Features
from langid.signal.torchaudio_loader import torchaudio


class ClipFeatures(Features):
    """Features of whole clips, which cannot be streamed or exported.

    With ``clip_s`` every clip is cut, or filled with zeros at its end, to so many seconds first.
    """

    causal = False

    def __init__(self, sample_rate: int, hop_samples: int, bins: int, clip_s: float | None):
        super().__init__()
        self.sample_rate = sample_rate
        self.hop_samples = hop_samples
        self.bins = bins
        self.clip_s = clip_s
        check_least(1, sample_rate=sample_rate, hop_samples=hop_samples, bins=bins)
        if clip_s is not None and round(clip_s * sample_rate) < 1:
            raise ValueError(f"clip_s={clip_s:g}: accepted are null and more than 0, in seconds")

    def forward(self, samples: Tensor) -> Tensor:
        return self.frames(self.clip(samples))

    def clip(self, samples: Tensor) -> Tensor:
        if self.clip_s is None:
            return samples
        return _of_length(samples, round(self.clip_s * self.sample_rate))


class MFCCLibrosa(ClipFeatures):
    """librosa's MFCC with its defaults: centred frames, clamped 80 dB below the loudest.

    With ``join_top_db`` the intervals that ``librosa.effects.split`` finds with that ``top_db`` are
    joined before anything else, as EE599 baselines do (USC, 2020); a clip without any stays as it
    is. Clips of a batch that become shorter than others are filled with zeros.
    """

    def __init__(
        self,
        sample_rate: int = 16000,
        n_mfcc: int = 64,
        n_fft: int = 400,
        hop_samples: int = 160,
        join_top_db: float | None = None,
        clip_s: float | None = None,
    ):
        super().__init__(sample_rate, hop_samples, n_mfcc, clip_s)
        if join_top_db is not None and join_top_db <= 0:
            raise ValueError(f"join_top_db={join_top_db:g}: accepted are null and more than 0")
        self.n_fft = n_fft
        self.join_top_db = join_top_db

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
        import librosa  # slow to import and only needed here

        coefficients = librosa.feature.mfcc(
            y=clip.numpy(),
            sr=self.sample_rate,
            n_mfcc=self.bins,
            n_fft=self.n_fft,
            hop_length=self.hop_samples,
        )
        return torch.from_numpy(coefficients).transpose(1, 2).contiguous()


class Spectrogram(ClipFeatures):
    """Power spectrum of torchaudio with its defaults: Hann window, centred frames, no logarithm.

    A clip shorter than one window is filled with zeros to one. The defaults are deepLanguage's.
    """

    stored_as = "float32"  # the range of power is wider than float16's

    def __init__(
        self,
        sample_rate: int = 16000,
        n_fft: int = 256,
        hop_samples: int = 128,
        clip_s: float | None = None,
    ):
        super().__init__(sample_rate, hop_samples, n_fft // 2 + 1, clip_s)
        self.n_fft = n_fft
        self.window = nn.Buffer(torch.hann_window(n_fft), persistent=False)

    def frames(self, clip: Tensor) -> Tensor:
        clip = _of_length(clip, max(clip.shape[1], self.n_fft))
        power: Tensor = torchaudio.functional.spectrogram(
            clip,
            pad=0,
            window=self.window,
            n_fft=self.n_fft,
            hop_length=self.hop_samples,
            win_length=self.n_fft,
            power=2.0,
            normalized=False,
        )
        return power.transpose(1, 2)


class MelSpectrogram(Spectrogram):
    """Power in mel bands of torchaudio with its defaults (HTK scale, from 0 to half the rate).

    With ``top_db`` in decibels, none more than that below the loudest value of the clip.
    """

    def __init__(
        self,
        sample_rate: int = 32000,
        n_fft: int = 1024,
        hop_samples: int = 512,
        n_mels: int = 64,
        top_db: float | None = None,
        clip_s: float | None = None,
    ):
        super().__init__(sample_rate, n_fft, hop_samples, clip_s)
        if top_db is not None and top_db <= 0:
            raise ValueError(f"top_db={top_db:g}: accepted are null and more than 0")
        filters = torchaudio.functional.melscale_fbanks(
            self.bins, 0.0, sample_rate / 2, n_mels, sample_rate
        )
        self.filters = nn.Buffer(filters, persistent=False)
        self.bins = n_mels
        self.top_db = top_db
        self.stored_as = "float32" if top_db is None else "float16"  # decibels fit that

    def frames(self, clip: Tensor) -> Tensor:
        mel = super().frames(clip) @ self.filters
        if self.top_db is None:
            return mel
        decibels: Tensor = torchaudio.functional.amplitude_to_DB(
            mel.unsqueeze(1),  # of four axes the first tells clips apart
            multiplier=10.0,
            amin=1e-10,
            db_multiplier=0.0,
            top_db=self.top_db,
        )
        return decibels.squeeze(1)


class Samples(ClipFeatures):
    """The samples themselves, one hop a frame, the last filled with zeros: for raw audio."""

    def __init__(self, sample_rate: int = 8000, hop_ms: float = 10.0, clip_s: float | None = None):
        hop_samples = round(sample_rate * hop_ms / 1000)
        super().__init__(sample_rate, hop_samples, hop_samples, clip_s)

    def frames(self, clip: Tensor) -> Tensor:
        filled = _of_length(clip, -(-clip.shape[1] // self.hop_samples) * self.hop_samples)
        return filled.reshape(len(clip), -1, self.hop_samples)


def _of_length(samples: Tensor, length: int) -> Tensor:
    return nn.functional.pad(samples, (0, length - samples.shape[1]))
