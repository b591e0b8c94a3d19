"""What pretrained encoders take: samples as they are, or mel bands as their own extractors make."""

from typing import Any

import torch
from torch import Tensor, nn

RATE = 16000  # hertz, of
WINDOW = 400  # samples of a window of filter banks, and
HOP = 160  # between two


class UnitVariance(nn.Module):
    """``samples (batch, samples)`` of mean 0 and variance 1 in every clip, as wav2vec 2.0 takes."""

    def forward(self, samples: Tensor) -> Tensor:
        varying = samples - samples.mean(1, keepdim=True)
        return varying / (varying.square().mean(1, keepdim=True) + 1e-7).sqrt()


class _Spectrum(nn.Module):
    """Power in mel bands of windows, by matrix products, which an exported graph knows too."""

    def __init__(self, extractor: Any, window: Tensor, n_fft: int):
        super().__init__()
        angle = 2 * torch.pi * torch.arange(WINDOW, dtype=torch.float64)[:, None] / n_fft
        angle = angle * torch.arange(n_fft // 2 + 1)
        parts = (window.double()[:, None] * part for part in (angle.cos(), angle.sin()))
        self.cosine, self.sine = (nn.Buffer(part.float(), persistent=False) for part in parts)
        filters = torch.from_numpy(extractor.mel_filters).float()
        self.filters = nn.Buffer(filters, persistent=False)

    def power(self, frames: Tensor) -> Tensor:
        """``frames (batch, time, window) -> (batch, time, bands)``."""
        return ((frames @ self.cosine).square() + (frames @ self.sine).square()) @ self.filters


class WhisperMel(_Spectrum):
    """``samples (batch, samples) -> (batch, bands, time)`` of 10 ms: Whisper's own log-mel.

    Radford et al. 2022: nothing is more than 80 dB below the loudest of a clip. Samples are whole
    frames of 20 ms.
    """

    def __init__(self, extractor: Any):
        super().__init__(extractor, torch.hann_window(WINDOW, dtype=torch.float64), WINDOW)

    def forward(self, samples: Tensor) -> Tensor:
        around = nn.functional.pad(samples, (WINDOW // 2, WINDOW // 2), "reflect")
        mel = self.power(around.unfold(1, WINDOW, HOP)[:, :-1]).clamp(min=1e-10).log10()
        mel = mel.maximum(mel.amax((1, 2), keepdim=True) - 8.0)
        return ((mel + 4.0) / 4.0).transpose(1, 2)


class KaldiMel(_Spectrum):
    """``samples (batch, samples) -> (batch, time, 2 * bands)`` of 20 ms, as w2v-BERT takes.

    Kaldi's filter banks of 16-bit numbers, of mean 0 and variance 1 in every clip; two windows are
    a frame. An odd last window is left out.
    """

    def __init__(self, extractor: Any):
        super().__init__(extractor, torch.from_numpy(extractor.window), 512)

    def forward(self, samples: Tensor) -> Tensor:
        frames = (samples * 2**15).unfold(1, WINDOW, HOP)
        frames = frames - frames.mean(2, keepdim=True)
        before = torch.cat([frames[..., :1], frames[..., :-1]], dim=2)
        mel = self.power(frames - 0.97 * before).clamp(min=2**-23).log()
        varying = mel - mel.mean(1, keepdim=True)
        variance = varying.square().sum(1, keepdim=True) / (mel.shape[1] - 1)
        normal = varying / (variance + 1e-7).sqrt()
        whole = normal[:, : normal.shape[1] // 2 * 2]
        return whole.reshape(mel.shape[0], -1, 2 * mel.shape[2])
