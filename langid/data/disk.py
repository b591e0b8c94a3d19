"""A file for HDF5 to write to, where a full disk is an error and not a crash."""

import io
from pathlib import Path
from typing import Any


class Disk(io.FileIO):
    """HDF5 crashes where a write fails and it cannot close its file for that reason.

    So it is told that all went well: ``error`` is the first failure, and bytes that could not be
    written are kept in memory for HDF5 to read. Call ``check`` often: that bounds them.
    """

    def __init__(self, path: Path):
        super().__init__(path, "w+")
        self.error: OSError | None = None
        self.unwritten: list[tuple[int, bytes]] = []

    def check(self) -> None:
        if self.error is not None:
            raise self.error

    def write(self, data: Any) -> int:
        """Write all bytes, or keep them, and return their number."""
        start, rest = self.tell(), memoryview(data).cast("B")
        size = len(rest)
        try:
            while rest:
                rest = rest[super().write(rest) :]
        except OSError as error:
            self.error = self.error or error
            self.unwritten.append((start, bytes(data)))
        return size

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer from the file and from what could not be written to it."""
        start, view = self.tell(), memoryview(buffer).cast("B")
        count = super().readinto(view)
        for offset, data in self.unwritten:
            first, last = max(start, offset), min(start + len(view), offset + len(data))
            if first < last:
                view[first - start : last - start] = data[first - offset : last - offset]
        return len(view) if self.unwritten else count

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place; the end is that of the file as HDF5 knows it."""
        place = super().seek(offset, whence)
        if whence == io.SEEK_END:
            place = max([place, *(start + len(data) for start, data in self.unwritten)])
        return place

    def truncate(self, size: int | None = None) -> int:
        try:
            return super().truncate(size)
        except OSError as error:
            self.error = self.error or error
        return size or 0
