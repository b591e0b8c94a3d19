"""Many streams in one batch: they join and leave freely, each as if it were alone."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from langid.errors import LangidError
from langid.streaming.decision import Decision
from langid.streaming.decision_rule import DecisionTable
from langid.streaming.hop_queue import HopQueue
from langid.streaming.samples import Resampler, are_samples, checked_rate, checked_samples
from langid.streaming.streamer import ModelStreams, StreamingModel


class RefusedSamples(LangidError):
    """Samples of some streams that were not taken; those of all others were.

    ``refused`` holds the reason for each, ``posteriors`` what ``step`` returns for the others.
    """

    def __init__(self, refused: dict[int, LangidError], posteriors: dict[int, np.ndarray]):
        reasons = "; ".join(f"stream {number}: {reason}" for number, reason in refused.items())
        super().__init__(f"{reasons}; these streams stay as they were, the others went on")
        self.refused = refused
        self.posteriors = posteriors


class MultiStream(ModelStreams):
    """Takes hundreds of streams, a batch at a time, and gives each the results that it has alone.

    A batch may take sums in another order: posteriors are those of the lone stream to 1e-5 (gru and
    lstm are the same under onnxruntime, conformer differs by up to 3e-6). ``settings`` are those of
    DecisionSettings, for all streams; where none is given, that of the model's metadata holds. What
    a stream remembers has a row in arrays that double when they are full. The rows in use are
    copied into the batch only where other streams take part in a step than in the one before.
    """

    def __init__(self, model: StreamingModel, **settings: Any):
        super().__init__(model, **settings)
        self._fresh = model.stepper(1).state
        self._states = [array[:0] for array in self._fresh]
        self._waiting = HopQueue(self.hop_samples)
        self._decisions = DecisionTable(self.classes, self.hop_s, self.settings)
        self._free: list[int] = []
        self._grow(8)
        self._streams: dict[int, _Stream] = {}
        self._resampled: set[int] = set()  # those at another rate than the model's
        self._next = 0
        self._batch = np.zeros(0, np.intp)  # the rows that the stepper holds
        self._size, self._stepper = 1, model.stepper(1)

    def __len__(self) -> int:
        return len(self._streams)

    def join(self, sample_rate: int | None = None) -> int:
        """Begin a stream and return its number, which no other stream will have.

        ``sample_rate`` is in Hz, by default the model's; raises LangidError for what is no rate.
        """
        rate = self.sample_rate if sample_rate is None else checked_rate(sample_rate)
        if not self._free:
            self._grow(2 * len(self._waiting))
        number, self._next = self._next, self._next + 1
        self._streams[number] = _Stream(self._free.pop(), Resampler(rate, self.sample_rate))
        if rate != self.sample_rate:
            self._resampled.add(number)
        self._begin(self._streams[number])
        return number

    def leave(self, number: int) -> None:
        """End a stream and forget it; ``flush`` before processes what is left of it."""
        stream = self._stream(number)
        self._unload()
        del self._streams[number]
        self._resampled.discard(number)
        self._free.append(stream.row)

    def reset(self, number: int) -> None:
        """Let a stream be before its first sample; its rate stays."""
        stream = self._stream(number)
        self._unload()
        self._begin(stream)

    def decision(self, number: int) -> Decision:
        """Return the running decision of a stream."""
        return self._decisions.decision(self._stream(number).row)

    def step(self, samples: Mapping[int, np.ndarray]) -> dict[int, np.ndarray]:
        """Process ``samples (samples,)`` of some streams, by their numbers.

        They may have different lengths; streams that are absent stay as they are. Returns
        ``posteriors (frames, classes)`` of the hops now full of each, as StreamingIdentifier.feed.
        Where samples are refused, or a number is no stream's, the others go on, and then
        RefusedSamples is raised. Raises LangidError for what is no mapping.
        """
        if not isinstance(samples, Mapping):
            raise LangidError(
                f"samples of type {type(samples).__name__}: expected those of each stream by its"
                " number, step({number: samples})"
            )
        ready: dict[int, np.ndarray] = {}
        refused: dict[int, LangidError] = {}
        fine = are_samples(samples.values())
        if fine and not self._resampled and self._streams.keys() >= samples.keys():
            return self._process(samples)
        for number, own in samples.items():
            try:
                resampler = self._stream(number).resampler
                ready[number] = resampler.feed(own if fine else checked_samples(own))
            except LangidError as error:
                refused[number] = error
        posteriors = self._process(ready)
        if refused:
            raise RefusedSamples(refused, posteriors)
        return posteriors

    def flush(self, numbers: Iterable[int]) -> dict[int, np.ndarray]:
        """Process what waits for a full hop of some streams, filled with its last sample.

        Raises LangidError, and processes nothing, for no numbers and one that is no stream's.
        """
        try:
            chosen = {number: self._stream(number) for number in numbers}
        except TypeError:
            raise LangidError(
                f"numbers={numbers!r}: expected a list of streams' numbers, flush([number, ...])"
            ) from None
        ends = {
            number: self._waiting.ending(stream.row, stream.resampler.flush())
            for number, stream in chosen.items()
        }
        return self._process(ends)

    def _stream(self, number: int) -> "_Stream":
        if number not in self._streams:
            raise LangidError(f"no stream {number}: it has not joined, or it has left")
        return self._streams[number]

    def _grow(self, rows: int) -> None:
        old = len(self._waiting)
        self._free += range(rows - 1, old - 1, -1)
        new = [np.repeat(array, rows - old, 0) for array in self._fresh]
        self._states = [np.concatenate(pair) for pair in zip(self._states, new, strict=True)]
        self._waiting.grow(rows)
        self._decisions.grow(rows)

    def _begin(self, stream: "_Stream") -> None:
        """Let a stream that is not in the batch be before its first sample."""
        for array, fresh in zip(self._states, self._fresh, strict=True):
            array[stream.row] = fresh[0]
        self._waiting.clear(stream.row)
        self._decisions.reset(stream.row)
        stream.resampler.flush()

    def _process(self, samples: Mapping[int, np.ndarray]) -> dict[int, np.ndarray]:
        """Step through the full hops of samples at the model's rate."""
        rows = {self._streams[number].row: own for number, own in samples.items()}
        found = dict.fromkeys(rows, np.zeros((0, len(self.classes)), np.float32))
        for number, batch in enumerate(self._waiting.batches(rows)):
            self._load(batch.rows)
            posteriors, speech = self._stepper.step(batch.samples)
            self._decisions.update(batch.rows, posteriors, speech)
            own = map(np.ndarray.copy, posteriors)  # a row of the batch would keep all of it
            answers = dict(zip(batch.rows.tolist(), own, strict=True))
            if number:
                answers = {row: np.concatenate([found[row], answers[row]]) for row in answers}
            found |= answers
        return dict(zip(samples, found.values(), strict=True))

    def _load(self, rows: np.ndarray) -> None:
        """Let the stepper hold these rows, in this order."""
        if np.array_equal(rows, self._batch):
            return
        self._unload()
        if self._size != len(rows):
            self._size, self._stepper = len(rows), self.model.stepper(len(rows))
        self._stepper.state = [array[rows] for array in self._states]
        self._batch = rows

    def _unload(self) -> None:
        """Take back the rows that the stepper holds."""
        if len(self._batch):
            for array, own in zip(self._states, self._stepper.state, strict=True):
                array[self._batch] = own
            self._batch = self._batch[:0]


class _Stream(NamedTuple):
    """One stream: its row of the arrays, and what is its own beside it."""

    row: int
    resampler: Resampler
