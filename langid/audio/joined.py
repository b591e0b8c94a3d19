"""The streams of a file: one, or those of several files that were joined end to end.

libsndfile decodes the first stream alone and believes headers. Here the file itself says where
streams begin and end, so that each can be decoded on its own.
"""

import io
import itertools
import re
import struct
from typing import BinaryIO

from langid.audio.mpeg_frames import Part, places, runs

LARGEST = 0xFFFFFFFE  # bytes that a WAV can say it has; one more means that it does not know
# What a further stream begins with, in full, so that no sound can be taken for it.
BEGINNINGS = {
    "FLAC": re.compile(rb"fLaC[\x00\x80]\x00\x00\x22"),
    "WAV": re.compile(rb"(?:RIFF|RF64)....WAVE", re.DOTALL),
    "AIFF": re.compile(rb"FORM....AIF[FC]", re.DOTALL),
    "AU": re.compile(rb"\.snd\x00\x00......\x00\x00\x00[\x01-\x1b]", re.DOTALL),
    "CAF": re.compile(rb"caff\x00\x01\x00\x00desc"),
    "W64": re.compile(rb"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\x00\x00"),
}


class Window(io.RawIOBase):
    """A part of a file as a file of its own."""

    def __init__(self, file: BinaryIO, part: Part):
        self._file, self._part = file, part
        self._at, self._length = 0, len(part.head) + part.stop - part.start

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = max(0, (0, self._at, self._length)[whence] + offset)
        return self._at

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        content = self._part.head[self._at : self._at + len(buffer)]
        if not content:
            wanted = min(len(buffer), self._length - self._at)
            self._file.seek(self._part.start + self._at - len(self._part.head))
            content = self._file.read(max(0, wanted))
        buffer[: len(content)] = content
        self._at += len(content)
        return len(content)


def parts_of(file: BinaryIO, kind: str, start: int, size: int) -> list[Part]:
    """Return the streams of a file of ``size`` bytes, which is of a kind from a byte on.

    Of MP3 and Ogg only frames and pages count. The one stream of a whole file is the file as it is.
    """
    parts = []
    if kind == "MP3":
        parts = runs(file, start)
        if len(parts) == 1 and parts[0].start == start and parts[0].stop >= size:
            parts = [parts[0]._replace(start=0, stop=size)]  # its decoder knows a tag before it
    elif kind == "Ogg":
        parts = _chains(file, start, size)
    elif kind in BEGINNINGS:
        parts = _cut(file, kind, start, size)
    return parts or [Part(0, size)]


def _cut(file: BinaryIO, kind: str, start: int, size: int) -> list[Part]:
    """Return a part for each beginning; none is looked for behind the end of a WAV or AIFF."""
    file.seek(start + 4)
    length = int.from_bytes(file.read(4), "little" if kind == "WAV" else "big")
    alone = kind in ("WAV", "AIFF") and abs(start + 8 + length - size) <= 1
    further = () if alone else places(file, BEGINNINGS[kind], start + 4)
    parts = [Part(*extent) for extent in itertools.pairwise([start, *further, size])]
    return [_with_size(file, part) for part in parts] if kind == "WAV" else parts


def _with_size(file: BinaryIO, part: Part) -> Part:
    """Return a WAV with its true size where its header says 0 bytes, as a killed recorder's."""
    at = part.start + 12
    while at + 8 <= part.stop:
        file.seek(at)
        name, length = struct.unpack("<4sI", file.read(8))
        at += 8
        if name == b"data" and length == 0:
            file.seek(part.start)
            size = struct.pack("<I", min(part.stop - at, LARGEST))
            return part._replace(start=at, head=file.read(at - 4 - part.start) + size)
        if name == b"data":
            break
        at += length + length % 2
    return part


def _chains(file: BinaryIO, start: int, size: int) -> list[Part]:
    """Return the links of an Ogg file (RFC 3533): whole pages from first pages to the next ones."""
    parts: list[Part] = []
    at, first = start, False
    while at + 27 <= size:
        file.seek(at)
        header = file.read(27 + 255)
        if not header.startswith(b"OggS\x00"):
            at = next(places(file, re.compile(rb"OggS\x00"), at + 1), size)
            continue
        stop = at + 27 + header[26] + sum(header[27 : 27 + header[26]])
        if stop > size:  # the file ends within a page
            break
        begins = bool(header[5] & 2)
        if not parts or (begins and not first):
            parts.append(Part(at, stop))
        parts[-1] = parts[-1]._replace(stop=stop)
        at, first = stop, begins
    return parts
