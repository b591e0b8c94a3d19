"""Samples of many streams, gathered into batches of whole hops."""

import itertools
import operator
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np

from langid.streaming.samples import as_floats, whole_hops

KIND = operator.attrgetter("dtype.char")


class Batch(NamedTuple):
    """``samples (rows, samples)``, float32 or int16 to be scaled, of rows in ascending order."""

    rows: np.ndarray
    samples: np.ndarray


class HopQueue:
    """Keeps what waits until a hop is full; each stream has a row."""

    def __init__(self, hop_samples: int):
        self._hop = hop_samples
        self._pending = np.zeros((0, hop_samples), np.float32)
        self._waiting: list[int] = []  # samples that each row holds

    def __len__(self) -> int:
        return len(self._waiting)

    def grow(self, rows: int) -> None:
        """Have so many rows from now on."""
        more = rows - len(self)
        self._pending = np.pad(self._pending, ((0, more), (0, 0)))
        self._waiting += [0] * more

    def clear(self, row: int) -> None:
        """Forget what waits."""
        self._waiting[row] = 0

    def ending(self, row: int, rest: np.ndarray) -> np.ndarray:
        """Return the ``rest (samples,)`` of a row and what fills its last hop: the last sample."""
        waiting = self._waiting[row]
        ending = np.concatenate([self._pending[row, :waiting], rest])
        return whole_hops(ending, self._hop)[waiting:]

    def batches(self, samples: Mapping[int, np.ndarray]) -> Iterator[Batch]:
        """Take in ``samples (samples,)``, as those of a Batch, of some rows; yield full hops.

        Rows with as many hops go together; those with more go on without the others.
        """
        batches = list(self._alike(samples))
        ends = {block.shape[1] // self._hop * self._hop for _, block in batches}
        for start, end in itertools.pairwise(sorted({0, *ends})):
            going = [batch for batch in batches if batch.samples.shape[1] >= end]
            yield _together([Batch(rows, block[:, start:end]) for rows, block in going])

    def _alike(self, samples: Mapping[int, np.ndarray]) -> Iterator[Batch]:
        """Yield rows that have as many samples, behind what waited; what is left waits."""
        if not samples:
            return
        waits = map(self._waiting.__getitem__, samples)
        keys = [*zip(map(KIND, samples.values()), map(len, samples.values()), waits, strict=True)]
        alike: dict[tuple[str, int, int], list[int]] = {keys[0]: list(samples)}
        if keys.count(keys[0]) < len(keys):
            alike = {key: [] for key in keys}
            for row, key in zip(samples, keys, strict=True):
                alike[key].append(row)
        for (_, length, waiting), listed in alike.items():
            block = np.concatenate([samples[row] for row in listed]).reshape(len(listed), length)
            rows = np.array(listed)
            if waiting:
                block = np.concatenate([self._pending[rows, :waiting], as_floats(block)], 1)
            left = block.shape[1] % self._hop
            if left:
                self._pending[rows, :left] = as_floats(block[:, block.shape[1] - left :])
            if left != waiting:
                for row in listed:
                    self._waiting[row] = left
            yield Batch(rows, block)


def _together(batches: list[Batch]) -> Batch:
    """Return all rows in one batch, which is the same in whatever order they were given."""
    if len(batches) == 1 and np.all(np.diff(batches[0].rows) > 0):
        return batches[0]
    rows = np.concatenate([batch.rows for batch in batches])
    samples = np.concatenate([as_floats(batch.samples) for batch in batches])
    order = np.argsort(rows)
    return Batch(rows[order], samples[order])
