"""Checksums of utterances, by which a store is known to hold what was written to it."""

import zlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from langid.corpora.manifest import line_of
from langid.errors import LangidError

if TYPE_CHECKING:
    from langid.data.store import Store

NAMED = 20  # of damaged utterances in an error


class Checksum:
    """The CRC-32 of an utterance: of its frames as they come, in whatever blocks, and its row."""

    def __init__(self) -> None:
        self._values = self._speech = 0

    def add(self, values: np.ndarray, speech: np.ndarray) -> None:
        """Take in the next frames as they are stored, contiguous."""
        self._values = zlib.crc32(values.data, self._values)
        self._speech = zlib.crc32(speech.data, self._speech)

    def of(self, row: dict[str, str]) -> int:
        """Return the checksum of all frames so far and of a row of the manifest."""
        frames = f"{self._values:08x}{self._speech:08x}"
        return zlib.crc32((frames + line_of(row)).encode())


def damaged(store: "Store", rows: Sequence[int]) -> LangidError:
    """Return the error that names the damaged utterances of a store."""
    names = [str(store.columns["utterance_id"][row]) for row in rows]
    told = ", ".join(names[:NAMED]) + (f" and {more} more" if (more := len(names[NAMED:])) else "")
    return LangidError(
        f"store={store.path}: {len(names)} of {len(store.offsets) - 1} utterances are damaged, not"
        f" what langid prepare wrote: {told}. Restore the file from a copy, or delete it and run"
        " langid prepare again; and look at the disk that it lies on"
    )
