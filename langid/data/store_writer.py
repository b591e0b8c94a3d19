"""Writes a store, or a shard of one, whole or not at all."""

import contextlib
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from langid.atomic_file import whole
from langid.corpora.manifest import COLUMNS, Row, Rows
from langid.data.checksums import Checksum
from langid.data.disk import Disk
from langid.data.store import Content
from langid.data.text_columns import write_column

CHUNK_FRAMES = 1 << 11
Shape = tuple[int, ...]
BUFFER_FRAMES = 1 << 15  # HDF5 takes its time for every write, however short


class StoreWriter:
    """Writes a store or a shard of one; the file appears under its name only when it is whole.

    Used as a context manager: an exception inside leaves nothing behind. ``frames`` fixes the size
    beforehand and gives contiguous datasets, which are the fastest to read.
    """

    def __init__(self, path: Path, content: Content, frames: int | None = None):
        self.path = path
        self.content = content
        self.frames = frames

    def __enter__(self) -> "StoreWriter":
        with contextlib.ExitStack() as stack:
            self.disk = stack.enter_context(Disk(stack.enter_context(whole(self.path))))
            stack.callback(self.disk.check)
            self.file = stack.enter_context(h5py.File(self.disk, "w"))
            self.ending = stack.pop_all()
        self.values = self._dataset(self.content.name, self.content.shape, self.content.dtype)
        self.speech = self._dataset("speech", lambda frames: (frames,), "?")
        self.written = 0  # with the frames that wait in the buffer
        self.buffer: list[tuple[np.ndarray, np.ndarray]] = []
        self.waiting = 0  # frames in it
        self.offsets = [0]
        self.rows = Rows()
        self.corpora: list[int] = []
        self.digest = hashlib.sha256()
        self.checksum, self.checksums = Checksum(), list[int]()
        return self

    def _dataset(self, name: str, shape: Callable[[int], Shape], dtype: str) -> h5py.Dataset:
        if self.frames is not None:
            return self.file.create_dataset(name, shape(self.frames), dtype)
        most, chunks = (None, *shape(0)[1:]), shape(CHUNK_FRAMES)
        return self.file.create_dataset(name, shape(0), dtype, maxshape=most, chunks=chunks)

    def write_frames(self, values: np.ndarray, speech: np.ndarray) -> None:
        """Append frames of the current utterance, ``values`` as ``content.shape`` has them."""
        values = np.ascontiguousarray(values, self.content.dtype)
        speech = np.ascontiguousarray(speech, bool)
        self.checksum.add(values, speech)
        self.buffer.append((values, speech))
        self.written += len(speech)
        self.waiting += len(speech)
        if self.waiting >= BUFFER_FRAMES:
            self._flush()

    def _flush(self) -> None:
        if not self.buffer:
            return
        if len(self.buffer) == 1:
            ((values, speech),) = self.buffer
        else:
            values, speech = map(np.concatenate, zip(*self.buffer, strict=True))
        self.buffer.clear()
        self.waiting = 0
        start = self.written - len(speech)
        if self.frames is None:  # a shard; a store's fingerprint is made of those of its shards
            self._resize()
            self.digest.update(values.data)
            self.digest.update(speech.data)
        self.values[self.content.numbers(start, self.written)] = values
        self.speech[start : self.written] = speech
        self.disk.check()

    def _resize(self) -> None:
        self.values.resize(self.content.shape(self.written))
        self.speech.resize((self.written,))

    def end_utterance(self, row: Row, corpus: int = 0) -> None:
        """Close the current utterance and keep its row of the manifest, which is of a corpus."""
        self.rows.append(row)
        self.corpora.append(corpus)
        self.offsets.append(self.written)
        self.checksums.append(self.checksum.of(row))
        self.checksum = Checksum()

    def drop_utterance(self) -> None:
        """Forget the frames of the current utterance."""
        self._flush()
        self.written = self.offsets[-1]
        self.checksum = Checksum()

    def finish(self, attributes: dict[str, str] | None = None) -> None:
        """Write offsets, columns and attributes; those of a shard are the hash of its frames."""
        self._flush()
        if self.frames is None:
            self._resize()  # without the frames of a last utterance that was dropped
            self.file["rows"] = json.dumps(self.rows[:])  # read once, so not worth columns
            self.file.attrs["sha256"] = self.digest.hexdigest()
        else:
            for name in COLUMNS:
                write_column(self.file, name, self.rows.columns[name])
            self.file["read_from"] = np.array(self.corpora, np.int32)
        self.file["offsets"] = np.array(self.offsets, np.int64)
        self.file["checksums"] = np.array(self.checksums, np.uint32)
        self.file.attrs.update(attributes or {})

    def __exit__(self, *error: Any) -> None:
        self.ending.__exit__(*error)
