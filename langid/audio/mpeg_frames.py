"""Frames of MPEG audio (MP3 and layers I, II), found by their headers, without decoding.

Headers as in ISO/IEC 11172-3, 13818-3 and MPEG 2.5; the tag that counts frames as Xing's, LAME's.
"""

import functools
import itertools
import re
import struct
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

CHUNK = 1 << 17
REACH = 64  # bytes of a frame that are looked at: header, side information, the head of a tag
OVERLAP = 64  # bytes that are looked at twice, for what lies across
RUN = 3  # frames that follow each other are no chance
# Eleven bits of sync, a layer, then a bit rate and a sample rate that exist.
SYNC = re.compile(rb"\xff[\xe2-\xe7\xf2-\xf7\xfa-\xff][\x10-\xef]")
TAGS = (b"Xing", b"Info")
RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}
KILOBITS = {
    (3, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (3, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (3, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (2, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (2, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}


class Frame(NamedTuple):
    """What a header says: bytes, samples of a channel, where a tag would stand, and the layout.

    Streams of another ``layout`` (version, layer, sample rate, mono) are decoded on their own.
    """

    size: int
    samples: int
    tag: int
    layout: tuple[int, int, int, bool]


class Part(NamedTuple):
    """What one decoder takes: ``head``, if any, then the file from byte to byte.

    ``samples`` of a channel are in its frames, 0 where that is not known.
    """

    start: int
    stop: int
    head: bytes = b""
    samples: int = 0


@functools.lru_cache(4096)
def frame_of(header: bytes) -> Frame | None:
    """Return what the four bytes of a header say, or None where they are none."""
    if len(header) < 4 or not SYNC.match(header):
        return None
    version, layer = header[1] >> 3 & 3, 4 - (header[1] >> 1 & 3)
    rate = header[2] >> 2 & 3
    if version == 1 or layer == 4 or rate == 3:
        return None
    hertz = RATES[version][rate]
    bits = KILOBITS[version | 2, layer if version == 3 else min(layer, 2)]
    samples = 384 if layer == 1 else 1152 if layer == 2 or version == 3 else 576
    slot = 4 if layer == 1 else 1
    padding = header[2] >> 1 & 1
    size = (samples // 8 // slot * bits[(header[2] >> 4) - 1] * 1000 // hertz + padding) * slot
    mono = header[3] >> 6 == 3
    side = (17 if mono else 32) if version == 3 else (9 if mono else 17)
    checked = 0 if header[1] & 1 else 2  # bytes of a checksum
    return Frame(size, samples, 4 + checked + side, (version, layer, hertz, mono))


def runs(file: BinaryIO, start: int = 0) -> list[Part]:
    """Return the runs of frames in a file from a byte on, without what is between them.

    A run ends with its layout, before another tag, and after as many frames as its own tag counts.
    Too few frames to tell from chance are no run, but part of one that they follow without a gap.
    """
    file.seek(start)
    if alike := _alike(file.read(CHUNK + 1)):
        return [Part(start, start + alike[0], samples=alike[1])]
    found: list[Part] = []
    at = _next_run(file, start)
    while at is not None:
        begin, count, samples, promised = at, 0, 0, -1
        layout = None
        for place, frame, tag in _frames(file, at):
            if layout is not None and (frame.layout != layout or tag >= 0 or count == promised):
                _close(found, Part(begin, place, samples=samples), count)
                begin, count, samples, promised = place, 0, 0, -1
            layout, at = frame.layout, place + frame.size
            if tag >= 0:
                promised = tag or -1
            else:
                count, samples = count + 1, samples + frame.samples
        _close(found, Part(begin, at, samples=samples), count)
        at = _next_run(file, at)
    return found


def with_count(file: BinaryIO, part: Part) -> Part:
    """Return a part with a first frame put before it that says how many samples its frames have."""
    start = _next_run(file, part.start) or part.start
    file.seek(start)
    first = file.read(4)
    largest = bytes([first[0], first[1] | 1, 0xE0 | first[2] & 0x0C, first[3]])  # unchecked, full
    frame = frame_of(largest)
    if frame is None or frame.layout[1] != 3:
        return part._replace(start=start)
    tag = b"Xing" + struct.pack(">II", 1, part.samples // frame.samples)
    head = (largest + bytes(frame.tag - 4) + tag).ljust(frame.size, b"\0")
    return part._replace(start=start, head=head)


def _close(found: list[Part], run: Part, count: int) -> None:
    if count >= RUN:
        found.append(run)
    elif found and found[-1].stop == run.start:
        found[-1] = found[-1]._replace(stop=run.stop)


def _alike(content: bytes) -> tuple[int, int] | None:
    """Return bytes and samples of a short file of frames alike, as are most clips: one glance."""
    frame = frame_of(content[:4])
    if frame is None or len(content) > CHUNK or any(tag in content for tag in TAGS):
        return None
    count, rest = divmod(len(content), frame.size)
    same = (content[at :: frame.size] == content[at : at + 1] * count for at in range(4))
    alike = not rest and count >= RUN and all(same)
    return (len(content), count * frame.samples) if alike else None


def _frames(file: BinaryIO, at: int) -> Iterator[tuple[int, Frame, int]]:
    """Yield place, header and counted frames (-1 without a tag) of the frames without a gap."""
    base, content = at, b""
    while True:
        offset = at - base
        if offset + REACH > len(content):
            file.seek(at)
            base, offset, content = at, 0, file.read(CHUNK)
        frame = frame_of(content[offset : offset + 4])
        if frame is None:
            return
        tag = offset + frame.tag
        counted = -1
        if content[tag : tag + 4] in TAGS:
            has_count = content[tag + 7] & 1 if len(content) > tag + 12 else 0
            counted = int.from_bytes(content[tag + 8 : tag + 12]) if has_count else 0
        yield at, frame, counted
        at += frame.size


def places(file: BinaryIO, pattern: re.Pattern[bytes], at: int) -> Iterator[int]:
    """Yield where a pattern of at most OVERLAP bytes stands in a file, from a byte on."""
    content = bytes(CHUNK)
    while len(content) == CHUNK:
        file.seek(at)
        content = file.read(CHUNK)
        last = len(content) - OVERLAP if len(content) == CHUNK else len(content)
        yield from (
            at + found.start() for found in pattern.finditer(content) if found.start() < last
        )
        at += last


def _next_run(file: BinaryIO, at: int) -> int | None:
    return next((place for place in places(file, SYNC, at) if _is_run(file, place)), None)


def _is_run(file: BinaryIO, at: int) -> bool:
    layouts = [frame.layout for _, frame, _ in itertools.islice(_frames(file, at), RUN)]
    return len(layouts) == RUN and len(set(layouts)) == 1
