"""A folder of noise or of impulse responses, drawn from by path."""

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import soundfile

from langid.audio.native_stderr import native_stderr_off
from langid.errors import LangidError
from langid.signal.acoustics.sound import Draws, Refused, looped
from langid.signal.acoustics.timing import resampled

LONGEST_S = 4.0  # of an impulse response
SUFFIXES = {f".{name.lower()}" for name in soundfile.available_formats()} | {".aif", ".opus"}


class Recordings:
    """The files of sound below a folder, of any rate; several channels are heard as their mean.

    Raises Refused, by the ``key`` that names the folder, where it is not there, holds none, or one
    that cannot be read.
    """

    def __init__(self, key: str, folder: str):
        root = Path(str(folder)).expanduser()
        if not root.is_dir():
            raise Refused(
                f"{key}={folder}: no such folder; accepted are null and a folder of sound"
            )
        below = (path for path in root.rglob("*") if path.suffix.lower() in SUFFIXES)
        self.root = root
        self.paths = sorted(path for path in below if path.is_file() and path.name[0] != ".")
        if not self.paths:
            raise Refused(
                f"{key}={folder}: no file of sound below it; libsndfile reads"
                f" {', '.join(sorted(SUFFIXES))}"
            )
        for path in self.paths:
            try:
                with _opened(path) as file:
                    empty = file.frames < 1
            except LangidError as error:
                raise Refused(f"{key}={folder}: {error}; mend or remove it") from error
            if empty:
                raise Refused(f"{key}={folder}: {path} holds no samples; remove it")

    def stretch(self, count: int, sample_rate: int, draws: Draws) -> tuple[np.ndarray, str]:
        """Return so many samples from anywhere in any file, looped where it is shorter; its name.

        Raises LangidError for a file that cannot be read any more.
        """
        path = self._drawn(draws)
        with _opened(path) as file:
            needed = int(count * file.samplerate / sample_rate) + 2
            file.seek(int(draws.random() * max(1, file.frames - needed + 1)))
            samples = _mono(file.read(needed, dtype="float32", always_2d=True))
            rate = file.samplerate
        if rate != sample_rate:
            samples = resampled(samples, rate, sample_rate)
        return looped(np.nan_to_num(samples), count), str(path.relative_to(self.root))

    def response(self, sample_rate: int, draws: Draws) -> tuple[np.ndarray, str]:
        """Return the impulse response of any file, from its strongest sample on, and its name.

        Raises LangidError for a file that cannot be read any more.
        """
        path = self._drawn(draws)
        return _response(path, sample_rate), str(path.relative_to(self.root))

    def _drawn(self, draws: Draws) -> Path:
        return self.paths[draws.integers(len(self.paths))]


@functools.lru_cache(maxsize=128)
def _response(path: Path, sample_rate: int) -> np.ndarray:
    with _opened(path) as file:
        samples = _mono(
            file.read(int(LONGEST_S * file.samplerate), dtype="float32", always_2d=True)
        )
        rate = file.samplerate
    if rate != sample_rate:
        samples = resampled(samples, rate, sample_rate)
    samples = np.nan_to_num(samples)
    return samples[int(np.abs(samples).argmax()) :]


def _mono(block: np.ndarray) -> np.ndarray:
    if not len(block):  # the header promised more
        return np.zeros(1, np.float32)
    mean: np.ndarray = block.mean(axis=1)
    return mean


@contextmanager
def _opened(path: Path) -> Iterator[soundfile.SoundFile]:
    try:
        with native_stderr_off(), soundfile.SoundFile(path) as file:
            yield file
    except (soundfile.SoundFileError, OSError) as error:
        words = str(error).rsplit(": ", 1)[-1].strip().rstrip(".")
        raise LangidError(f"{path}: cannot be decoded ({words})") from error
