"""What a stream accepts as samples, and samples at another rate than the model's."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from langid.audio.full_scale import LOUDEST, peak_beyond
from langid.errors import LangidError

FLOAT32, INT16, SCALE = np.dtype(np.float32), np.dtype(np.int16), np.float32(1 / 32768)
NOTHING = np.zeros(0, np.float32)


def checked_samples(samples: Any) -> np.ndarray:
    """Return mono samples ``(samples,)`` as int16, or as float32 of full scale 1.

    Raises LangidError for any other kind, shape or scale, and for NaN or infinity.
    """
    try:
        found: np.ndarray = np.asarray(samples)
    except ValueError as error:  # rows of different lengths
        raise LangidError(f"samples: expected one axis, (samples,), mono ({error})") from None
    if found.ndim != 1:
        raise LangidError(f"samples of shape {found.shape}: expected one axis, (samples,), mono")
    if found.dtype == INT16:
        return found
    if found.dtype.kind != "f":
        raise LangidError(
            f"samples of type {found.dtype}: expected floats of full scale 1, or int16"
        )
    peak = peak_beyond(found)
    if peak is not None and not np.isfinite(peak):
        raise LangidError("samples hold NaN or infinity: expected finite numbers")
    if peak is not None:
        raise LangidError(
            f"samples reach {peak:.4g}: expected floats of full scale 1, or int16; divide"
            " floats that hold 16-bit values by 32768"
        )
    return np.asarray(found, np.float32)


def write_floats(samples: np.ndarray, out: np.ndarray) -> None:
    """Write int16 or float32 samples as float32 of full scale 1."""
    if samples.dtype == INT16:
        np.multiply(samples, SCALE, out=out)
    else:
        out[:] = samples


def as_floats(samples: np.ndarray) -> np.ndarray:
    """Return int16 or float32 samples as float32 of full scale 1."""
    return samples * SCALE if samples.dtype == INT16 else samples


def whole_hops(samples: np.ndarray, hop_samples: int) -> np.ndarray:
    """Return ``samples (samples,)`` with the last hop filled with the last sample."""
    missing = -len(samples) % hop_samples
    return np.concatenate([samples, np.repeat(samples[-1:], missing)])


def are_samples(blocks: Iterable[Any]) -> bool:
    """Return whether all are float32 or int16 arrays that checked_samples accepts.

    It looks at all of them in one go, in a tenth of the time.
    """
    floats = [NOTHING]
    for block in blocks:
        if type(block) is not np.ndarray or block.ndim != 1 or block.dtype not in (FLOAT32, INT16):
            return False
        if block.dtype == FLOAT32:
            floats.append(block)
    joined = np.concatenate(floats)  # one that holds NaN has no lowest and no highest
    return bool(joined.min(initial=0) >= -LOUDEST and joined.max(initial=0) <= LOUDEST)


def checked_rate(sample_rate: Any, name: str = "sample_rate") -> int:
    """Return a sample rate in Hz; raise LangidError for what is none."""
    try:
        rate = int(sample_rate)
    except (TypeError, ValueError, OverflowError):
        rate = 0
    if rate != sample_rate or not 1000 <= rate <= 1_000_000:
        raise LangidError(
            f"{name}={sample_rate}: expected a whole number of Hz, from 1000 to 1000000"
        )
    return rate


class Resampler:
    """Samples of a stream from one rate to another; the cuts between calls change nothing.

    The filter of soxr looks ahead, so that some samples come out with later calls; ``flush``
    brings the last. Those that are at the other rate pass as they are.
    """

    def __init__(self, rate: int, to_rate: int):
        self.waiting = False  # whether samples came since the last flush
        self._stream: Any = None
        if rate != to_rate:
            import soxr  # here, so that a model at its own rate needs no soxr

            self._stream = soxr.ResampleStream(rate, to_rate, 1, dtype="float32")

    def feed(self, samples: np.ndarray) -> np.ndarray:
        """``samples (samples,)`` int16 or float32 -> those that are ready at the other rate."""
        if self._stream is None:
            return samples
        self.waiting = self.waiting or len(samples) > 0
        return np.asarray(self._stream.resample_chunk(as_floats(samples)))

    def flush(self) -> np.ndarray:
        """Return what is left, as if silence followed, and begin anew."""
        if not self.waiting:
            return NOTHING
        rest = np.asarray(self._stream.resample_chunk(NOTHING, last=True))
        self._stream.clear()
        self.waiting = False
        return rest
