"""What a teacher says of the utterances of a store, read beside the frames that it says it of."""

import functools
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch

from langid.data.dataset import Batch, SequenceDataset, padded
from langid.data.silence_policy import IGNORED
from langid.data.store import Store

SHARD_ROWS = 32  # utterances of a store whose outputs lie in one file
OPEN_SHARDS = 256  # each takes one of the files that a process may have open


class TeacherShards:
    """Files beside a store, of SHARD_ROWS of its rows each, with a teacher's outputs.

    ``key`` tells teacher, store and settings: the folder is named after its hash, and it stands in
    every file. A file holds ``outputs (frames, columns) float16`` and ``offsets (rows + 1,)``.
    """

    def __init__(self, folder: Path, key: dict[str, Any], rows: int):
        self.folder = folder
        self.key = json.dumps(key, sort_keys=True)
        self.rows = rows

    def path(self, shard: int) -> Path:
        """Return where the outputs of the rows from ``shard * SHARD_ROWS`` on lie."""
        return self.folder / f"{shard:06d}.h5"

    def members(self, shard: int) -> range:
        """Return the rows of a shard."""
        return range(shard * SHARD_ROWS, min((shard + 1) * SHARD_ROWS, self.rows))

    def is_whole(self, shard: int) -> bool:
        """Return whether a shard is there, not cut off, and of this key."""
        try:
            with h5py.File(self.path(shard), "r") as file:
                offsets, outputs = file["offsets"][:], file["outputs"]
                whole = len(offsets) == len(self.members(shard)) + 1
                return bool(file.attrs["key"] == self.key and whole and offsets[-1] == len(outputs))
        except (OSError, KeyError):
            return False

    def of_rows(self, rows: np.ndarray) -> list[int]:
        """Return the shards that some rows lie in."""
        return sorted({int(row) // SHARD_ROWS for row in rows})

    def write(self, path: Path, outputs: Sequence[np.ndarray], frames_per_second: float) -> None:
        """Write the outputs ``(frames, columns)`` of a shard's rows to a file of another name."""
        with h5py.File(path, "w") as file:
            file["outputs"] = np.concatenate(outputs).astype(np.float16)
            file["offsets"] = np.cumsum([0, *map(len, outputs)])
            file.attrs.update({"key": self.key, "frames_per_second": frames_per_second})

    def frames_per_second(self, row: int) -> float:
        """Return the rate of the teacher's frames, as it stands in the shard of a row."""
        with h5py.File(self.path(row // SHARD_ROWS), "r") as file:
            return float(file.attrs["frames_per_second"])

    def read(self, row: int) -> np.ndarray:
        """Return the outputs ``(frames, columns)`` of a row, on the pages of their file."""
        outputs, offsets = self._mapped(row // SHARD_ROWS)
        place = row % SHARD_ROWS
        return outputs[offsets[place] : offsets[place + 1]]

    @functools.cached_property
    def _mapped(self) -> Callable[[int], tuple[np.ndarray, np.ndarray]]:
        return functools.lru_cache(OPEN_SHARDS)(self._map)

    def _map(self, shard: int) -> tuple[np.ndarray, np.ndarray]:
        with h5py.File(self.path(shard), "r") as file:
            held, offsets = file["outputs"], file["offsets"][:]
            place = held.id.get_offset()
            return np.memmap(self.path(shard), held.dtype, "r", place, held.shape), offsets

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_mapped"}


def frames_at(frames: Any, rate: float, own_rate: float, count: int) -> Any:
    """Return in which of ``count`` frames at a rate the middles of ``frames`` at another lie.

    Behind the last it is the last. Arrays and tensors come back as what they were, with
    whole numbers.
    """
    return ((2 * frames + 1) * rate // (2 * own_rate)).clip(0, count - 1)


@dataclass(frozen=True)
class RowClusters:
    """In which cluster each of a teacher's frames lies, of some rows of a store.

    ``rows`` are in order; ``numbers (frames,)`` of the k-th begin at ``offsets[k]``.
    """

    rows: np.ndarray
    offsets: np.ndarray
    numbers: np.ndarray

    def read(self, row: int) -> np.ndarray:
        """Return the clusters of a row's frames, ``(frames,)``."""
        place = int(np.searchsorted(self.rows, row))
        return self.numbers[self.offsets[place] : self.offsets[place + 1]]


@dataclass
class TeacherOutputs:
    """A teacher's outputs at the frames of a store, by time, from ``shards``.

    The teacher has ``frames_per_second``. Of its ``columns`` those asked for are returned, in
    order: log-posteriors of the student's classes, then hidden states, or the number of the cluster
    that they lie in.
    """

    shards: TeacherShards
    store: Store
    frames_per_second: float
    columns: np.ndarray
    clusters: RowClusters | None = None

    def read(self, start: int, stop: int) -> np.ndarray:
        """Return the outputs ``(time, columns) float16`` at stored frames of one utterance.

        Each is that of the teacher's frame in which the middle of the stored one lies.
        """
        row = int(np.searchsorted(self.store.offsets, start, "right")) - 1
        held, first = self.shards.read(row), start - self.store.offsets[row]
        rates = self.frames_per_second, self.store.frames_per_second
        frames = frames_at(np.arange(first, first + stop - start), *rates, len(held)).astype(int)
        outputs: np.ndarray = held[np.ix_(frames, self.columns)]
        if self.clusters is None:
            return outputs
        return np.column_stack([outputs, self.clusters.read(row)[frames].astype(np.float16)])


class TaughtDataset(SequenceDataset):
    """Sequences with what a teacher says of each frame; some of them may have no class (-1)."""

    teacher: TeacherOutputs | None = None  # None where it is asked in the training step

    def batch(
        self,
        indices: Sequence[int],
        places: Sequence[tuple[int, int]],
        occasions: Sequence[Sequence[int]] = (),
    ) -> Batch:
        """Return a batch that has ``teacher (batch, time, columns) float16``."""
        batch = super().batch(indices, places, occasions)
        batch.targets.masked_fill_(batch.targets < 0, IGNORED)
        if self.teacher is None:
            return batch
        outputs = [self.teacher.read(*place) for place in places]
        if batch.origin is not None and batch.hops is not None:
            times = (batch.hops // self.store.stride).tolist()
            rows = zip(outputs, batch.origin.numpy(), times, strict=True)
            outputs = [held[origin[:time]] for held, origin, time in rows]
        if self.policy.removes:
            masks = self._kept(batch, places)
            outputs = [held[kept] for held, kept in zip(outputs, masks, strict=True)]
        batch.teacher = padded(outputs, torch.float16)
        return batch

    def _kept(self, batch: Batch, places: Sequence[tuple[int, int]]) -> list[np.ndarray]:
        """Return which frames of each sequence stay, as acoustics may have changed them."""
        if batch.kept is None or batch.hops is None:
            return [self.policy.kept(self.store.read_speech(*place)) for place in places]
        times = (batch.hops // self.store.stride).tolist()
        return [kept[:time] for kept, time in zip(batch.kept.numpy(), times, strict=True)]
