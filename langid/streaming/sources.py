"""Samples that come while they are spoken: from standard input and from a microphone."""

import struct
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from langid.audio.decode import AudioError, MonoMix
from langid.audio.file_kinds import HEAD, kind_of
from langid.errors import LangidError
from langid.streaming.samples import Resampler, checked_rate, checked_samples

ENDLESS = {"-": "standard input", "mic": "a microphone"}
BLOCK_S = 0.1
DECODE = "give the file itself, audio=FILE, or decode it: ffmpeg -i FILE -f wav -c:a pcm_s16le -"


def recording(audio: Any) -> Path:
    """Return the path of a file to stream; raise AudioError for none and for endless sound."""
    if audio in (None, ""):
        raise AudioError("audio=: expected a file")
    if str(audio) in ENDLESS:
        raise AudioError(
            f"audio={audio}: only langid stream hears {ENDLESS[str(audio)]}; expected a file"
            f" (./{audio} where one has this name)"
        )
    return Path(str(audio))


def standard_input(pipe: BinaryIO, sample_rate: int, rate: int | None) -> Iterator[np.ndarray]:
    """Yield mono samples at ``sample_rate``, float32 ``(samples,)``, as they come.

    What begins with the header of a WAV file is one, of 16-bit integers or 32-bit floats, its
    channels mixed to one as those of files. Raw 16-bit little-endian mono PCM is announced by its
    ``rate``. Raises LangidError where no sample comes, and for all else.
    """
    head = pipe.read(4)
    if not head:
        raise LangidError("audio=-: nothing came on standard input; send WAV or raw 16-bit PCM")
    if head in (b"RIFF", b"RF64"):
        kind, channels, rate, length = _wav_header(pipe)
        blocks = _decoded(pipe, b"", length, kind, channels, checked_rate(rate))
    else:
        head += pipe.read(HEAD - len(head))
        other = kind_of(head)
        if other is not None or rate is None:  # it would be heard as noise
            name = "an unknown format" if other is None else other.name
            raise LangidError(
                f"audio=-: {name} came on standard input; accepted are WAV and raw 16-bit PCM,"
                f" which is announced by raw=true or its rate, rate=16000 say; else {DECODE}"
            )
        blocks = _decoded(pipe, head, sys.maxsize, "<i2", 1, checked_rate(rate, "rate"))
    some = False
    for block in _resampled(blocks, rate, sample_rate):
        some = some or len(block) > 0
        yield block
    if not some:
        raise LangidError("audio=-: no sample came on standard input, so nothing can be heard")


def microphone(sample_rate: int) -> Iterator[np.ndarray]:
    """Yield mono samples of the default microphone at ``sample_rate``, until it is interrupted.

    Raises LangidError as ``microphone_rate`` does, and where the microphone cannot be used.
    """
    rate = microphone_rate()
    import sounddevice

    try:
        with sounddevice.InputStream(samplerate=rate, channels=1, dtype="float32") as device:
            reads = (device.read(round(BLOCK_S * rate))[0][:, 0] for _ in iter(int, 1))
            blocks = (_checked("mic", block) for block in reads)
            yield from _resampled(blocks, rate, sample_rate)
    except (sounddevice.PortAudioError, ValueError) as error:
        raise _no_microphone(error) from error


def microphone_rate() -> int:
    """Return the rate of the default microphone, in hertz.

    Raises LangidError where sounddevice is not installed, and where there is no microphone.
    """
    try:
        import sounddevice
    except ImportError as error:
        raise LangidError(
            "audio=mic needs sounddevice, the extra mic: pip install 'langid-speech[mic]'"
        ) from error
    except OSError as error:  # the library that it wraps is not on the machine
        raise LangidError(
            f"audio=mic needs PortAudio ({error}); on Debian: apt-get install libportaudio2"
        ) from error
    try:
        # Devices keep to their own rate; not every one can be asked for another.
        return int(sounddevice.query_devices(kind="input")["default_samplerate"])
    except (sounddevice.PortAudioError, ValueError) as error:  # ValueError: there is no device
        raise _no_microphone(error) from error


def _no_microphone(error: Exception) -> LangidError:
    return LangidError(
        f"audio=mic: no microphone can be used ({error}); connect one, or give audio=FILE"
    )


def _resampled(blocks: Iterable[np.ndarray], rate: int, sample_rate: int) -> Iterator[np.ndarray]:
    resampler = Resampler(rate, sample_rate)
    for block in blocks:
        yield resampler.feed(block)
    yield resampler.flush()


def _wav_header(pipe: BinaryIO) -> tuple[str, int, int, int]:
    """Return type, channels, rate and most bytes of the samples that follow."""
    size, form = struct.unpack("<I4s", _exactly(pipe, 8))
    kind, channels, rate, bits = 0, 0, 0, 0
    while form == b"WAVE":
        name, size = struct.unpack("<4sI", _exactly(pipe, 8))
        if name == b"data":
            break
        content = _exactly(pipe, size + size % 2)
        if name == b"fmt " and size >= 16:
            kind, channels, rate, _, _, bits = struct.unpack("<HHIIHH", content[:16])
            if kind == 0xFFFE and size >= 26:  # WAVE_FORMAT_EXTENSIBLE holds the kind later
                (kind,) = struct.unpack("<H", content[24:26])
    types = {(1, 16): "<i2", (3, 32): "<f4"}
    if (kind, bits) not in types or not channels:
        raise LangidError(
            f"audio=-: WAV of kind {kind} with {bits} bits came on standard input; accepted are"
            f" 16-bit integers and 32-bit floats, so {DECODE}"
        )
    # Programs that write into a pipe do not know the length and write 0 or the largest number.
    return types[kind, bits], channels, rate, sys.maxsize if size in (0, 0xFFFFFFFF) else size


def _exactly(pipe: BinaryIO, size: int) -> bytes:
    content = pipe.read(size)
    if len(content) < size:
        raise LangidError(f"audio=-: the WAV on standard input ends in its header; {DECODE}")
    return content


def _decoded(
    pipe: BinaryIO, head: bytes, length: int, kind: str, channels: int, rate: int
) -> Iterator[np.ndarray]:
    """Yield the samples of a pipe as they come; of several channels, ``BLOCK_S`` at a time."""
    frame = np.dtype(kind).itemsize * channels
    # Whether channels cancel each other cannot be told from a few samples.
    block = 1 if channels == 1 else round(BLOCK_S * rate) * frame
    scale = np.float32(1 / 32768 if kind == "<i2" else 1)
    waiting, left, more = head, length, True
    mix = MonoMix()
    while more:
        content = pipe.read1(min(left, 65536)) if left else b""  # type: ignore[attr-defined]
        left -= len(content)
        waiting += content
        more = bool(content)
        if more and len(waiting) < block:
            continue
        whole = len(waiting) // frame * frame
        samples = np.frombuffer(waiting[:whole], kind).reshape(-1, channels)
        waiting = waiting[whole:]
        yield _checked("-", mix(samples.astype(np.float32) * scale))


def _checked(audio: str, samples: np.ndarray) -> np.ndarray:
    """Return samples that a stream accepts, or say which source's are none."""
    try:
        return checked_samples(samples)
    except LangidError as error:
        raise LangidError(f"audio={audio}: {error}") from None
