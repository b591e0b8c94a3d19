"""Frames for a long time: what a stream keeps in memory at the end that it did not at the start."""

import ctypes
import sys
import time
from itertools import cycle

import numpy as np
from figures import Figure, resident_mb

from langid.streaming.streamer import StreamingIdentifier

WARM_UP = 20_000  # frames, after which everything that is kept once is there
CHECK = 1000  # frames between looks at the clock
RESIDENT_LIMIT_MB, BLOCKS_LIMIT, HEAP_LIMIT_KB = 1.0, 100, 100.0


def soak(
    stream: StreamingIdentifier,
    samples: np.ndarray,
    frames: int,
    seconds: float,
    warm_up: int = WARM_UP,
) -> list[Figure]:
    """Feed frame by frame, at most so many and so long; print and return the growth of memory."""
    hop = stream.hop_samples
    hops = cycle([samples[i : i + hop] for i in range(0, len(samples) // hop * hop, hop)])
    stream.reset()
    for _ in range(warm_up):
        stream.feed(next(hops))
    before, started, done = held(), time.perf_counter(), 0
    while done < frames and time.perf_counter() - started < seconds:
        for _ in range(CHECK):
            stream.feed(next(hops))
        done += CHECK
    resident, blocks, heap = (after - first for after, first in zip(held(), before, strict=True))
    print(
        f"soak: {done:,} frames ({done * hop / stream.sample_rate / 3600:.1f} h of sound) in"
        f" {time.perf_counter() - started:.0f} s after {warm_up:,} to warm up: resident memory"
        f" {resident:+.3f} MB, Python's blocks {blocks:+.0f}, bytes of malloc {heap * 1e3:+.0f}"
    )
    return [
        Figure("soak: resident memory", resident, RESIDENT_LIMIT_MB, " MB"),
        Figure("Python's blocks", blocks, BLOCKS_LIMIT),
        Figure("malloc", heap, HEAP_LIMIT_KB, " kB"),
    ]


def held() -> tuple[float, float, float]:
    """Return resident MB, blocks that Python has allocated, and kB that malloc has given out."""
    return resident_mb(), float(sys.getallocatedblocks()), heap_kb()


class Heap(ctypes.Structure):
    """glibc's ``struct mallinfo2``."""

    _fields_ = [(f"field_{number}", ctypes.c_size_t) for number in range(10)]


def heap_kb() -> float:
    """Return what malloc has given out, in kB; 0 where the C library does not tell."""
    try:
        mallinfo = ctypes.CDLL(None).mallinfo2
    except (AttributeError, OSError):
        return 0.0
    mallinfo.restype = Heap
    found = mallinfo()
    return float(found.field_4 + found.field_7) / 1e3  # hblkhd and uordblks
