"""Training sequences in other acoustics, beside the pauses and voices of other clips."""

import functools
from collections.abc import Sequence

import numpy as np
import pandas as pd

from langid.audio.full_scale import FULL_SCALE, in_16_bits
from langid.data.store import Store
from langid.errors import LangidError
from langid.signal.acoustics.chain import WaveformAugment
from langid.signal.acoustics.sound import Draws, Sound, as_loud, looped

PAUSE_S = 0.3  # shorter ones would be heard as a tone when they are looped
VOICES = (3, 6)  # of babble
TRIES = 4  # at a pause that is none of digital silence
SOFTEST = 1 / FULL_SCALE  # of which a pause holds something, as the root of its mean square


class SequenceAcoustics:
    """Changes sequences of a store of samples, by a WaveformAugment.

    ``sequences`` are those that are trained on, with ``row, start, stop, target``. What is drawn
    depends on the ``seed``, the utterance and the occasion alone, which is the epoch and how often
    the sequence was drawn in it before: an utterance is recorded in one place. Raises LangidError
    for a store of features.
    """

    def __init__(self, waveform: WaveformAugment, store: Store, sequences: pd.DataFrame, seed: int):
        if store.content.name != "samples":
            raise LangidError(
                f"waveform={type(waveform).__name__}: changes samples, and store={store.path} holds"
                " features; prepare one with content=samples, or take waveform=none"
            )
        self.waveform = waveform
        self.held, self.store = store, store.stored
        self.seed = seed
        self.row, start, stop, self.target = (
            sequences[name].to_numpy() for name in ("row", "start", "stop", "target")
        )
        self.start, self.stop = store.places(start, stop)
        self.sample_rate = int(store.description["sample_rate"])
        self.context = int(store.description["context_frames"])

    def changed(
        self, index: int, place: tuple[int, int], occasion: Sequence[int]
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return frames from ``start`` to ``stop`` of a sequence, which lie in it, as changed.

        That is ``hops (context_frames + time, hop) int16`` and ``speech (time,) bool``. There are
        no more of them than before, unless less than half of the speech would be left. Of a
        StackedStore there are several hops to a frame. Behind them stands of which frame from
        ``start`` on each is, ``(time,)``. Where no speech would be left, it stays as it was.
        """
        place = self.held.places(*place)
        hops, speech = self.store.read(*place)
        before = self.store.read_context(place[0])
        offsets = self.store.offsets
        begins = offsets[np.searchsorted(offsets, place[0])] == place[0]
        if not begins:  # then what is before is part of the recording
            hops, speech = np.concatenate([before, hops]), np.pad(speech, (len(before), 0))
        others = {"pause": functools.partial(self._pause, int(self.row[index]))}
        others["babble"] = functools.partial(self._babble, int(self.target[index]))
        samples = hops.reshape(-1).astype(np.float32) / np.float32(FULL_SCALE)
        draws = np.random.default_rng([self.seed, *occasion, int(self.row[index])])
        places = np.arange(len(speech)) - (0 if begins else self.context)
        recorded = Sound(samples, speech, self.sample_rate, others, places)
        changed = self._frames(self.waveform(recorded, draws)[0], places, place, begins, before)
        if not changed[1].any():
            unchanged = self._frames(recorded, places, place, begins, before)
            return unchanged if unchanged[1].any() else changed
        return changed

    def _frames(
        self,
        sound: Sound,
        places: np.ndarray,
        place: tuple[int, int],
        begins: bool,
        before: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return a sound as ``changed`` does; ``places (hops,)`` of what was recorded."""
        steps = (in_16_bits(sound.samples) * FULL_SCALE).astype(np.int16)
        hops, speech, origin = steps.reshape(len(sound.speech), -1), sound.speech, sound.origin
        if origin is None:  # of a waveform of somebody's own, which does not tell
            origin = places[np.arange(len(speech)).clip(max=len(places) - 1)]
        if begins:
            hops = np.concatenate([np.full_like(before, hops[0, 0]), hops])
        else:  # of a short sequence hardly more than context may be left
            missing = max(0, self.context + 1 - len(speech))
            hops = np.pad(hops, ((missing, 0), (0, 0)), mode="edge")
            speech = np.pad(speech, (missing, 0))[self.context :]
            origin = np.pad(origin, (missing, 0), mode="edge")[self.context :]
        most = _most(speech, place[1] - place[0])
        stride = self.held.stride  # of a frame the hop in its middle tells where it is from
        there = min(most, len(origin))
        middle = np.minimum(np.arange(0, there, stride) + stride // 2, there - 1)
        first = origin[middle].clip(min=0) // stride
        return *self.held.filled(hops[: self.context + most], speech[:most]), first

    @functools.cached_property
    def pauses(self) -> np.ndarray:
        """The ``row, start, stop`` of all stretches without speech that are long enough."""
        found = []
        least = round(PAUSE_S * self.store.frames_per_second)
        for row, start, stop in zip(self.row, self.start, self.stop, strict=True):
            silent = np.pad(~self.store.read_speech(start, stop), 1)
            begins, ends = np.flatnonzero(np.diff(silent.astype(np.int8))).reshape(-1, 2).T
            long = ends - begins >= least
            found += [
                (row, start + a, start + b) for a, b in zip(begins[long], ends[long], strict=True)
            ]
        return np.array(found, np.int64).reshape(-1, 3)

    def _pause(self, row: int, count: int, draws: Draws) -> np.ndarray | None:
        """Return so many samples of a pause of another utterance."""
        for _ in range(TRIES if len(self.pauses) else 0):
            other, start, stop = self.pauses[draws.integers(len(self.pauses))]
            samples = self._read(start, stop)
            samples = samples - samples.mean()
            if other != row and samples.std() > SOFTEST:
                return looped(samples, count)
        return None

    def _babble(self, target: int, count: int, draws: Draws) -> np.ndarray | None:
        """Return so many samples of some voices of other classes, known ones, equally loud."""
        sequences = np.flatnonzero((self.target != target) & (self.target >= 0))
        if not len(sequences):
            return None
        hop = self.store.content.width
        babble = np.zeros(count, np.float32)
        for index in draws.choice(sequences, draws.integers(VOICES[0], VOICES[1] + 1)):
            start, stop = self.start[index], self.stop[index]
            start += draws.integers(max(1, stop - start - count // hop))
            samples = self._read(start, min(stop, start + count // hop + 1))
            babble += as_loud(looped(samples, count), 0.01)
        return babble

    def _read(self, start: int, stop: int) -> np.ndarray:
        hops = self.store.read(start, stop)[0]
        return hops.reshape(-1).astype(np.float32) / np.float32(FULL_SCALE)


def _most(speech: np.ndarray, before: int) -> int:
    """Return of how many frames a sequence may be that had so many before."""
    spoken = np.flatnonzero(speech)
    if len(spoken) == 0 or len(speech) <= before:
        return before
    return max(before, int(spoken[(len(spoken) - 1) // 2]) + 1)
