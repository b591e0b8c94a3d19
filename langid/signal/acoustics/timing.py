"""How fast is spoken, where a sound begins, and what is silent before it."""

from collections.abc import Sequence

import numpy as np
import soxr

from langid.signal.acoustics.sound import Draws, Sound, Told, Transform, checked_range

WINDOW_S = 0.04  # of what tempo takes at once: two periods of a low voice and more
COARSE = 2  # samples of a step of the search
SEARCH_S = 0.008  # in which it looks for what fits, half a period of such a voice and more


class Speed(Transform):
    """Plays a sound ``factor`` times as fast, as a record: pitch and formants move with it."""

    def __init__(self, probability: float, factor: Sequence[float]):
        super().__init__(probability)
        self.factor = checked_range("factor", factor, 0.5, 2)

    def __call__(self, sound: Sound, draws: Draws) -> tuple[Sound, Told]:
        factor = draws.uniform(*self.factor)
        rates = (sound.sample_rate * factor, float(sound.sample_rate))
        return sound.at_pace(resampled(sound.samples, *rates), factor), {"factor": round(factor, 3)}


class Tempo(Transform):
    """Lets a voice speak ``factor`` times as fast at its own pitch."""

    def __init__(self, probability: float, factor: Sequence[float]):
        super().__init__(probability)
        self.factor = checked_range("factor", factor, 0.5, 2)

    def __call__(self, sound: Sound, draws: Draws) -> tuple[Sound, Told]:
        factor = draws.uniform(*self.factor)
        samples = at_tempo(sound.samples, factor, sound.sample_rate)
        return sound.at_pace(samples, factor), {"factor": round(factor, 3)}


class Shift(Transform):
    """Cuts so many ``seconds`` off the beginning, so that hops begin elsewhere in the sound.

    Speech stays, of which there is some: it is cut at its last hop at the latest.
    """

    def __init__(self, probability: float, seconds: Sequence[float]):
        super().__init__(probability)
        self.seconds = checked_range("seconds", seconds, 0, 10)

    def __call__(self, sound: Sound, draws: Draws) -> tuple[Sound, Told]:
        hop, spoken = sound.hop_samples, np.flatnonzero(sound.speech)
        last = int(spoken[-1] if len(spoken) else len(sound.speech) - 1)
        begin = min(int(draws.uniform(*self.seconds) * sound.sample_rate), last * hop)
        # A hop is what most of its samples were; the last one is filled up.
        cut = (begin + hop // 2) // hop
        speech = sound.speech[cut:]
        samples = np.pad(sound.samples[begin:], (0, -(len(sound.samples) - begin) % hop), "edge")
        speech = np.pad(speech, (0, len(samples) // hop - len(speech)), "edge")
        told = {"seconds": round(begin / sound.sample_rate, 3)}
        return sound.in_time(samples, speech, -cut), told


class LeadingSilence(Transform):
    """Lets so many ``seconds`` of digital silence go before a sound, in whole hops."""

    def __init__(self, probability: float, seconds: Sequence[float]):
        super().__init__(probability)
        self.seconds = checked_range("seconds", seconds, 0, 10)

    def __call__(self, sound: Sound, draws: Draws) -> tuple[Sound, Told]:
        hop = sound.hop_samples
        hops = round(draws.uniform(*self.seconds) * sound.sample_rate / hop)
        samples = np.concatenate([np.zeros(hops * hop, np.float32), sound.samples])
        speech = np.concatenate([np.zeros(hops, bool), sound.speech])
        told = {"seconds": round(hops * hop / sound.sample_rate, 2)}
        return sound.in_time(samples, speech, hops), told


def resampled(samples: np.ndarray, rate: float, to: float) -> np.ndarray:
    """Return samples at another rate, by soxr's medium quality."""
    changed: np.ndarray = soxr.resample(samples, rate, to, quality="MQ")
    return changed


def at_tempo(samples: np.ndarray, factor: float, sample_rate: int) -> np.ndarray:
    """Return samples ``factor`` times as fast at their pitch, by WSOLA (Verhelst, Roelands 1993).

    Windows of half overlap are taken from where they would be at the new pace, moved to where
    they fit best what follows the window before.
    """
    half, reach = round(WINDOW_S * sample_rate / 2), round(SEARCH_S * sample_rate)
    count = max(1, round(len(samples) / factor))
    hops = -(-count // half) + 1
    padded = np.pad(samples, (half + reach, half * 4 + reach), mode="edge")
    window = np.hanning(2 * half + 1)[:-1].astype(np.float32)
    made = np.zeros((hops + 1) * half, np.float32)
    follows = reach  # where in ``padded`` what follows the window before begins
    for number in range(hops):
        wanted = min(int(number * half * factor), len(samples)) + reach
        near = padded[wanted - reach : wanted + reach + half]
        likeness = _likeness(near[::COARSE], padded[follows : follows + half : COARSE])
        best = wanted - reach + COARSE * int(likeness.argmax())
        made[number * half : (number + 2) * half] += window * padded[best : best + 2 * half]
        follows = min(best + half, len(padded) - 2 * half - reach)
    return made[half : half + count]


def _likeness(near: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Return how like ``wanted`` each stretch of ``near`` is: correlation by its own size."""
    sums = np.concatenate([[0.0], np.cumsum(near * near, dtype=np.float64)])
    sizes = sums[len(wanted) :] - sums[: -len(wanted)]
    likeness: np.ndarray = np.correlate(near, wanted, "valid") / np.sqrt(sizes.clip(min=1e-12))
    return likeness
