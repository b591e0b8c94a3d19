"""A store whose frames are several of those that are stored, one behind the other."""

from pathlib import Path
from typing import Any

import numpy as np

from langid.data.store import Store
from langid.signal.front_end import mostly_speech


class StackedStore(Store):
    """Reads a store in frames of ``stride`` stored ones: all counts of frames are of these.

    The last frame of an utterance is filled with its last stored frame, of samples with its last
    sample, and its marks with its last one, where a stream hears whether the filling is speech. A
    frame is speech where most of those in it are.
    """

    def __init__(self, stored: Store, stride: int):
        vars(self).update(vars(stored))
        self._stored, self.stride = stored, stride
        frames = -(-np.diff(stored.offsets) // stride)
        self.offsets = np.concatenate([[0], frames.cumsum()])
        self.bins = stored.bins * stride

    @property
    def stored(self) -> Store:
        """Return the store in frames that are stored."""
        return self._stored

    @property
    def frames_per_second(self) -> float:
        """Return the rate of stacked frames, in hertz."""
        return self.stored.frames_per_second / self.stride

    def places(self, start: Any, stop: Any) -> tuple[Any, Any]:
        """Return which stored frames those from ``start`` to ``stop`` of an utterance are."""
        row = np.searchsorted(self.offsets, start, "right") - 1
        begin, end = self.stored.offsets[row], self.stored.offsets[row + 1]
        first, last = (begin + (place - self.offsets[row]) * self.stride for place in (start, stop))
        return first, np.minimum(last, end)

    def filled(self, values: np.ndarray, speech: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return frames of stored ones: see ``read``. Samples may stand before the first frame."""
        missing = -len(speech) % self.stride
        if missing:
            end = values[-1] if self.content.name == "features" else values[-1, -1]
            fill = np.full((missing, values.shape[1]), end, values.dtype)
            values = np.concatenate([values, fill])
        if self.content.name == "features":
            values = values.reshape(-1, self.bins)
        return values, self._marks(speech)

    def read(self, start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        """Return what is stored of frames, and ``speech (time,) bool``.

        That is ``features (time, stride * bins)``, or ``samples (time * stride, hop_samples)``.
        """
        return self.filled(*self.stored.read(*self.places(start, stop)))

    def read_context(self, start: int) -> np.ndarray:
        """Return the samples before a frame that its features need, ``(context_frames, hop)``."""
        return self.stored.read_context(self.places(start, start)[0])

    def read_speech(self, start: int, stop: int) -> np.ndarray:
        """Return ``speech (time,) bool`` of frames."""
        return self._marks(self.stored.read_speech(*self.places(start, stop)))

    def speech_of(self, first: int, last: int) -> np.ndarray:
        """Return ``speech (time,) bool`` of rows, one behind the other."""
        offsets, own = self.stored.offsets[first : last + 1], self.offsets[first : last + 1]
        begin, end, before = (
            np.repeat(of, np.diff(own)) for of in (offsets[:-1], offsets[1:], own[:-1])
        )
        place = begin + (np.arange(own[0], own[-1]) - before) * self.stride
        filled = np.minimum(place[:, None] + np.arange(self.stride), end[:, None] - 1)
        speech = self.stored.speech_of(first, last)
        marks: np.ndarray = mostly_speech(speech[filled.reshape(-1) - offsets[0]], self.stride)
        return marks

    def _marks(self, speech: np.ndarray) -> np.ndarray:
        missing = -len(speech) % self.stride
        filled = np.append(speech, speech[-1:].repeat(missing))
        marks: np.ndarray = mostly_speech(filled, self.stride)
        return marks


def stacked_store(path: str | Path, stride: int) -> Store:
    """Return a store whose frames are ``stride`` of those that are stored; errors as of Store."""
    store = Store(path)
    return store if stride == 1 else StackedStore(store, stride)
