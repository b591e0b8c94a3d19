"""Audio files to mono float samples, block by block."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile
import soxr

from langid.errors import LangidError

BLOCK_S = 20.0


class AudioError(LangidError):
    """An audio file that cannot be used, with the reason."""


def read_blocks(
    path: str | Path, sample_rate: int, block_s: float = BLOCK_S
) -> Iterator[np.ndarray]:
    """Yield the mono samples of a file in order, resampled, as float32 ``(samples,)`` arrays.

    Any format that libsndfile reads, any sample rate and number of channels (averaged). A block is
    at most about ``block_s`` seconds long, so memory stays bounded however long the file is.
    Raises AudioError for a file that is absent, empty, not audio, or holds NaN or infinity.
    """
    path = Path(path)
    if path.is_dir():
        raise AudioError(f"{path}: is a folder; expected an audio file")
    if not path.is_file():
        raise AudioError(f"{path}: no such file")
    if path.stat().st_size == 0:
        raise AudioError(f"{path}: the file is empty (0 bytes)")
    try:
        with soundfile.SoundFile(path) as file:
            yield from _mono_blocks(file, sample_rate, max(1, int(block_s * file.samplerate)), path)
    except TypeError as error:  # soundfile wants to be told what headerless .raw files hold
        raise AudioError(f"{path}: cannot be decoded (raw samples without a header)") from error
    except soundfile.SoundFileError as error:
        raise AudioError(f"{path}: cannot be decoded ({_reason(error)})") from error


def _mono_blocks(
    file: soundfile.SoundFile, sample_rate: int, block_frames: int, path: Path
) -> Iterator[np.ndarray]:
    rates = (file.samplerate, sample_rate)
    resampler = None
    last = False
    while not last:
        block = file.read(block_frames, dtype="float32", always_2d=True)
        last = len(block) < block_frames
        samples = block[:, 0] if block.shape[1] == 1 else block.mean(axis=1)
        if rates[0] != rates[1]:
            if last and resampler is None:  # the whole file: faster in one go
                samples = soxr.resample(samples, *rates)
            else:
                resampler = resampler or soxr.ResampleStream(*rates, 1, dtype="float32")
                samples = resampler.resample_chunk(samples, last=last)
        if not np.isfinite(samples).all():  # resampling keeps NaN, and makes it of infinity
            raise AudioError(f"{path}: holds samples that are not finite (NaN or infinity)")
        if len(samples):
            yield np.ascontiguousarray(samples)


def _reason(error: Exception) -> str:
    """Return the library's own words without its copy of the path."""
    return str(error).rsplit(": ", 1)[-1].strip().rstrip(".")


def read_audio(path: str | Path, sample_rate: int) -> np.ndarray:
    """Return all mono samples of a file as float32 ``(samples,)``; errors as read_blocks."""
    blocks = list(read_blocks(path, sample_rate))
    return np.concatenate(blocks) if blocks else np.zeros(0, np.float32)
