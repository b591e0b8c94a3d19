"""The feature store: frames, speech mask and manifest of all utterances in one HDF5 file.

Datasets: ``features (total_frames, bins) float16``, ``speech (total_frames,) bool``, ``offsets
(utterances + 1,) int64`` and one text dataset per manifest column. Attributes: schema version,
resolved feature and detector configuration, hash of the manifest, fingerprint, versions.
"""

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from langid.corpora.manifest import COLUMNS
from langid.data.disk import Disk
from langid.errors import LangidError

SCHEMA = "langid-store-1"
TEXT = h5py.string_dtype("utf-8")
COPY_FRAMES = 1 << 17


class FeatureStore:
    """Reads a store; the file is opened lazily, once per process.

    ``utterances`` is the manifest with ``first_frame`` and ``frames`` of each row. Raises
    LangidError for a file that is absent, cut off, not a store, or of another schema.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        self._file: h5py.File | None = None
        self._process = 0
        if not self.path.is_file():
            raise LangidError(
                f"store={path}: no such file; make it with langid prepare store={path}"
            )
        try:
            with h5py.File(self.path, "r") as file:
                self._read_description(file)
        except OSError as error:
            raise LangidError(
                f"store={path}: not a whole HDF5 file ({error}); delete it and run langid prepare"
                " again"
            ) from error

    def _read_description(self, file: h5py.File) -> None:
        schema = file.attrs.get("schema")
        if schema != SCHEMA:
            found = f"schema {schema}" if schema else "no langid schema"
            raise LangidError(
                f"store={self.path}: {found}, this version reads {SCHEMA}; run langid prepare again"
            )
        try:
            self.description: dict[str, Any] = json.loads(file.attrs["description"])
            self.fingerprint = str(file.attrs["fingerprint"])
            columns = {name: file[name].asstr()[:] for name in COLUMNS}
            offsets = file["offsets"][:]
            shape, speech = file["features"].shape, file["speech"].shape
        except (KeyError, ValueError) as error:
            raise LangidError(
                f"store={self.path}: incomplete ({error}); run langid prepare again"
            ) from error
        import pandas as pd  # the processes of prepare write shards and never need it

        self.utterances = pd.DataFrame(columns, columns=list(COLUMNS), dtype=object)
        rows = len(self.utterances)
        if len(offsets) != rows + 1 or (shape[0],) != speech or offsets[-1] != shape[0]:
            raise LangidError(
                f"store={self.path}: its parts do not fit together ({rows} utterances,"
                f" {len(offsets)} offsets, {shape[0]} frames); run langid prepare again"
            )
        self.bins = int(shape[1])
        self.utterances["first_frame"] = offsets[:-1]
        self.utterances["frames"] = np.diff(offsets)

    @property
    def frames_per_second(self) -> float:
        """Return the frame rate of the features, in hertz."""
        return float(self.description["sample_rate"] / self.description["hop_samples"])

    def read(self, start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        """Return ``features (time, bins) float16`` and ``speech (time,) bool`` of stored frames."""
        file = self._open()
        return file["features"][start:stop], file["speech"][start:stop]

    def read_speech(self, start: int, stop: int) -> np.ndarray:
        """Return ``speech (time,) bool`` of stored frames."""
        speech: np.ndarray = self._open()["speech"][start:stop]
        return speech

    def _open(self) -> h5py.File:
        if self._file is None or self._process != os.getpid():
            self._file = h5py.File(self.path, "r")
            self._process = os.getpid()
        return self._file

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_file": None}


class StoreWriter:
    """Writes a store or a shard of one; the file appears under its name only when it is whole.

    Used as a context manager: an exception inside leaves nothing behind. ``frames`` fixes the size
    beforehand and gives contiguous datasets, which are the fastest to read.
    """

    def __init__(self, path: Path, bins: int, frames: int | None = None):
        self.path = path
        self.partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
        self.bins = bins
        self.frames = frames

    def __enter__(self) -> "StoreWriter":
        self.disk = Disk(self.partial)
        self.file = h5py.File(self.disk, "w")
        shape = (self.frames or 0, self.bins)
        growing: dict[str, Any] = {}
        if self.frames is None:
            growing = {"maxshape": (None, self.bins), "chunks": (1024, self.bins)}
        self.features = self.file.create_dataset("features", shape, "f2", **growing)
        if self.frames is None:
            growing = {"maxshape": (None,), "chunks": (1 << 16,)}
        self.speech = self.file.create_dataset("speech", shape[:1], "?", **growing)
        self.written = 0
        self.offsets = [0]
        self.rows: list[dict[str, str]] = []
        self.digest = hashlib.sha256()
        return self

    def write_frames(self, features: np.ndarray, speech: np.ndarray) -> None:
        """Append frames of the current utterance."""
        stop = self.written + len(features)
        if self.frames is None:
            self.features.resize(stop, axis=0)
            self.speech.resize(stop, axis=0)
        features = np.ascontiguousarray(features, np.float16)
        self.features[self.written : stop] = features
        self.speech[self.written : stop] = speech
        self.disk.check()
        if self.frames is None:  # a shard; a store's fingerprint is made of those of its shards
            self.digest.update(features.data)
            self.digest.update(np.ascontiguousarray(speech, bool).data)
        self.written = stop

    def end_utterance(self, row: dict[str, str]) -> None:
        """Close the current utterance and keep its row of the manifest."""
        self.rows.append(row)
        self.offsets.append(self.written)

    def drop_utterance(self) -> None:
        """Forget the frames of the current utterance."""
        self.written = self.offsets[-1]

    def finish(self, attributes: dict[str, str]) -> None:
        """Write offsets, columns and attributes."""
        if self.frames is None:  # without the frames of a last utterance that was dropped
            self.features.resize(self.written, axis=0)
            self.speech.resize(self.written, axis=0)
        self.file["offsets"] = np.array(self.offsets, np.int64)
        for name in COLUMNS:
            self.file.create_dataset(name, data=[row[name] for row in self.rows], dtype=TEXT)
        self.file.attrs.update(attributes)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            self.file.close()
            if kind is None:
                self.disk.check()
                os.fsync(self.disk.fileno())
                os.replace(self.partial, self.path)
        finally:
            self.disk.close()
            self.partial.unlink(missing_ok=True)


def merge(
    sources: list[Path],
    path: Path,
    bins: int,
    attributes: Callable[[list[dict[str, str]]], dict[str, str]],
    on_progress: Callable[[int], None],
) -> None:
    """Join stores and shards, in order, into one store of contiguous datasets.

    ``attributes`` receives the rows of all utterances and returns the attributes of the result;
    ``on_progress`` receives the number of frames copied.
    """
    total = 0
    for source in sources:
        with h5py.File(source, "r") as file:
            total += len(file["features"])
    with StoreWriter(path, bins, total) as writer:
        for source in sources:
            with h5py.File(source, "r") as file:
                _copy(file, writer, on_progress)
        writer.finish(attributes(writer.rows))


def _copy(file: h5py.File, writer: StoreWriter, on_progress: Callable[[int], None]) -> None:
    base = writer.written
    frames = len(file["features"])
    for start in range(0, frames, COPY_FRAMES):
        stop = min(start + COPY_FRAMES, frames)
        writer.write_frames(file["features"][start:stop], file["speech"][start:stop])
        on_progress(stop - start)
    columns = [file[name].asstr()[:] for name in COLUMNS]
    rows: Iterable[tuple[str, ...]] = zip(*columns, strict=True)
    writer.rows += [dict(zip(COLUMNS, row, strict=True)) for row in rows]
    writer.offsets += [base + int(offset) for offset in file["offsets"][1:]]


def write_failure(path: Path, error: OSError) -> LangidError:
    """Return the error to show when a file cannot be written, a full disk for instance."""
    code = error.errno
    if code is None and (match := re.search(r"errno = (\d+)", str(error))):
        code = int(match.group(1))
    reason = os.strerror(code) if code is not None else str(error)
    return LangidError(
        f"{path}: cannot be written ({reason}); free space or choose another place and run the same"
        " command again: finished work is kept"
    )
