"""The feature store: frames, speech mask and manifest of all utterances in one HDF5 file.

Datasets: ``features (total_frames, bins)``, ``speech (total_frames,) bool``, ``offsets (utterances
+ 1,) int64`` and one text dataset per manifest column. Attributes: schema version, resolved feature
and detector configuration, hash of the manifest, fingerprint, versions. Features are float16, or
float32 where their ``stored_as`` says so (power, whose range is wider); what reads a store takes
the type from the dataset.
"""

import contextlib
import functools
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from langid.atomic_file import whole
from langid.corpora.manifest import COLUMNS
from langid.data.disk import Disk
from langid.errors import LangidError
from langid.typed import override

if TYPE_CHECKING:
    import pandas as pd

SCHEMA = "langid-store-3"
TEXT = h5py.string_dtype("utf-8")
CHUNK_FRAMES = 1 << 13
BUFFER_FRAMES = 1 << 15  # HDF5 takes its time for every write, however short


class Store:
    """Reads a store; its frames are mapped into memory lazily, once per process.

    ``columns`` are those of the manifest, ``offsets`` the first frames of its rows. Raises
    LangidError for a file that is absent, cut off, not a store, or of another schema.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        if not self.path.is_file():
            raise LangidError(
                f"store={path}: no such file; make it with langid prepare {override('store', path)}"
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
                f"store={self.path}: {found}, this version reads {SCHEMA}; delete it, or"
                " choose another store=PATH.h5, and run langid prepare again"
            )
        try:
            self.description: dict[str, Any] = json.loads(file.attrs["description"])
            self.fingerprint = str(file.attrs["fingerprint"])
            self.columns = {name: file[name].asstr()[:] for name in COLUMNS}
            self.offsets = file["offsets"][:]
            shape, speech = file["features"].shape, file["speech"].shape
        except (KeyError, ValueError) as error:
            raise LangidError(
                f"store={self.path}: incomplete ({error}); run langid prepare again"
            ) from error
        rows = len(self.columns["utterance_id"])
        if len(self.offsets) != rows + 1 or (shape[0],) != speech or self.offsets[-1] != shape[0]:
            raise LangidError(
                f"store={self.path}: its parts do not fit together ({rows} utterances,"
                f" {len(self.offsets)} offsets, {shape[0]} frames); run langid prepare again"
            )
        self.bins = int(shape[1])

    @functools.cached_property
    def utterances(self) -> "pd.DataFrame":
        """The manifest with ``first_frame`` and ``frames`` of each row."""
        import pandas as pd  # prepare does without: importing it takes half a second

        table = pd.DataFrame(self.columns, columns=list(COLUMNS), dtype=object)
        table["first_frame"] = self.offsets[:-1]
        table["frames"] = np.diff(self.offsets)
        return table

    @property
    def frames_per_second(self) -> float:
        """Return the frame rate of the features, in hertz."""
        return float(self.description["sample_rate"] / self.description["hop_samples"])

    def read(self, start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        """Return ``features (time, bins)``, as stored, and ``speech (time,) bool`` of frames."""
        features, speech = self._frames
        return features[start:stop], speech[start:stop]

    def read_speech(self, start: int, stop: int) -> np.ndarray:
        """Return ``speech (time,) bool`` of stored frames."""
        return self._frames[1][start:stop]

    @functools.cached_property
    def _frames(self) -> tuple[np.ndarray, np.ndarray]:
        """Features and speech mask as arrays on the file's own pages, which processes share.

        The datasets are contiguous, so that no call of HDF5 is needed to read them.
        """
        arrays = []
        with h5py.File(self.path, "r") as file:
            for dataset in (file["features"], file["speech"]):
                if dataset.id.get_offset() is None:
                    raise LangidError(
                        f"store={self.path}: its datasets are not contiguous; run langid prepare"
                        " again"
                    )
                arrays.append(
                    np.memmap(  # copies on writing: torch does not like arrays for reading only
                        self.path,
                        dataset.dtype,
                        mode="c",
                        offset=dataset.id.get_offset(),
                        shape=dataset.shape,
                    )
                )
        return arrays[0], arrays[1]

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_frames"}


class StoreWriter:
    """Writes a store or a shard of one; the file appears under its name only when it is whole.

    Used as a context manager: an exception inside leaves nothing behind. ``frames`` fixes the size
    beforehand and gives contiguous datasets, which are the fastest to read; ``stored_as`` is the
    type of the features, ``float16`` or ``float32``.
    """

    def __init__(
        self, path: Path, bins: int, frames: int | None = None, stored_as: str = "float16"
    ):
        self.path = path
        self.bins = bins
        self.frames = frames
        self.stored_as = stored_as

    def __enter__(self) -> "StoreWriter":
        with contextlib.ExitStack() as stack:
            self.disk = stack.enter_context(Disk(stack.enter_context(whole(self.path))))
            stack.callback(self.disk.check)
            self.file = stack.enter_context(h5py.File(self.disk, "w"))
            self.ending = stack.pop_all()
        shape = (self.frames or 0, self.bins)
        growing: dict[str, Any] = {}
        if self.frames is None:
            growing = {"maxshape": (None, self.bins), "chunks": (CHUNK_FRAMES, self.bins)}
        self.features = self.file.create_dataset("features", shape, self.stored_as, **growing)
        if self.frames is None:
            growing = {"maxshape": (None,), "chunks": (CHUNK_FRAMES,)}
        self.speech = self.file.create_dataset("speech", shape[:1], "?", **growing)
        self.written = 0  # with the frames that wait in the buffer
        self.buffer: list[tuple[np.ndarray, np.ndarray]] = []
        self.offsets = [0]
        self.rows: list[dict[str, str]] = []
        self.digest = hashlib.sha256()
        return self

    def write_frames(self, features: np.ndarray, speech: np.ndarray) -> None:
        """Append frames of the current utterance."""
        self.buffer.append(
            (np.ascontiguousarray(features, self.stored_as), np.ascontiguousarray(speech, bool))
        )
        self.written += len(features)
        if self.frames is not None or sum(len(s) for _, s in self.buffer) >= BUFFER_FRAMES:
            self._flush()

    def _flush(self) -> None:
        if not self.buffer:
            return
        if len(self.buffer) == 1:
            ((features, speech),) = self.buffer
        else:
            features, speech = map(np.concatenate, zip(*self.buffer, strict=True))
        self.buffer.clear()
        start = self.written - len(speech)
        if self.frames is None:  # a shard; a store's fingerprint is made of those of its shards
            self.features.resize(self.written, axis=0)
            self.speech.resize(self.written, axis=0)
            self.digest.update(features.data)
            self.digest.update(speech.data)
        self.features[start : self.written] = features
        self.speech[start : self.written] = speech
        self.disk.check()

    def end_utterance(self, row: dict[str, str]) -> None:
        """Close the current utterance and keep its row of the manifest."""
        self.rows.append(row)
        self.offsets.append(self.written)

    def drop_utterance(self) -> None:
        """Forget the frames of the current utterance."""
        self._flush()
        self.written = self.offsets[-1]

    def finish(self, attributes: dict[str, str]) -> None:
        """Write offsets, columns and attributes."""
        self._flush()
        if self.frames is None:  # without the frames of a last utterance that was dropped
            self.features.resize(self.written, axis=0)
            self.speech.resize(self.written, axis=0)
            self.file["rows"] = json.dumps(self.rows)  # read once, so not worth columns
        else:
            for name in COLUMNS:
                self.file.create_dataset(name, data=[row[name] for row in self.rows], dtype=TEXT)
        self.file["offsets"] = np.array(self.offsets, np.int64)
        self.file.attrs.update(attributes)

    def __exit__(self, *error: Any) -> None:
        self.ending.__exit__(*error)


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
            stored_as = file["features"].dtype.name  # of all the same: so is their description
    with StoreWriter(path, bins, total, stored_as) as writer:
        for source in sources:
            with h5py.File(source, "r") as file:
                _copy(file, writer, on_progress)
        writer.finish(attributes(writer.rows))


def _copy(file: h5py.File, writer: StoreWriter, on_progress: Callable[[int], None]) -> None:
    base = writer.written
    frames = len(file["features"])
    for start in range(0, frames, CHUNK_FRAMES):
        stop = min(start + CHUNK_FRAMES, frames)
        writer.write_frames(file["features"][start:stop], file["speech"][start:stop])
        on_progress(stop - start)
    if "rows" in file:
        writer.rows += json.loads(file["rows"][()])
    else:
        columns = zip(*(file[name].asstr()[:] for name in COLUMNS), strict=True)
        writer.rows += [dict(zip(COLUMNS, row, strict=True)) for row in columns]
    writer.offsets += [base + int(offset) for offset in file["offsets"][1:]]
