"""How loud a sound is, and what is cut off where it is too loud."""

from collections.abc import Sequence

import numpy as np

from langid.signal.acoustics.sound import Draws, Refused, Sound, Told, Transform, checked_range


class Gain(Transform):
    """Makes a sound louder or softer by a uniform draw of ``db``, at most up to full scale.

    Where it is ``overdriven``, what goes beyond is cut off.
    """

    def __init__(self, probability: float, db: Sequence[float], overdriven: bool = False):
        super().__init__(probability)
        if not isinstance(overdriven, bool):
            raise Refused(f"overdriven={overdriven}: accepted are true and false")
        self.db, self.overdriven = checked_range("db", db, -60, 60), overdriven

    def __call__(self, sound: Sound, draws: Draws) -> tuple[Sound, Told]:
        peak = float(np.abs(sound.samples).max())
        wanted = 10 ** (draws.uniform(*self.db) / 20)
        limited = peak and not self.overdriven
        factor = min(wanted, max(1.0, 1 / peak)) if limited else wanted
        told = {"db": round(20 * float(np.log10(factor)), 1)}
        samples = sound.samples * np.float32(factor)
        return sound.with_samples(samples.clip(-1, 1) if self.overdriven else samples), told


class Clipping(Transform):
    """Cuts off a ``share`` of the samples, those that are furthest from nothing.

    Where fewer than that are not 0, it is the share of these.
    """

    def __init__(self, probability: float, share: Sequence[float]):
        super().__init__(probability)
        self.share = checked_range("share", share, 0, 0.5)

    def __call__(self, sound: Sound, draws: Draws) -> tuple[Sound, Told]:
        share = draws.uniform(*self.share)
        sizes = np.abs(sound.samples)
        level = _exceeded(sizes, share)
        if level == 0:
            sizes = sizes[sizes > 0]
            if not len(sizes):
                return sound, {"share": 0.0, "at": 0.0}
            level = _exceeded(sizes, share)
        told = {"share": round(share, 4), "at": round(float(level), 4)}
        return sound.with_samples(sound.samples.clip(-level, level)), told


def _exceeded(sizes: np.ndarray, share: float) -> float:
    """Return what a share of some sizes exceed."""
    return float(np.partition(sizes, kept := int((1 - share) * (len(sizes) - 1)))[kept])
