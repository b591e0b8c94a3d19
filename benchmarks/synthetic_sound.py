"""Sound that does the work of speech, or stands for music, and needs no data."""

import numpy as np

RATE = 16000


def synthetic_sound(seconds: float) -> np.ndarray:
    """Return noise in bursts of syllable length, float32 ``(samples,)`` of full scale 1."""
    random = np.random.default_rng(0)
    time_s = np.arange(int(seconds * RATE)) / RATE
    loudness = np.clip(np.sin(2 * np.pi * 3 * time_s) + np.sin(2 * np.pi * 0.4 * time_s), 0, None)
    sound: np.ndarray = (0.1 * loudness + 0.001) * random.standard_normal(len(time_s))
    return sound.clip(-1, 1).astype(np.float32)


def synthetic_music(count: int, draws: np.random.Generator) -> np.ndarray:
    """Return so many samples of chords of plucked strings over a beat of noise, float32."""
    music = np.zeros(count, np.float32)
    beat = int(RATE * draws.uniform(0.25, 0.5))
    time_s = np.arange(4 * beat) / RATE
    harmonics = np.arange(1, 9)
    strike = 0.3 * draws.standard_normal(len(time_s)) * np.exp(-time_s / 0.03)
    root_hz = draws.uniform(110, 220)
    for number, start in enumerate(range(0, len(music), beat)):
        made = strike.copy()
        if number % 4 == 0:
            root = root_hz * 2 ** (draws.choice([0, 5, 7, 9]) / 12)
            chord = root * 2 ** (np.array([0, 4, 7, 12]) / 12)
            hz = np.outer(chord, harmonics).ravel()
            phase = 2 * np.pi * (np.outer(time_s, hz) + draws.random(len(hz)))
            fading = np.exp(-np.outer(time_s, np.tile(harmonics, 4)) / 0.8)
            made += (np.sin(phase) * fading / np.tile(harmonics, 4)).sum(1) * 0.25
        made = made[: len(music) - start]
        music[start : start + len(made)] += made.astype(np.float32)
    return music
