"""Whether two systems differ by more than chance, on the same utterances."""

from collections.abc import Iterator, Sequence

import numpy as np
from scipy.stats import binomtest

FLIPS = 9999
AT_ONCE = 1000  # flips, so that speakers by the ten thousand fit


def mcnemar(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Return the exact two-sided p of McNemar's test (1947), which takes clips as independent.

    ``ours`` and ``theirs (utterances,) bool`` say which are right. Clips of one speaker are alike,
    so that it finds differences too easily; ``speaker_flips`` does not.
    """
    ahead, behind = int((ours & ~theirs).sum()), int((theirs & ~ours).sum())
    return float(binomtest(ahead, ahead + behind).pvalue) if ahead + behind else 1.0


def flips_of_all(
    targets: np.ndarray, right: np.ndarray, speakers: Sequence[str], best: int
) -> np.ndarray:
    """Return the p of each system's difference from the best one, ``(systems,)``, of all at once.

    ``right (systems, utterances)``; the others are as in ``speaker_flips``, whose p of two systems
    this is. Which system is the best is found in the same clips, so a difference has to be as large
    as the largest one between any two that chance makes of so many (Westfall and Young 1993): what
    each speaker gives the systems, above their mean, is exchanged with its opposite.
    """
    gains = _by_speaker(targets, right, speakers)
    gains = gains - gains.mean(1, keepdims=True)
    gains = gains[np.ptp(gains, axis=1) > 0]
    total = gains.sum(0)
    least = abs(total[best] - total) - 1e-12
    as_far = np.zeros(len(total), int)
    for signs in _signs(len(gains)):
        largest = np.ptp(signs @ gains, axis=1)
        as_far += (largest[:, None] >= least).sum(0)
    return np.asarray((1 + as_far) / (1 + FLIPS))


def speaker_flips(
    targets: np.ndarray, ours: np.ndarray, theirs: np.ndarray, speakers: Sequence[str]
) -> float:
    """Return the two-sided p of a difference in balanced accuracy, by a test of randomisation.

    If it were chance, a speaker's clips could as well have been judged with the two systems
    exchanged (Fisher 1935; Yeh, COLING 2000): so they are, of every speaker or not, FLIPS times.
    All are ``(utterances,)``: class indices, which are right, and who speaks.
    """
    gains = _by_speaker(targets, (ours.astype(float) - theirs)[None], speakers)[:, 0]
    gains = gains[gains != 0]
    least = abs(gains.sum()) - 1e-12  # sums of another order may differ by rounding
    as_far = sum(int((abs(signs @ gains) >= least).sum()) for signs in _signs(len(gains)))
    return (1 + as_far) / (1 + FLIPS)


def _by_speaker(targets: np.ndarray, right: np.ndarray, speakers: Sequence[str]) -> np.ndarray:
    """Return what each speaker gives balanced accuracies, ``(speakers, systems)``."""
    support = np.bincount(targets)
    shares = 1 / support[targets] / (support > 0).sum()
    speaker = np.unique(np.asarray(speakers), return_inverse=True)[1]
    return np.stack([np.bincount(speaker, shares * own) for own in right.astype(float)], 1)


def _signs(count: int) -> Iterator[np.ndarray]:
    """Yield FLIPS rows of so many random signs, some at once."""
    generator = np.random.default_rng(0)
    for first in range(0, FLIPS, AT_ONCE):
        size = min(AT_ONCE, FLIPS - first), count
        yield generator.integers(0, 2, size, dtype=np.int8) * 2 - 1
