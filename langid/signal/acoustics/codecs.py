"""Codecs that speech goes through on its way, by libsndfile in memory."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import soundfile

from langid.audio.native_stderr import native_stderr_off
from langid.signal.acoustics.sound import (
    Draws,
    Refused,
    Sound,
    Told,
    Transform,
    checked_kinds,
    one_of,
)
from langid.signal.acoustics.timing import resampled

MP3_DELAY = 1105  # samples of LAME and its decoder, where no header says to leave them out
# Rates of samples and bits that each is heard at; those above the sound's own rate are left out.
RATES: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
    "mp3": ((8000, 11025, 16000, 22050), (8, 16, 24, 32, 48, 64)),
    "opus": ((8000, 12000, 16000), (6, 8, 12, 16, 24, 32)),
    "gsm": ((8000,), (13,)),
    "mulaw": ((8000, 16000), (64, 128)),
}


class Codec(Transform):
    """Encodes and decodes a sound, at random rates, by a codec that is drawn by ``kinds``.

    ``kbit_s`` are the rates of bits to draw from, those of RATES by default; ``mulaw`` follows its
    rate of samples. Encoding by ``mp3`` takes as long as all other transforms of a second, by
    ``opus`` longer.
    """

    def __init__(
        self, probability: float, kinds: Mapping[str, float], kbit_s: Sequence[int] | None = None
    ):
        super().__init__(probability)
        self.kinds = checked_kinds("kinds", kinds, RATES)
        for kind, (_, bit_rates) in RATES.items():
            listed = isinstance(kbit_s, list | tuple) and len(kbit_s) > 0
            there = kbit_s is None or (listed and all(rate in bit_rates for rate in kbit_s))
            if self.kinds.get(kind) and not there:
                told = ", ".join(map(str, bit_rates))
                raise Refused(f"kbit_s={kbit_s}: accepted are lists of those of {kind}, {told}")
        self.kbit_s = kbit_s

    def __call__(self, sound: Sound, draws: Draws) -> tuple[Sound, Told]:
        kind = one_of(self.kinds, draws)
        rates, bit_rates = RATES[kind]
        rates = tuple(rate for rate in rates if rate <= sound.sample_rate) or rates[:1]
        rate = int(rates[draws.integers(len(rates))])
        bit_rates = bit_rates if self.kbit_s is None else tuple(self.kbit_s)
        kbit_s = int(bit_rates[draws.integers(len(bit_rates))])
        if kind == "mulaw":
            kbit_s = rate * 8 // 1000
        samples = resampled(sound.samples, sound.sample_rate, rate)
        decoded = resampled(coded(samples, rate, kind, kbit_s), rate, sound.sample_rate)
        count = len(sound.samples)
        fitting = np.pad(decoded[:count], (0, max(0, count - len(decoded))))
        return sound.with_samples(fitting), {"kind": kind, "hz": rate, "kbit_s": kbit_s}


def coded(samples: np.ndarray, rate: int, kind: str, kbit_s: int) -> np.ndarray:
    """Return ``samples (samples,)`` as they are heard behind a codec, where they were in time."""
    form, subtype, settings = _form(rate, kind, kbit_s)
    file = io.BytesIO()
    with native_stderr_off():
        # Full scale and beyond would wrap around in some decoders.
        soundfile.write(
            file, samples.clip(-0.99, 0.99), rate, format=form, subtype=subtype, **settings
        )
        file.seek(0)
        decoded: np.ndarray = soundfile.read(file, dtype="float32")[0]
    # At few bits LAME's header, which tells its delay, does not fit into a frame and is not there.
    late = MP3_DELAY if kind == "mp3" and len(decoded) > len(samples) else 0
    return np.nan_to_num(decoded[late : late + len(samples)])


def _form(rate: int, kind: str, kbit_s: int) -> tuple[str, str, dict[str, Any]]:
    """Return what libsndfile calls a codec, and its settings: bit rates by a level from 0 to 1."""
    if kind == "mp3":
        highest = 64 if rate < 16000 else 160
        level = 0.999 - (min(kbit_s, highest) - 8) / (highest - 8)  # 1 itself is refused
        return (
            "MP3",
            "MPEG_LAYER_III",
            {"compression_level": max(0.0, level), "bitrate_mode": "CONSTANT"},
        )
    if kind == "opus":
        return "OGG", "OPUS", {"compression_level": 1 - (kbit_s - 6) / 250}
    return "WAV", {"gsm": "GSM610", "mulaw": "ULAW"}[kind], {}
