"""Packets of a call that never arrive."""

from collections.abc import Sequence

import numpy as np

from langid.signal.acoustics.sound import Draws, Sound, Told, Transform, checked_range

PACKET_S = 0.02
FADED = 0.5  # of what is played again in the place of a lost packet, in each one more


class PacketLoss(Transform):
    """Loses a ``share`` of packets of 20 ms, in runs of ``burst`` on average.

    Runs are longer where a large share asks for it. In their place is silence, or the packet before
    again and softer. Marks stay: what is lost was said.
    """

    def __init__(self, probability: float, share: Sequence[float], burst: Sequence[float]):
        super().__init__(probability)
        self.share = checked_range("share", share, 0, 0.9)
        self.burst = checked_range("burst", burst, 1, 20)

    def __call__(self, sound: Sound, draws: Draws) -> tuple[Sound, Told]:
        share, burst = draws.uniform(*self.share), draws.uniform(*self.burst)
        filled = bool(draws.random() < 0.5)
        size = round(PACKET_S * sound.sample_rate)
        count = -(-len(sound.samples) // size)
        samples = np.pad(sound.samples, (0, count * size - len(sound.samples)))
        packets = samples.reshape(count, size)
        for number in np.flatnonzero(lost_packets(count, share, burst, draws)):
            packets[number] = packets[number - 1] * FADED if filled and number else 0
        instead = "the packet before" if filled else "silence"
        told = {"share": round(share, 3), "burst": round(burst, 1), "instead": instead}
        return sound.with_samples(samples[: len(sound.samples)]), told


def lost_packets(count: int, share: float, burst: float, draws: Draws) -> np.ndarray:
    """Return ``(count,) bool``, which are lost: by turns runs that arrive and runs that do not."""
    if share == 0:
        return np.zeros(count, bool)
    burst = max(burst, share / (1 - share))  # one packet at least arrives between two runs
    arrives = burst * (1 - share) / share
    means = np.tile([arrives, burst], count // 2 + 1)
    runs = draws.geometric(np.minimum(1 / means, 1))  # by rounding a mean may be below 1
    return np.repeat(np.tile([False, True], count // 2 + 1), runs)[:count]
