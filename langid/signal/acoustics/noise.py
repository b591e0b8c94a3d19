"""Noise beside speech, at a chosen ratio."""

import functools
from collections.abc import Mapping, Sequence

import numpy as np
from scipy import fft

from langid.signal.acoustics.recordings import Recordings
from langid.signal.acoustics.sound import (
    AUDIBLE,
    RUMBLE_HZ,
    Draws,
    Refused,
    Sound,
    Told,
    Transform,
    as_loud,
    checked_kinds,
    checked_range,
    one_of,
    power,
)

COLOURS = {"white": 0.0, "pink": 1.0, "brown": 2.0, "blue": -1.0}  # power by 1 / f ** so much
LOOP = 2**18  # samples of a colour, which go on where they began: 16 s at 16 kHz
KINDS = ("colour", "pause", "babble", "folder")


class Noise(Transform):
    """Adds noise, at a uniform draw of ``snr_db`` below the speech, of a kind drawn by ``kinds``.

    Kinds are synthetic ``colour``, the ``pause`` of another clip, ``babble`` of clips of other
    classes, and what lies below a ``folder``, as far as there are others. Where none can be heard,
    or the sound is silent, nothing is added. ``colours`` are those of COLOURS to draw from.
    """

    def __init__(
        self,
        probability: float,
        snr_db: Sequence[float],
        kinds: Mapping[str, float],
        folder: str | None = None,
        colours: Sequence[str] = tuple(COLOURS),
    ):
        super().__init__(probability)
        listed = isinstance(colours, list | tuple) and len(colours) > 0
        if not listed or not all(colour in tuple(COLOURS) for colour in colours):
            raise Refused(f"colours={colours}: accepted are lists of {', '.join(COLOURS)}")
        self.colours = list(colours)
        self.snr_db = checked_range("snr_db", snr_db, -30, 100)
        self.kinds = checked_kinds("kinds", kinds, dict.fromkeys(KINDS))
        if folder is None:
            self.kinds = {kind: self.kinds[kind] for kind in self.kinds if kind != "folder"}
            if not any(self.kinds.values()):
                raise Refused("folder=null: accepted is a folder of noise, as kinds has no others")
        self.recordings = None if folder is None else Recordings("folder", folder)

    def __call__(self, sound: Sound, draws: Draws) -> tuple[Sound, Told]:
        snr_db, there = draws.uniform(*self.snr_db), {"colour", "folder", *sound.others}
        kinds = {kind: self.kinds[kind] for kind in self.kinds if kind in there}
        if not any(kinds.values()):
            return sound, {"kind": f"none: no {' or '.join(self.kinds)} to be heard"}
        noise, of = self._noise(one_of(kinds, draws), sound, draws)
        told = {"kind": of, "snr_db": round(snr_db, 1)}
        speech_power = sound.speech_power
        if noise is None or power(noise) < AUDIBLE or speech_power < AUDIBLE:
            return sound, told | {"kind": f"none: no {of} to be heard"}
        louder = as_loud(noise, speech_power / 10 ** (snr_db / 10))
        return sound.with_samples(sound.samples + louder), told

    def _noise(self, kind: str, sound: Sound, draws: Draws) -> tuple[np.ndarray | None, str]:
        count = len(sound.samples)
        if kind == "colour":
            colour = self.colours[draws.integers(len(self.colours))]
            return coloured(colour, count, draws), f"{colour} noise"
        if kind == "folder":
            assert self.recordings is not None
            return self.recordings.stretch(count, sound.sample_rate, draws)
        return sound.others[kind](count, draws), kind


def coloured(colour: str, count: int, draws: Draws) -> np.ndarray:
    """Return so many samples of noise of a colour, from anywhere in its loop."""
    return np.take(_loop(colour), draws.integers(LOOP) + np.arange(count), mode="wrap")


@functools.cache
def _loop(colour: str) -> np.ndarray:
    """Return noise of a colour whose end its beginning follows, the same in every process."""
    spectrum = fft.rfft(np.random.default_rng(0).standard_normal(LOOP, np.float32))
    spectrum[0] = 0
    tilt = np.arange(1, len(spectrum), dtype=np.float32)  # steep below, yet 4 Hz is not heard
    spectrum[1:] *= np.maximum(tilt, LOOP / 4000) ** np.float32(-COLOURS[colour] / 2)
    if COLOURS[colour] > 1:  # nearly all of its power would be there
        spectrum[: round(RUMBLE_HZ / 16000 * LOOP)] = 0
    return as_loud(fft.irfft(spectrum, LOOP), 0.01)
