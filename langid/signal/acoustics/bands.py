"""What of a spectrum arrives: equalisation, telephone bands and low-pass filters."""

import functools
from collections.abc import Mapping, Sequence

import numpy as np
from scipy import fft

from langid.signal.acoustics.sound import (
    Draws,
    Sound,
    Told,
    Transform,
    checked,
    checked_kinds,
    checked_range,
    one_of,
)

TELEPHONE_HZ = (300.0, 3400.0)  # of ITU-T G.712
LOWEST_HZ = 60.0  # from which an equaliser's bands begin
EDGE = 1.15  # a filter falls from nothing to BLOCKED_DB within this ratio of frequencies
BLOCKED_DB = -60.0
BANDS = 8  # of an equaliser
ECHO_S = 0.05  # of a filter, which must not reach from the end into the beginning
KINDS = ("telephone", "low_pass")


class Equaliser(Transform):
    """Lifts and lowers frequencies by a smooth random curve of up to ``db`` either way."""

    def __init__(self, probability: float, db: float):
        super().__init__(probability)
        self.db = checked("db", db, 0, 40)

    def __call__(self, sound: Sound, draws: Draws) -> tuple[Sound, Told]:
        points_hz = _bands(sound.sample_rate)
        gains_db = draws.uniform(-self.db, self.db, BANDS)
        told = {"db": " ".join(f"{gain:+.0f}" for gain in gains_db)}
        return sound.with_samples(filtered(sound, points_hz, gains_db)), told


class Band(Transform):
    """Blocks what is outside a band, of a kind drawn by ``kinds``.

    ``telephone`` passes 300 to 3400 Hz, ``low_pass`` what is below a draw of ``cutoff_hz``.
    """

    def __init__(self, probability: float, kinds: Mapping[str, float], cutoff_hz: Sequence[float]):
        super().__init__(probability)
        self.kinds = checked_kinds("kinds", kinds, dict.fromkeys(KINDS))
        self.cutoff_hz = checked_range("cutoff_hz", cutoff_hz, 500, 48000)

    def __call__(self, sound: Sound, draws: Draws) -> tuple[Sound, Told]:
        kind = one_of(self.kinds, draws)
        low_hz, high_hz = TELEPHONE_HZ
        if kind == "low_pass":
            low_hz, high_hz = 0.0, float(np.exp(draws.uniform(*np.log(self.cutoff_hz))))
        points_hz, gains_db = [high_hz, high_hz * EDGE], [0.0, BLOCKED_DB]
        if low_hz:
            points_hz, gains_db = [low_hz / EDGE, low_hz, *points_hz], [BLOCKED_DB, 0.0, *gains_db]
        changed = sound.with_samples(filtered(sound, np.array(points_hz), np.array(gains_db)))
        return changed, {"kind": kind, "hz": f"{low_hz:.0f} to {high_hz:.0f}"}


def filtered(sound: Sound, points_hz: np.ndarray, gains_db: np.ndarray) -> np.ndarray:
    """Return samples whose frequencies have gains, between the points by their logarithm.

    Nothing is moved in time.
    """
    count = len(sound.samples)
    size = fft.next_fast_len(count + round(ECHO_S * sound.sample_rate), real=True)
    gains = np.interp(_octaves(size, sound.sample_rate), np.log2(points_hz), gains_db)
    spectrum = fft.rfft(sound.samples, size)
    spectrum *= np.exp2(gains * (np.log2(10) / 20)).astype(np.float32)
    changed: np.ndarray = fft.irfft(spectrum, size)[:count]
    return changed


@functools.cache
def _bands(sample_rate: int) -> np.ndarray:
    return np.geomspace(LOWEST_HZ, sample_rate / 2, BANDS)


@functools.lru_cache(maxsize=64)
def _octaves(size: int, sample_rate: int) -> np.ndarray:
    return np.log2(np.fft.rfftfreq(size, 1 / sample_rate).clip(min=1.0))
