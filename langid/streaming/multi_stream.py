"""Many streams in one batch: they join and leave freely, each as if it were alone."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from langid.errors import LangidError
from langid.streaming.decision import Decision, DecisionRule, DecisionSettings
from langid.streaming.samples import Resampler, checked_rate, checked_samples
from langid.streaming.streamer import StreamingModel
from langid.streaming.windows import load_model


class RefusedSamples(LangidError):
    """Samples of some streams that were not heard; those of all others were.

    ``refused`` holds the reason for each such stream, ``posteriors`` is what ``step`` returns for
    the others.
    """

    def __init__(self, refused: dict[int, LangidError], posteriors: dict[int, np.ndarray]):
        reasons = "; ".join(f"stream {number}: {reason}" for number, reason in refused.items())
        super().__init__(f"{reasons}; these streams stay as they were, the others were heard")
        self.refused = refused
        self.posteriors = posteriors


class MultiStream:
    """Hears hundreds of streams, a batch at a time; each stream's results are those it has alone.

    ``settings`` are those of DecisionSettings, for all streams; where none is given, that of the
    model's metadata holds. What a stream remembers has a row in arrays that double when they are
    full. The rows in use are copied into the batch only where other streams take part in a step
    than in the one before.
    """

    def __init__(self, model: StreamingModel, **settings: Any):
        self.model = model
        self.classes: list[str] = list(model.metadata["classes"])
        self.sample_rate = int(model.metadata["sample_rate"])
        self.hop_samples = int(model.metadata["hop_samples"])
        self.settings = DecisionSettings.of(model.metadata, **settings)
        self._fresh = model.stepper(1).state
        self._rows = [np.repeat(array, 8, 0) for array in self._fresh]
        self._free = list(range(8))[::-1]
        self._streams: dict[int, _Stream] = {}
        self._next = 0
        self._batch: list[int] = []  # the rows that the stepper holds
        self._size, self._stepper = 1, model.stepper(1)

    @classmethod
    def load(cls, path: str | Path, **settings: Any) -> "MultiStream":
        """Return streams over an exported ONNX file, on one thread."""
        return cls(load_model(path), **settings)

    def __len__(self) -> int:
        return len(self._streams)

    def join(self, sample_rate: int | None = None) -> int:
        """Begin a stream and return its number, which no other stream will have.

        Its samples are at ``sample_rate`` in Hz, by default the model's. Raises LangidError for a
        rate that is none.
        """
        rate = self.sample_rate if sample_rate is None else checked_rate(sample_rate)
        resampler = None if rate == self.sample_rate else Resampler(rate, self.sample_rate)
        rule = DecisionRule(self.classes, self.hop_samples / self.sample_rate, self.settings)
        self._unload()
        if not self._free:
            capacity = len(self._rows[0])
            self._rows = [np.concatenate([array, array]) for array in self._rows]
            self._free = list(range(capacity, 2 * capacity))[::-1]
        number, self._next = self._next, self._next + 1
        self._streams[number] = _Stream(self._free.pop(), rate, rule, resampler)
        self._begin(self._streams[number])
        return number

    def leave(self, number: int) -> None:
        """End a stream and forget it; ``flush`` before hears what is left of it."""
        stream = self._stream(number)
        self._unload()
        del self._streams[number]
        self._free.append(stream.row)

    def reset(self, number: int) -> None:
        """Forget what a stream has heard; its rate stays."""
        stream = self._stream(number)
        self._unload()
        self._begin(stream)

    def decision(self, number: int) -> Decision:
        """Return the running decision of a stream."""
        return self._stream(number).rule.decision

    def step(self, samples: Mapping[int, np.ndarray]) -> dict[int, np.ndarray]:
        """Hear ``samples (samples,)`` of some streams, by their numbers.

        They may have different lengths; streams that are absent stay as they are. Returns
        ``posteriors (frames, classes)`` of the hops now full of each, as StreamingIdentifier.feed.
        Where samples are refused, or a number is no stream's, the others are heard, and then
        RefusedSamples is raised.
        """
        heard: dict[int, np.ndarray] = {}
        refused: dict[int, LangidError] = {}
        for number, own in samples.items():
            try:
                stream = self._stream(number)
                own = checked_samples(own)
            except LangidError as error:
                refused[number] = error
                continue
            heard[number] = own if stream.resampler is None else stream.resampler.feed(own)
        posteriors = self._hear(heard)
        if refused:
            raise RefusedSamples(refused, posteriors)
        return posteriors

    def flush(self, numbers: Iterable[int]) -> dict[int, np.ndarray]:
        """Hear what waits for a full hop of some streams, as if silence followed."""
        chosen = {number: self._stream(number) for number in numbers}
        rest = {}
        for number, stream in chosen.items():
            left = stream.pending[:0] if stream.resampler is None else stream.resampler.flush()
            missing = -(len(stream.pending) + len(left)) % self.hop_samples
            rest[number] = np.pad(left, (0, missing))
        return self._hear(rest)

    def _stream(self, number: int) -> "_Stream":
        if number not in self._streams:
            raise LangidError(f"no stream {number}: it has not joined, or it has left")
        return self._streams[number]

    def _begin(self, stream: "_Stream") -> None:
        for array, fresh in zip(self._rows, self._fresh, strict=True):
            array[stream.row] = fresh[0]
        stream.pending = np.zeros(0, np.float32)
        stream.rule.reset()
        if stream.resampler is not None:
            stream.resampler = Resampler(stream.rate, self.sample_rate)

    def _hear(self, samples: dict[int, np.ndarray]) -> dict[int, np.ndarray]:
        """Step through the full hops of samples at the model's rate.

        Streams with as many hops go together; those with more go on without the others.
        """
        full: dict[int, list[tuple[int, np.ndarray]]] = {}
        for number in sorted(samples):  # the same streams then are the same batch, in any order
            stream, own = self._streams[number], samples[number]
            if len(stream.pending):
                own = np.concatenate([stream.pending, own])
            hops = len(own) // self.hop_samples
            stream.pending = own[hops * self.hop_samples :].copy()
            full.setdefault(hops, []).append((number, own))
        found: dict[int, list[np.ndarray]] = {number: [] for number in samples}
        done = 0
        for hops in sorted(full):
            going = [one for count, some in full.items() if count > done for one in some]
            self._step(going, done, hops, found)
            done = hops
        return {number: self._joined(parts) for number, parts in found.items()}

    def _step(
        self,
        going: list[tuple[int, np.ndarray]],
        start: int,
        stop: int,
        found: dict[int, list[np.ndarray]],
    ) -> None:
        """Hear the hops from ``start`` to ``stop`` of some streams in one batch."""
        if start == stop:
            return
        cut = slice(start * self.hop_samples, stop * self.hop_samples)
        streams = [self._streams[number] for number, _ in going]
        self._load([stream.row for stream in streams])
        posteriors, speech = self._stepper.step(np.stack([own[cut] for _, own in going]))
        for (number, _), stream, own, mask in zip(going, streams, posteriors, speech, strict=True):
            frames = own.copy()  # a row of the batch would keep all of it
            stream.rule.hear(frames, mask.copy())
            found[number].append(frames)

    def _joined(self, parts: list[np.ndarray]) -> np.ndarray:
        if len(parts) == 1:
            return parts[0]
        return np.concatenate([np.zeros((0, len(self.classes)), np.float32), *parts])

    def _load(self, rows: list[int]) -> None:
        """Let the stepper hold these rows, in this order."""
        if rows == self._batch:
            return
        self._unload()
        if self._size != len(rows):
            self._size, self._stepper = len(rows), self.model.stepper(len(rows))
        self._stepper.state = [array[rows] for array in self._rows]
        self._batch = rows

    def _unload(self) -> None:
        """Take back the rows that the stepper holds."""
        if self._batch:
            for array, own in zip(self._rows, self._stepper.state, strict=True):
                array[self._batch] = own
            self._batch = []


class _Stream:
    """One stream: its row of the state, and what is its own beside it."""

    def __init__(self, row: int, rate: int, rule: DecisionRule, resampler: Resampler | None):
        self.row = row
        self.rate = rate
        self.rule = rule
        self.resampler = resampler
        self.pending = np.zeros(0, np.float32)
