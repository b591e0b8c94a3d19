"""Sound that stands for music and needs no data."""

import numpy as np

from langid.signal.acoustics.sound import Draws

CHORD = (0, 4, 7, 12)  # semitones above its root
ROOTS = (0, 5, 7, 9)
HARMONICS = 8


def synthetic_music(count: int, sample_rate: int, draws: Draws) -> np.ndarray:
    """Return so many samples of chords of plucked strings over a beat of noise, float32."""
    music = np.zeros(count, np.float32)
    beat = int(sample_rate * draws.uniform(0.25, 0.5))
    time_s = np.arange(4 * beat) / sample_rate
    harmonics = np.arange(1, HARMONICS + 1)
    strike = 0.3 * draws.standard_normal(len(time_s)) * np.exp(-time_s / 0.03)
    root_hz = draws.uniform(110, 220)
    for number, start in enumerate(range(0, len(music), beat)):
        made = strike.copy()
        if number % 4 == 0:
            root = root_hz * 2 ** (draws.choice(ROOTS) / 12)
            chord = root * 2 ** (np.array(CHORD) / 12)
            hz = np.outer(chord, harmonics).ravel()
            phase = 2 * np.pi * (np.outer(time_s, hz) + draws.random(len(hz)))
            softer = np.tile(harmonics, len(CHORD))
            fading = np.exp(-np.outer(time_s, softer) / 0.8)
            made += (np.sin(phase) * fading / softer).sum(1) * 0.25
        made = made[: len(music) - start]
        music[start : start + len(made)] += made.astype(np.float32)
    return music
