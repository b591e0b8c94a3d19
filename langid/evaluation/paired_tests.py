"""Whether two systems differ by more than chance, on the same utterances."""

from collections.abc import Sequence

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


def speaker_flips(
    targets: np.ndarray, ours: np.ndarray, theirs: np.ndarray, speakers: Sequence[str]
) -> float:
    """Return the two-sided p of a difference in balanced accuracy, by a test of randomisation.

    If it were chance, a speaker's clips could as well have been judged with the two systems
    exchanged (Fisher 1935; Yeh, COLING 2000): so they are, of every speaker or not, FLIPS times.
    All are ``(utterances,)``: class indices, which are right, and who speaks.
    """
    support = np.bincount(targets)
    shares = 1 / support[targets] / (support > 0).sum()
    speaker = np.unique(np.asarray(speakers), return_inverse=True)[1]
    gains = np.bincount(speaker, shares * (ours.astype(float) - theirs))
    gains = gains[gains != 0]
    least = abs(gains.sum()) - 1e-12  # sums of another order may differ by rounding
    generator, as_far = np.random.default_rng(0), 0
    for first in range(0, FLIPS, AT_ONCE):
        count = min(AT_ONCE, FLIPS - first)
        signs = generator.integers(0, 2, (count, len(gains)), dtype=np.int8) * 2 - 1
        as_far += int((abs(signs @ gains) >= least).sum())
    return (1 + as_far) / (1 + FLIPS)


def holm(p: Sequence[float]) -> list[float]:
    """Return the p of each of several tests, corrected for their number (Holm 1979)."""
    order = np.argsort(p, kind="stable")
    raised = np.array(p, float)[order] * np.arange(len(p), 0, -1)
    corrected = np.empty(len(p))
    corrected[order] = np.minimum(np.maximum.accumulate(raised), 1.0)
    return [float(of) for of in corrected]
