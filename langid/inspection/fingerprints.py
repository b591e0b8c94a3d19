"""Near duplicates by acoustic fingerprints (Haitsma and Kalker, ISMIR 2002).

A fingerprint is a word of 32 bits every 64 ms: whether the difference of neighbouring bands grows.
It outlives another codec, gain, noise and a cut beginning; two clips of different sound agree in
half of their bits.
"""

from collections.abc import Sequence

import numpy as np
from scipy.fft import rfft

WINDOW_S = 0.384
HOP_S = 0.064
LOWEST_HZ, HIGHEST_HZ = 300.0, 3000.0
BITS = 32
RANGE_DB = 40.0  # quieter frames, below the loudest one, are left out: digital silence is alike
COMMON = 20  # times; words that come more often tell no pair
SAME_PLACE = 2  # words that a pair must have in common at one shift to be looked at
LEAST_WORDS = 12
SHARE = 0.5  # of the shorter clip that must lie in the other
ALIKE = 0.30  # bits that may differ


def fingerprint(samples: np.ndarray, rate: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the words ``(time,) uint32`` of float ``samples (samples,)``, and which count."""
    window, hop = round(WINDOW_S * rate), round(HOP_S * rate)
    padded = np.pad(samples, (0, max(0, window + hop - len(samples))))
    frames = np.lib.stride_tricks.sliding_window_view(padded, window)[::hop]
    power = np.square(np.abs(rfft(frames * np.hanning(window).astype(np.float32), axis=1)))
    edges = np.geomspace(LOWEST_HZ, HIGHEST_HZ, BITS + 2) * window / rate
    bands = np.add.reduceat(power, edges.round().astype(int), axis=1)[:, :-1]
    grows = np.diff(np.diff(bands, axis=1), axis=0) > 0
    levels = bands.sum(1)[1:]
    counts = (levels > 0) & (levels >= levels.max() * 10 ** (-RANGE_DB / 10))
    words = np.packbits(grows, axis=1).view(">u4")[:, 0].astype(np.uint32)
    return words, counts


def near_pairs(prints: Sequence[tuple[np.ndarray, np.ndarray]]) -> list[tuple[int, int, float]]:
    """Return pairs of clips that hold the same sound, and the share of bits in which they differ.

    Clips whose sound is mostly that of the other count, at any shift of one against the other.
    """
    found: dict[tuple[int, int], float] = {}
    for one, other, shift in _candidates(prints).tolist():
        share = _differing(prints[one], prints[other], shift)
        if share is not None and share <= found.get((one, other), ALIKE):
            found[one, other] = share
    return [(*pair, share) for pair, share in sorted(found.items())]


def _candidates(prints: Sequence[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """Return ``(candidates, 3)``: two clips, and by how many words the second is behind."""
    kept = [np.flatnonzero(counts) for _, counts in prints]
    clip = np.repeat(np.arange(len(prints)), [len(places) for places in kept])
    place = np.concatenate(kept)
    words = np.concatenate([words[places] for (words, _), places in zip(prints, kept, strict=True)])
    order = np.argsort(words, kind="stable")
    words, clip, place = words[order], clip[order], place[order]
    size = np.diff(np.flatnonzero(np.r_[True, words[1:] != words[:-1], True]))
    common = np.repeat(size > COMMON, size)
    words, clip, place = words[~common], clip[~common], place[~common]
    found = []
    for behind in range(1, COMMON):
        same = np.flatnonzero(
            (words[behind:] == words[:-behind]) & (clip[behind:] > clip[:-behind])
        )
        both = same + behind
        found.append(np.stack([clip[same], clip[both], place[both] - place[same]], axis=1))
    pairs, times = np.unique(np.concatenate(found), axis=0, return_counts=True)
    return pairs[times >= SAME_PLACE]


def _differing(
    one: tuple[np.ndarray, np.ndarray], other: tuple[np.ndarray, np.ndarray], shift: int
) -> float | None:
    """Return the share of bits that differ where two clips overlap; None where that is little."""
    start, stop = max(0, -shift), min(len(one[0]), len(other[0]) - shift)
    both = one[1][start:stop] & other[1][start + shift : stop + shift]
    shorter = min(one[1].sum(), other[1].sum())
    if both.sum() < max(LEAST_WORDS, SHARE * shorter):
        return None
    apart = one[0][start:stop][both] ^ other[0][start + shift : stop + shift][both]
    return float(np.bitwise_count(apart).mean() / BITS)
