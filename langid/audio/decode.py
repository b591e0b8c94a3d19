"""Audio files to mono float samples, block by block."""

import functools
import io
import math
import shlex
import sys
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
import soundfile
import soxr

from langid.audio.archives import ArchiveError, archive_and_name, read_file
from langid.audio.excerpt import Excerpt
from langid.audio.file_kinds import HEAD, Kind, Use, kind_of
from langid.audio.full_scale import peak_beyond
from langid.audio.joined import Window, parts_of
from langid.audio.mpeg_frames import Part, with_count
from langid.audio.native_stderr import native_stderr_off
from langid.errors import LangidError

BLOCK_S = 20.0
CANCELLED = 0.01  # of the channels' power is left by their mean: 20 dB less
GAPLESS = 16384  # samples of silence that an MP3 may ask to be left out, and more
SEEKABLE = ("WAV", "WAVEX", "FLAC", "MP3")  # of which a place is found exactly
RATES = range(1000, 1_000_001)  # hertz; a damaged header may ask for gigabytes a second
PRE_ROLL = 1 << 15  # samples before a place, from which on MP3 is decoded as from its beginning


class AudioError(LangidError):
    """An audio file that cannot be used, with the reason."""


class MonoMix:
    """Channels to one: their mean, or the loudest alone from the block on in which they cancel."""

    def __init__(self) -> None:
        self._only: int | None = None

    def __call__(self, block: np.ndarray) -> np.ndarray:
        """``block (samples, channels)`` float32 -> mono ``(samples,)``."""
        if block.shape[1] == 1:
            return block[:, 0]
        mean: np.ndarray = block.mean(axis=1)
        if self._only is None:
            powers = np.einsum("tc,tc->c", block, block)
            if mean.dot(mean) < CANCELLED * powers.mean():
                self._only = int(powers.argmax())
        return mean if self._only is None else block[:, self._only]


def read_blocks(
    source: str | Path | Excerpt, sample_rate: int, block_s: float = BLOCK_S
) -> Iterator[np.ndarray]:
    """Yield the mono samples of a file in order, resampled, as float32 ``(samples,)`` arrays.

    Any format that libsndfile reads, told by the file's content, of any sample rate and number of
    channels (see MonoMix), also inside an archive. All streams of a file that was joined from
    several are read, whatever their headers promise, and a file that was cut as far as it goes. A
    block is at most about ``block_s`` seconds long. Raises AudioError for a file that is absent,
    empty, not audio, cannot be decoded whole, holds no samples, NaN or infinity, floats of another
    scale than 1, has no real sample rate, or ends before its excerpt does.
    """
    excerpt = source if isinstance(source, Excerpt) else Excerpt(Path(source))
    path = excerpt.path
    empty = True
    try:
        with open_file(path) as file:
            for samples in blocks_of(file, excerpt, sample_rate, block_s):
                empty = False
                yield samples
    except OSError as error:
        raise AudioError(f"{path}: cannot be read ({error.strerror or error})") from error
    if empty:
        raise AudioError(f"{path}: holds no samples, so that nothing can be heard")


def read_audio(source: str | Path | Excerpt, sample_rate: int) -> np.ndarray:
    """Return all mono samples of a file as float32 ``(samples,)``; errors as read_blocks."""
    return np.concatenate(list(read_blocks(source, sample_rate)))


def rate_of(path: str | Path) -> int | None:
    """Return the sample rate that a file has, in hertz; None where that cannot be told."""
    try:
        with open_file(Path(path)) as file:
            start, kind = _recognised(file)
            size = file.seek(0, io.SEEK_END)
            part = parts_of(file, kind.name if kind else "", start, size)[0]
            with _opened(file, part, size) as stream:
                return int(stream.samplerate)
    except (AudioError, OSError, ValueError, soundfile.SoundFileError):
        return None


def open_file(path: Path) -> BinaryIO:
    """Return a file of sound, also one inside an archive; raises AudioError for none."""
    if path.is_dir():
        raise AudioError(f"{path}: is a folder; expected an audio file")
    if path.is_file():
        return path.open("rb", buffering=0)
    packed = archive_and_name(path)
    if packed is None:
        raise AudioError(f"{path}: no such file")
    try:
        return io.BytesIO(read_file(*packed))
    except ArchiveError as error:
        raise AudioError(f"{path}: {error}") from error


def blocks_of(
    file: BinaryIO, excerpt: Excerpt, sample_rate: int, block_s: float
) -> Iterator[np.ndarray]:
    """Yield the samples of an open file, as ``read_blocks`` does, for which its path is a name."""
    path = excerpt.path
    size = file.seek(0, io.SEEK_END)
    if size == 0:
        raise AudioError(f"{path}: the file is empty (0 bytes)")
    start, kind = _recognised(file)
    if kind is not None and kind.use is not Use.DECODE:
        raise AudioError(_refusal(path, kind))
    parts = parts_of(file, kind.name if kind else "", start, size)
    passed_s = 0.0
    for number, part in enumerate(parts, 1):
        where = f" in part {number} of {len(parts)}, from byte {part.start} on"
        rest = excerpt.behind(passed_s)
        try:
            with _opened(file, part, size) as stream:
                passed_s += yield from _mono_blocks(stream, sample_rate, block_s, part, rest)
        except soundfile.SoundFileError as error:
            reason = "it is no format that libsndfile recognises"
            if kind:  # the library's own words without its copy of the path
                words = str(error).rsplit(": ", 1)[-1].strip().rstrip(".")
                reason = f"{kind.name}, damaged or cut{where if len(parts) > 1 else ''}: {words}"
            raise AudioError(f"{path}: cannot be decoded ({reason})") from error
    if passed_s < excerpt.least_s:
        raise AudioError(
            f"{path}: ends at {passed_s:.2f} s, before its part from {excerpt.start_s:g} s to"
            f" {excerpt.end_s:g} s does"
        )


def _recognised(file: BinaryIO) -> tuple[int, Kind | None]:
    """Return where a file begins behind a tag of ID3v2, and its kind."""
    file.seek(0)
    head = file.read(HEAD)
    if head[:3] == b"ID3" and len(head) >= 10:
        length = functools.reduce(lambda high, byte: high << 7 | byte & 0x7F, head[6:10], 0)
        file.seek(10 + length)
        if behind := kind_of(file.read(HEAD)):
            return 10 + length, behind
    return 0, kind_of(head)


def _refusal(path: Path, kind: Kind) -> str:
    """Return why a file that libsndfile does not decode is refused, and what to do."""
    reason = f"{path}: cannot be decoded (it is {kind.name}, {kind.use.value})"
    if kind.use is not Use.CONVERT:
        return reason
    decoded = path.with_suffix(".wav" if path.suffix.lower() != ".wav" else ".decoded.wav")
    names = " -ar 16000 -ac 1 ".join(shlex.quote(str(name)) for name in (path, decoded))
    return f"{reason}; convert it: ffmpeg -i {names}"


class _Stream(soundfile.SoundFile):  # type: ignore[misc]
    """A sound file that is read forward to its end, whatever its header promises."""

    def seekable(self) -> bool:  # else soundfile seeks after each block, and believes the header
        return False

    def block(self, frames: int, at: int) -> np.ndarray:
        """Return ``(samples, channels)`` float32 from ``at`` on, where it is; fewer at the end."""
        if self.format == "FLAC":  # whose decoder stumbles over what may follow the last one
            frames = min(frames, self.frames - at)
        with native_stderr_off():
            return np.asarray(self.read(frames, dtype="float32", always_2d=True))


def _opened(file: BinaryIO, part: Part, size: int) -> _Stream:
    with native_stderr_off():
        if part[:3] == (0, size, b"") and not isinstance(file, io.BytesIO):
            file.seek(0)
            stream = _Stream(file.fileno(), closefd=False)  # no name, from which one might guess
        else:
            stream = _Stream(io.BufferedReader(Window(file, part)))
        if stream.frames < part.samples - GAPLESS:  # guessed from the bit rate of the first frames
            stream.close()
            stream = _Stream(io.BufferedReader(Window(file, with_count(file, part))))
    return stream


def _mono_blocks(
    stream: _Stream, sample_rate: int, block_s: float, part: Part, excerpt: Excerpt
) -> Generator[np.ndarray, None, float]:
    """Yield an excerpt of a stream, and return the second that was reached."""
    path, rates = excerpt.path, (stream.samplerate, sample_rate)
    if rates[0] not in RATES:
        raise AudioError(f"{path}: a sample rate of {rates[0]:,} Hz; its header is damaged")
    block_frames = max(1, int(block_s * rates[0]))
    first = max(0, round(excerpt.start_s * rates[0]))
    stop = sys.maxsize if excerpt.end_s == math.inf else max(0, round(excerpt.end_s * rates[0]))
    resampler, level = None, np.float32(0)
    mix = MonoMix()
    at = _reached(stream, min(first, stop), block_frames)
    last = at < first
    while not last:
        block = stream.block(min(block_frames, stop - at), at)
        last = len(block) < block_frames
        at += len(block)
        _check_scale(block, path)
        samples = mix(block)
        if rates[0] != rates[1]:
            if resampler is None and len(samples):
                level = samples[0]  # before the file and behind it, so that an offset is no step
            if last and resampler is None:  # the whole file: faster in one go
                samples = soxr.resample(samples - level, *rates) + level
            else:
                resampler = resampler or soxr.ResampleStream(*rates, 1, dtype="float32")
                samples = resampler.resample_chunk(samples - level, last=last) + level
        if len(samples):
            yield np.ascontiguousarray(samples)
    if at < min(stop, part.samples - GAPLESS):
        found, whole = (count / rates[0] for count in (at, part.samples))
        raise AudioError(f"{path}: incomplete: of {whole:.2f} s only {found:.2f} s can be decoded")
    return float(at / rates[0])


def _reached(stream: _Stream, first: int, block_frames: int) -> int:
    """Go to a sample of a stream, or to its end where that comes before; return where it is."""
    at = 0
    if stream.format in SEEKABLE and PRE_ROLL < first <= stream.frames:
        with native_stderr_off():
            at = int(stream.seek(first - PRE_ROLL))
    while at < first:
        block = stream.block(min(block_frames, first - at), at)
        if not len(block):
            break
        at += len(block)
    return at


def _check_scale(block: np.ndarray, path: Path) -> None:
    if (peak := peak_beyond(block)) is None:
        return
    if not np.isfinite(peak):
        raise AudioError(f"{path}: holds samples that are not finite (NaN or infinity)")
    raise AudioError(
        f"{path}: samples reach {peak:.4g}: expected floats of full scale 1; divide floats that"
        " hold 16-bit values by 32768"
    )
