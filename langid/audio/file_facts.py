"""What a file of sound is before it is decoded: codec, rate, channels, and whether all is there."""

import io
import struct
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile

from langid.audio.decode import CANCELLED, AudioError, open_file
from langid.audio.native_stderr import native_stderr_off

UNKNOWN_SIZES = (0, 0xFFFFFFFF)  # what programs that write to a pipe put into a header


class FileFacts(NamedTuple):
    """The codec as libsndfile names it, the file's own rate in hertz, and its channels.

    ``opposite`` are channels that cancel where they are mixed; ``cut`` is a file that is shorter
    than its header says. Of a file that cannot be opened the codec is empty.
    """

    codec: str = ""
    sample_rate: int = 0
    channels: int = 0
    opposite: bool = False
    cut: bool = False


def file_facts(path: str | Path) -> FileFacts:
    """Return what a file is; only one of several channels is decoded."""
    try:
        with open_file(Path(path)) as file, native_stderr_off():
            head = file.read(12)
            file.seek(0)
            with soundfile.SoundFile(file) as sound:
                codec = f"{sound.format} {sound.subtype}"
                opposite = sound.channels > 1 and _cancels(sound)
                told = codec, sound.samplerate, sound.channels, opposite
            size = file.seek(0, io.SEEK_END)
    except (AudioError, OSError, soundfile.SoundFileError):
        return FileFacts()
    return FileFacts(*told, _is_cut(head, size))


def _cancels(sound: soundfile.SoundFile) -> bool:
    """Return whether the mean of the channels has hardly any of their power."""
    mixed = single = 0.0
    for block in sound.blocks(1 << 18, dtype="float32", always_2d=True):
        mixed += float(np.square(block.mean(1)).sum())
        single += float(np.square(block).mean(1).sum())
    return mixed < CANCELLED * single


def _is_cut(head: bytes, size: int) -> bool:
    """Return whether a RIFF file ends before its header says."""
    if head[:4] != b"RIFF" or head[8:] != b"WAVE":
        return False
    promised = struct.unpack("<I", head[4:8])[0]
    return promised not in UNKNOWN_SIZES and promised + 8 > size + 1  # a last byte may pad
