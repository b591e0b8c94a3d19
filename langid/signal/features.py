"""Samples to frames of features: log-mel and MFCC, causal by default."""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from langid.signal.torchaudio_loader import torchaudio

UNHEARD = 1e10  # what stands before the first sample, which it then is


class PerHop(nn.Module):
    """Makes one frame of every hop of samples; what is ``causal`` can be streamed by ``step``."""

    causal: bool
    hop_samples: int

    def forward(self, samples: Tensor) -> Tensor:
        samples = whole_hops(samples, self.hop_samples)
        return self.step(samples, self.initial_state(samples.shape[0]))[0]

    def initial_state(self, batch_size: int) -> Any:
        raise TypeError(f"{type(self).__name__} is not causal and cannot be streamed")

    def step(self, samples: Tensor, state: Any) -> tuple[Tensor, Any]:
        raise TypeError(f"{type(self).__name__} is not causal and cannot be streamed")


class Features(PerHop):
    """``samples (batch, samples) -> features (batch, time, bins)``, one frame per hop.

    ``causal`` features see no sample behind their frame's hop and nothing of the clip as a whole;
    they can be streamed by ``initial_state`` and ``step``. ``use_fft`` may be set where speed
    counts and the last digits do not. ``stored_as`` is the type of number that a store keeps:
    ``float16``, or ``float32`` where values leave its range. ``of_sequences`` are features that can
    be made of a part of a clip, by ``in_context``. ``held`` are modules that they are made by and
    that are none of theirs, so that no checkpoint has their weights; ``longest_s`` is what they
    take at once. A GPU makes them of many clips ``together`` much faster: ``forward`` then takes
    their lengths too.
    """

    use_fft = False
    together = False
    stored_as = "float16"
    held: tuple[nn.Module, ...] = ()
    longest_s = math.inf
    sample_rate: int
    bins: int
    context_frames: int  # of those of sequences: hops before its own that a frame is made of

    @property
    def of_sequences(self) -> bool:
        """Whether they can be made of a part of a clip."""
        return self.causal

    @property
    def detector_hop_samples(self) -> int:
        """Return the hop of the speech detector, of which a frame's hop is a multiple."""
        return self.hop_samples

    def clip(self, samples: Tensor) -> Tensor:
        """Return the samples that frames are made of, ``(batch, samples)``: by default all."""
        return samples

    def frames(self, clip: Tensor) -> Tensor:
        """Return the features ``(batch, time, bins)`` of what ``clip`` returns."""
        return self(clip)

    def in_context(self, samples: Tensor, lengths: Tensor) -> Tensor:
        """``samples (batch, samples) -> features (batch, time, bins)`` of sequences.

        The samples begin with ``context_frames`` hops before the first frame; ``lengths (batch,)``
        are those in frames.
        """
        context = self.context_frames * self.hop_samples
        return self.step(samples[:, context:], samples[:, :context])[0]


@dataclass(eq=False, repr=False)  # a module equals itself alone
class LogMel(Features):
    """Natural logarithm of mel-band power, with an absolute floor and no look-ahead.

    Frame ``t`` covers the ``window_ms`` that end with hop ``t``, less their mean under the window,
    so that a constant is nothing. Before the first sample there are samples like it, and a last
    hop that is not full is filled with its last sample, so ``samples`` give ``ceil(samples /
    hop_samples)`` frames. Window: Hann. Mel scale: HTK (O'Shaughnessy 1987). ``floor_db`` is
    decibels below the power of a full-scale sample.
    """

    causal = True

    sample_rate: int = 16000
    window_ms: float = 25.0
    hop_ms: float = 10.0
    n_mels: int = 64
    f_min: float = 20.0
    floor_db: float = -80.0

    def __post_init__(self) -> None:
        super().__init__()
        self.window_samples = round(self.sample_rate * self.window_ms / 1000)
        self.hop_samples = round(self.sample_rate * self.hop_ms / 1000)
        window_ms = f"window_ms={self.window_ms:g}"
        if not 0 < self.hop_samples <= self.window_samples:
            raise ValueError(
                f"hop_ms={self.hop_ms:g}: accepted are more than 0 and at most {window_ms}"
            )
        if self.window_samples % 2:
            raise ValueError(f"{window_ms}: an even number of samples is needed")
        self.hops = -(-self.window_samples // self.hop_samples)  # that a window reaches into
        self.context_frames = self.hops - 1
        self.n_fft = 2 ** math.ceil(math.log2(self.window_samples))
        self.bins = self.n_mels
        self.floor = 10 ** (self.floor_db / 10)
        filters = torchaudio.functional.melscale_fbanks(
            self.n_fft // 2 + 1, self.f_min, self.sample_rate / 2, self.n_mels, self.sample_rate
        )
        if not (filters.sum(0) > 0).all():
            raise ValueError(f"n_mels={self.n_mels} is too many for a {self.window_ms:g} ms window")
        half = self.window_samples // 2
        centre = self.hops * self.hop_samples - half
        self.mirrored = nn.Buffer(torch.arange(centre, centre - half, -1), persistent=False)
        window = torch.hann_window(self.window_samples, dtype=torch.float64)
        window /= window.square().sum().sqrt()
        self.window = nn.Buffer(window.float(), persistent=False)
        self.weights = nn.Buffer((window / window.sum()).float(), persistent=False)
        # No filter passes 0 Hz; without it a row is a power of two long, and products are faster.
        self.filters = nn.Buffer(filters[1:].contiguous(), persistent=False)
        parts = self._half_window_transform()
        self.cosine, self.sine = (nn.Buffer(part, persistent=False) for part in parts)

    def initial_state(self, batch_size: int) -> Tensor:
        """Return ``(batch, samples)`` unheard: the hops before the first that a window reaches."""
        return self.filters.new_full((batch_size, self.context_frames * self.hop_samples), UNHEARD)

    def step(self, samples: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """``samples (batch, frames * hop), state`` -> ``features (batch, frames, bins), state``."""
        samples = torch.cat([begun(state, samples[:, :1]), samples], dim=1)
        power = self._power_by_fft(samples) if self.use_fft else self._power(samples)
        return self._compress(power @ self.filters), last(samples, state.shape[1])

    def in_context(self, samples: Tensor, lengths: Tensor) -> Tensor:
        """Return what ``step`` does of samples that begin with its state, by FFT."""
        return self._compress(self._power_by_fft(samples) @ self.filters)

    def _compress(self, mel: Tensor) -> Tensor:
        return torch.log(mel.clamp(min=self.floor))

    def _power(self, samples: Tensor) -> Tensor:
        """Return the power spectrum ``(batch, time, frequencies)`` of windows that end with a hop.

        Two matrix products on the even and odd halves of each window around its centre: the same
        rounding in PyTorch and in an exported graph, which knows no FFT. Where rounding differs,
        the logarithm makes it visible in quiet bands.
        """
        hops = samples.unfold(1, self.hop_samples, self.hop_samples)
        reach = self.context_frames
        frames = torch.cat([hops[:, i : i - reach or None] for i in range(self.hops)], dim=-1)
        frames = frames - (frames[..., -self.window_samples :] @ self.weights)[..., None]
        right = frames[..., -self.window_samples // 2 :]
        left = frames.index_select(-1, self.mirrored)
        even, odd = (right + left) @ self.cosine, (right - left) @ self.sine
        return even * even + odd * odd

    def _power_by_fft(self, samples: Tensor) -> Tensor:  # twice as fast
        samples = samples[:, self.hops * self.hop_samples - self.window_samples :]
        frames = samples.unfold(1, self.window_samples, self.hop_samples) * self.window
        frames = frames.addcmul(frames.sum(-1, keepdim=True), self.weights, value=-1)
        spectrum = torch.fft.rfft(frames, n=self.n_fft)[..., 1:]
        return spectrum.real.square() + spectrum.imag.square()

    def _half_window_transform(self) -> tuple[Tensor, Tensor]:
        """Return ``(window // 2, n_fft // 2)`` twice: half a window of unit power, transformed.

        The Hann window is zero at its first sample, which so has no partner on the other side.
        """
        window = self.window[self.window_samples // 2 :, None].double()
        offset = torch.arange(len(window), dtype=torch.float64)[:, None]
        frequency = torch.arange(1, self.n_fft // 2 + 1, dtype=torch.float64)  # none is 0 Hz
        angle = 2 * math.pi * offset * frequency / self.n_fft
        cosine = window * angle.cos()
        cosine[0] *= 0.5  # the centre sample stands in both halves of the even part
        return cosine.float(), (window * angle.sin()).float()


def begun(state: Tensor, first: Tensor) -> Tensor:
    """Return remembered samples where those that are unheard are the first of the stream."""
    return torch.where(state == UNHEARD, first, state) if first.shape[1] else state


def whole_hops(samples: Tensor, hop_samples: int) -> Tensor:
    """Return ``samples (batch, samples)`` with the last hop filled with the last sample."""
    missing = -samples.shape[1] % hop_samples
    if not missing:
        return samples
    return torch.cat([samples, samples[:, -1:].expand(-1, missing)], dim=1)


def last(values: Tensor, count: int) -> Tensor:
    """Return the last ``count``, none or more, of the last axis."""
    return values[..., -count:] if count else values[..., :0]


@dataclass(eq=False, repr=False)
class MFCC(LogMel):
    """Cepstral coefficients of LogMel: its orthonormal DCT-II (Davis & Mermelstein 1980)."""

    n_mfcc: int = 64

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.n_mfcc <= self.n_mels:
            raise ValueError(f"n_mfcc={self.n_mfcc}: accepted are 1 to n_mels={self.n_mels}")
        self.bins = self.n_mfcc
        dct = torchaudio.functional.create_dct(self.n_mfcc, self.n_mels, norm="ortho")
        self.dct = nn.Buffer(dct, persistent=False)

    def _compress(self, mel: Tensor) -> Tensor:
        return super()._compress(mel) @ self.dct
