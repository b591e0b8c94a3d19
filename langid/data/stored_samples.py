"""The samples that the frames of a store are made of, whatever it holds."""

import numpy as np
import soxr

from langid.audio.full_scale import FULL_SCALE
from langid.data.clip_frames import stored_samples
from langid.data.store import Store
from langid.signal.front_end import build_front_end


class StoredSamples:
    """The samples that the frames of a store's rows are made of, at a sample rate.

    Of a store of features clips are decoded again.
    """

    def __init__(self, store: Store, sample_rate: int):
        self.store = store
        self.sample_rate = sample_rate
        self.front_end = None
        if store.content.name == "features":
            held = store.description
            self.front_end = build_front_end(held["features"], held["detector"])

    def __call__(self, row: int) -> np.ndarray:
        """Return ``(samples,)`` float32; raises AudioError where a clip cannot be decoded again."""
        rate = self.store.description["sample_rate"]
        samples = self._of_hops(row) if self.front_end is None else self._of_file(row)
        return (
            samples if rate == self.sample_rate else soxr.resample(samples, rate, self.sample_rate)
        )

    def _of_hops(self, row: int) -> np.ndarray:
        hops, _ = self.store.read(*self.store.offsets[row : row + 2])
        return np.asarray(hops.reshape(-1).astype(np.float32) / FULL_SCALE)

    def _of_file(self, row: int) -> np.ndarray:
        assert self.front_end is not None
        excerpt, most = self.store.excerpt(row), self.store.description["max_duration_s"]
        return np.asarray(stored_samples(excerpt, self.front_end, most))
