"""The store: features or samples, speech mask and manifest of all utterances in one HDF5 file.

Datasets: ``features (total_frames, bins)`` or ``samples (total_samples,) int16``, ``speech
(total_frames,) bool``, ``offsets (utterances + 1,) int64``, in frames, the columns of the manifest
(see text_columns), ``checksums (utterances,) uint32`` of frames and cells, which are compared when
an utterance is first read, and ``read_from (utterances,) int32``, the place of a row's corpus in
the description. Attributes: schema, fingerprint, and as JSON a description, which holds the
configuration of features, detector and corpora with the hash of each manifest. Features are
float16, or float32 where their ``stored_as`` says so (power, whose range is wider); what reads a
store takes the type from the dataset. Samples are whole hops, the last of an utterance filled with
its last sample, so that frames of the one kind of store are those of the other.
"""

import functools
import json
import mmap
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from langid.audio.excerpt import Excerpt
from langid.corpora.manifest import COLUMNS
from langid.data.checksums import Checksum, damaged
from langid.data.text_columns import columns_of
from langid.errors import LangidError
from langid.typed import override

if TYPE_CHECKING:
    import pandas as pd

SCHEMA = "langid-store-5"
# What h5py raises of a file whose own tables are damaged.
DAMAGE = (AttributeError, IndexError, KeyError, RuntimeError, TypeError, ValueError)
UNCHECKED = "langid-store-3"  # has no checksums
READ = (SCHEMA, "langid-store-4", UNCHECKED)


@dataclass(frozen=True)
class Content:
    """The dataset of a store that frames are read from.

    ``width`` is the bins of a frame of ``features``, or the ``samples`` of its hop.
    """

    name: str
    width: int
    dtype: str = "float16"

    def shape(self, frames: int) -> tuple[int, ...]:
        """Return the shape of the dataset that holds so many frames."""
        return (frames * self.width,) if self.name == "samples" else (frames, self.width)

    def numbers(self, start: int, stop: int) -> slice:
        """Return which numbers of the dataset's first axis are those of frames."""
        size = self.width if self.name == "samples" else 1
        return slice(start * size, stop * size)


class Store:
    """Reads a store; its frames are mapped into memory lazily, once per process.

    ``columns`` are those of the manifest, ``offsets`` the first frames of its rows, ``read_from``
    their corpora, -1 where an earlier version did not tell; ``upsampled`` counts the rows whose
    files have a lower sample rate than what is stored. A frame is ``stride`` of those that are
    stored: one, but in a StackedStore. Raises LangidError for a file that is absent, cut off, not a
    store, or of another schema.
    """

    stride = 1

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
        if schema not in READ:
            found = f"schema {schema}" if schema else "no langid schema"
            raise LangidError(
                f"store={self.path}: {found}, this version reads {SCHEMA}; delete it, or"
                " choose another store=PATH.h5, and run langid prepare again"
            )
        try:
            self.description: dict[str, Any] = json.loads(file.attrs["description"])
            self.fingerprint = str(file.attrs["fingerprint"])
            self.upsampled = int(file.attrs.get("upsampled", 0))
            self.columns = columns_of(file)
            self.offsets = file["offsets"][:]
            self.checksums = file["checksums"][:] if schema != UNCHECKED else None
            several = len(self.description.get("corpora", ())) > 1
            untold = np.full(len(self.columns["utterance_id"]), -several, np.int32)
            self.read_from = file["read_from"][:] if "read_from" in file else untold
            if "samples" in file:
                width, self.bins = self.description["hop_samples"], self.description["bins"]
                self.content = Content("samples", width, "int16")
            else:
                dataset = file["features"]
                self.bins = int(dataset.shape[1])
                self.content = Content("features", self.bins, dataset.dtype.name)
            shape, frames = file[self.content.name].shape, len(file["speech"])
        except DAMAGE as error:
            raise LangidError(
                f"store={self.path}: incomplete ({error}); run langid prepare again"
            ) from error
        rows = len(self.columns["utterance_id"])
        fits = len(self.offsets) == rows + 1 and self.offsets[-1] == frames
        fits = fits and self.offsets[0] == 0 and (np.diff(self.offsets) > 0).all()
        fits = fits and (self.checksums is None or len(self.checksums) == rows)
        fits = fits and len(self.read_from) == rows
        if not fits or shape != self.content.shape(frames):
            raise LangidError(
                f"store={self.path}: its parts do not fit together ({rows} utterances,"
                f" {len(self.offsets)} offsets, {frames} frames); run langid prepare again"
            )

    @functools.cached_property
    def utterances(self) -> "pd.DataFrame":
        """The manifest with ``first_frame`` and ``frames`` of each row."""
        import pandas as pd  # prepare does without: importing it takes half a second

        table = pd.DataFrame(self.columns, columns=list(COLUMNS), dtype=object, copy=False)
        table["first_frame"] = self.offsets[:-1]
        table["frames"] = np.diff(self.offsets)
        return table

    def excerpt(self, row: int) -> Excerpt:
        """Return the file, or the part of one, that a row was made of."""
        return Excerpt.of({name: cells[row] for name, cells in self.columns.items()})

    @property
    def frames_per_second(self) -> float:
        """Return the frame rate of the features, in hertz."""
        return float(self.description["sample_rate"] / self.description["hop_samples"])

    @property
    def stored(self) -> "Store":
        """Return the store in frames that are stored."""
        return self

    def places(self, start: Any, stop: Any) -> tuple[Any, Any]:
        """Return which stored frames those from ``start`` to ``stop`` of an utterance are."""
        return start, stop

    def filled(self, values: np.ndarray, speech: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return frames of stored ones, as ``read`` does of a whole sequence of these."""
        return values, speech

    def read(self, start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        """Return what is stored of frames, and ``speech (time,) bool``.

        That is ``features (time, bins)``, or ``samples (time, hop_samples) int16``. Raises
        LangidError where one of their utterances is damaged, with the names of all that are.
        """
        self._check(start, stop)
        values, speech = self._frames
        return values[start:stop].copy(), speech[start:stop].copy()  # the file's pages stay as is

    def read_context(self, start: int) -> np.ndarray:
        """Return the samples before a frame that its features need, ``(context_frames, hop)``.

        Before the first sample of an utterance there are samples like it.
        """
        values, count = self._frames[0], int(self.description["context_frames"])
        first = self.offsets[np.searchsorted(self.offsets, start, "right") - 1]
        there = values[max(first, start - count) : start]
        before = np.full((count - len(there), self.content.width), values[first, 0])
        return np.concatenate([before, there])

    def read_speech(self, start: int, stop: int) -> np.ndarray:
        """Return ``speech (time,) bool`` of stored frames."""
        return self._frames[1][start:stop].copy()

    def speech_of(self, first: int, last: int) -> np.ndarray:
        """Return ``speech (time,) bool`` of rows, one behind the other."""
        speech = self.read_speech(self.offsets[first], self.offsets[last])
        mapped: Any = self._frames[1].base
        if hasattr(mapped, "madvise"):  # lets its pages go, which are many where all rows are read
            mapped.madvise(mmap.MADV_DONTNEED)
        return speech

    def is_damaged(self, row: int) -> bool:
        """Return whether an utterance is not what was written; False where nothing tells."""
        if self.checksums is None:
            return False
        checksum, (values, speech) = Checksum(), self._frames
        start, stop = self.offsets[row : row + 2]
        checksum.add(values[start:stop], speech[start:stop])
        cells = {name: column[row] for name, column in self.columns.items()}
        return checksum.of(cells) != int(self.checksums[row])

    def damaged_rows(self) -> list[int]:
        """Read all utterances and return those that are damaged."""
        return [row for row in range(len(self.offsets) - 1) if self.is_damaged(row)]

    def _check(self, start: int, stop: int) -> None:
        """Compare the utterances of frames, each once in a process."""
        if self.checksums is None or stop <= start:
            return
        first, last = np.searchsorted(self.offsets, (start, stop - 1), "right") - 1
        for row in range(first, last + 1):
            if not self._checked[row]:
                if self.is_damaged(row):
                    raise damaged(self, self.damaged_rows())
                self._checked[row] = 1

    @functools.cached_property
    def _checked(self) -> bytearray:
        return bytearray(len(self.offsets) - 1)

    @functools.cached_property
    def _frames(self) -> tuple[np.ndarray, np.ndarray]:
        """Content and speech mask as arrays on the file's own pages, which processes share.

        The datasets are contiguous, so that no call of HDF5 is needed to read them.
        """
        arrays = []
        with h5py.File(self.path, "r") as file:
            for dataset in (file[self.content.name], file["speech"]):
                if dataset.id.get_offset() is None:
                    raise LangidError(
                        f"store={self.path}: its datasets are not contiguous; run langid prepare"
                        " again"
                    )
                arrays.append(
                    np.memmap(  # for reading only, or it could not be larger than memory
                        self.path,
                        dataset.dtype,
                        mode="r",
                        offset=dataset.id.get_offset(),
                        shape=dataset.shape,
                    )
                )
        return arrays[0].reshape(-1, self.content.width), arrays[1]

    def __getstate__(self) -> dict[str, Any]:
        own = ("_frames", "_checked")
        return {name: value for name, value in vars(self).items() if name not in own}
