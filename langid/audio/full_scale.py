"""The scale of samples: floats of full scale 1, in steps of 16 bits, and how far they may go."""

import numpy as np

FULL_SCALE = 32768.0  # of 16-bit samples
LOUDEST = 100.0  # 40 dB above full scale no recording is; beyond, the features would overflow


def peak_beyond(samples: np.ndarray) -> float | None:
    """Return the largest magnitude of float ``samples`` beyond LOUDEST, or None where all are less.

    Mixes a little over full scale pass, 16-bit values as floats do not. For NaN it is not finite.
    """
    flat = samples.ravel()
    # No sample is above the root of the sum of squares, which is one fast call.
    with np.errstate(over="ignore", invalid="ignore"):
        if float(flat.dot(flat)) <= LOUDEST**2:
            return None
    peak = float(np.abs(flat).max(initial=0.0))
    return None if peak <= LOUDEST else peak


def in_16_bits(samples: np.ndarray) -> np.ndarray:
    """Return float ``samples`` as 16 bits have them: rounded, and clipped beyond full scale."""
    steps = samples * FULL_SCALE
    np.clip(np.rint(steps, out=steps), -FULL_SCALE, FULL_SCALE - 1, out=steps)
    steps /= FULL_SCALE
    return steps
