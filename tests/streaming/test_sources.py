"""Samples from standard input and from a microphone."""

import io
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, BinaryIO

import numpy as np
import pytest
import soundfile

from langid.errors import LangidError
from langid.streaming.sources import microphone, standard_input


@pytest.fixture(scope="module")
def speech(real_clips: list[Path]) -> np.ndarray:
    """Return half a second of real speech at 16 kHz, as 16-bit integers."""
    samples, rate = soundfile.read(real_clips[0], dtype="int16")
    return np.asarray(samples)[rate : 2 * rate : rate // 16000]


def wav(samples: np.ndarray, rate: int = 16000, **options: Any) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format="WAV", **options)
    return file.getvalue()


class Dripping(io.BytesIO):
    """A pipe that hands out a few bytes at a time, not whole samples."""

    def read1(self, size: int | None = -1) -> bytes:
        return self.read(min(333, size if size is not None and size > 0 else 333))


def heard(content: bytes, rate: int | None = None, pipe: type[BinaryIO] | Any = Dripping) -> Any:
    return np.concatenate(list(standard_input(pipe(content), 16000, rate)))


def test_wav_and_raw_samples_are_the_same(speech: np.ndarray) -> None:
    expected = speech.astype(np.float32) / 32768
    assert len(expected) > 7000
    for content in (speech.tobytes(), speech.tobytes() + b"\0", wav(speech, subtype="PCM_16")):
        for pipe in (Dripping, io.BytesIO):
            np.testing.assert_array_equal(heard(content, 16000, pipe), expected)
    np.testing.assert_array_equal(heard(wav(expected, subtype="FLOAT")), expected)
    extensible = wav(speech, subtype="PCM_16")
    soundfile_extensible = io.BytesIO()
    soundfile.write(soundfile_extensible, speech, 16000, format="WAVEX", subtype="PCM_16")
    assert soundfile_extensible.getvalue() != extensible
    np.testing.assert_array_equal(heard(soundfile_extensible.getvalue()), expected)


def test_channels_are_averaged(speech: np.ndarray) -> None:
    both = np.stack([speech, -speech // 2], 1)
    expected = both.mean(1).astype(np.float32) / 32768
    np.testing.assert_allclose(heard(wav(both, subtype="PCM_16")), expected, atol=1e-7)


def test_a_wav_of_unknown_length_is_heard_to_its_end(speech: np.ndarray) -> None:
    content = wav(speech, subtype="PCM_16")
    at = content.index(b"data") + 4
    for length in (0, 0xFFFFFFFF):
        endless = content[:at] + struct.pack("<I", length) + content[at + 4 :]
        assert len(heard(endless)) == len(speech)
    assert len(heard(content + b"LIST\4\0\0\0abcd")) == len(speech)  # what follows is no sound


def test_the_header_decides_and_raw_samples_have_the_rate_that_is_said(
    speech: np.ndarray,
) -> None:
    import soxr

    expected = soxr.resample(speech.astype(np.float32) / 32768, 8000, 16000)
    for content, rate in ((speech.tobytes(), 8000), (wav(speech, 8000), 44100)):
        np.testing.assert_allclose(heard(content, rate), expected, atol=1e-6)
    with pytest.raises(LangidError, match=r"^rate=-1: expected a whole number of Hz"):
        heard(speech.tobytes(), -1)


def test_channels_that_cancel_each_other_are_heard_by_one(speech: np.ndarray) -> None:
    both = np.stack([speech, -speech], 1)
    expected = speech.astype(np.float32) / 32768
    for pipe in (Dripping, io.BytesIO):
        found = heard(wav(both, subtype="PCM_16"), pipe=pipe)
        np.testing.assert_array_equal(np.abs(found), np.abs(expected))


def written(kind: str) -> bytes:
    """Return noise as the content of a file of a kind that libsndfile writes."""
    file = io.BytesIO()
    noise = 0.1 * np.random.default_rng(0).normal(size=16000)
    subtype = {"WVE": "ALAW", "XI": "DPCM_16"}.get(kind)
    soundfile.write(file, noise, 8000 if kind == "WVE" else 44100, format=kind, subtype=subtype)
    return file.getvalue()


@pytest.mark.parametrize("kind", sorted(set(soundfile.available_formats()) - {"RAW", "SD2"}))
def test_no_other_container_is_heard_as_raw_samples(kind: str) -> None:
    if kind in ("WAV", "WAVEX", "RF64"):
        assert len(heard(written(kind))) == 5805
        return
    with pytest.raises(LangidError, match=r"^audio=-: .* came on standard input; accepted are WAV"):
        heard(written(kind))


def test_raw_samples_are_heard_where_they_are_announced(speech: np.ndarray) -> None:
    for content in (speech.tobytes(), bytes(4000), np.full(2000, -1025, "<i2").tobytes()):
        with pytest.raises(LangidError, match=r"an unknown format came .* raw=true or its rate"):
            heard(content)
        assert len(heard(content, 16000)) == len(content) // 2
    for content in (wav(np.zeros(0)), wav(np.zeros(0, np.float32), subtype="FLOAT")):
        with pytest.raises(LangidError, match="audio=-: no sample came on standard input"):
            heard(content)
    with pytest.raises(LangidError, match="audio=-: no sample came on standard input"):
        heard(b"\x81", 16000)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "nothing came on standard input; send WAV or raw 16-bit PCM"),
        (b"fLaC----", "FLAC came on standard input; accepted are WAV and raw 16-bit PCM"),
        (b"ID3\x04----", "MP3 came on standard input; .* ffmpeg -i FILE"),
        (b"\xff\xfb\x90\x64" + bytes(64), "MP3 came"),
        (b"\0\0\0\x18ftypM4A " + bytes(64), r"MP4 \(M4A\) came"),
        (b"a text, and so\r\n\tno sound at all, it seems", "text came on standard input"),
        (b"no", "text came"),
        (b"\x93NUMPY\1\0" + bytes(64), "a numpy array came on standard input; acc"),
        (b"PK\3\4" + bytes(64), "a zip archive came"),
        (b"\x1f\x8b\x08\0" + bytes(64), "gzip came"),
        (b"\xff\xf1\x50\x80" + bytes(64), "AAC came"),
        (b"#!AMR\n" + bytes(64), "AMR came"),
        (wav(np.zeros(9), subtype="PCM_24"), "WAV of kind 1 with 24 bits .* 32-bit floats"),
        (wav(np.zeros(9), subtype="ULAW"), "WAV of kind 7 with 8 bits"),
        (wav(np.zeros(9))[:30], "ends in its header"),
        (b"RIFF\4\0\0\0AVI LIST", "WAV of kind 0"),
    ],
)
def test_what_is_neither_is_refused(content: bytes, message: str) -> None:
    for rate in (None, 16000):  # announced as raw samples it is what it is
        with pytest.raises(LangidError, match=f"^audio=-: .*{message}"):
            heard(content, rate)


def test_without_sounddevice_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(LangidError, match=r"the extra mic: pip install 'langid-speech\[mic\]'"):
        next(microphone(16000))


class Microphone(ModuleType):
    """The part of sounddevice that is used, on samples in memory."""

    PortAudioError = type("PortAudioError", (Exception,), {})

    def __init__(self, samples: np.ndarray, rate: float):
        super().__init__("sounddevice")
        self.samples, self.rate = samples, rate
        self.open = False

    def query_devices(self, kind: str) -> dict[str, float]:
        if not self.rate:
            raise self.PortAudioError("Error querying device -1")
        return {"default_samplerate": self.rate}

    def InputStream(self, samplerate: int, channels: int, dtype: str) -> "Microphone":
        assert (samplerate, channels, dtype) == (self.rate, 1, "float32")
        return self

    def __enter__(self) -> "Microphone":
        self.open = True
        return self

    def __exit__(self, *error: object) -> None:
        self.open = False

    def read(self, frames: int) -> tuple[np.ndarray, bool]:
        if not len(self.samples):
            raise KeyboardInterrupt
        block, self.samples = np.split(self.samples, [frames])
        return block[:, None], False


def until_interrupted(blocks: Iterator[np.ndarray]) -> np.ndarray:
    found = []
    with pytest.raises(KeyboardInterrupt):
        for block in blocks:
            found.append(block)
    return np.concatenate(found)


def test_a_microphone_is_heard_at_its_own_rate(
    monkeypatch: pytest.MonkeyPatch, speech: np.ndarray
) -> None:
    samples = speech.astype(np.float32) / 32768
    for rate, length in ((16000.0, len(samples)), (8000.0, 2 * len(samples))):
        device = Microphone(samples, rate)
        monkeypatch.setitem(sys.modules, "sounddevice", device)
        found = until_interrupted(microphone(16000))
        assert length - 3200 < len(found) <= length
        assert not device.open
    monkeypatch.setitem(sys.modules, "sounddevice", Microphone(samples, 0))
    with pytest.raises(LangidError, match=r"no microphone can be used \(Error querying device"):
        next(microphone(16000))


def test_numbers_that_are_no_samples_are_refused_by_their_source() -> None:
    content = wav(np.array([0.1, np.nan] * 100), subtype="FLOAT")
    with pytest.raises(LangidError, match="audio=-: samples hold NaN"):
        heard(content)
