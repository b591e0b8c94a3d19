"""Sound that does the work of speech and needs no data."""

import numpy as np

RATE = 16000


def synthetic_sound(seconds: float) -> np.ndarray:
    """Return noise in bursts of syllable length, float32 ``(samples,)`` of full scale 1."""
    random = np.random.default_rng(0)
    time_s = np.arange(int(seconds * RATE)) / RATE
    loudness = np.clip(np.sin(2 * np.pi * 3 * time_s) + np.sin(2 * np.pi * 0.4 * time_s), 0, None)
    sound: np.ndarray = (0.1 * loudness + 0.001) * random.standard_normal(len(time_s))
    return sound.clip(-1, 1).astype(np.float32)
