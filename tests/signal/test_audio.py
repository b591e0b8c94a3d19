import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from langid.signal.audio import AudioError, read_audio, read_blocks

RATE = 16000


def tone(seconds: float, rate: int, hertz: float = 440.0) -> np.ndarray:
    """Return a sine of half the full scale, ``(samples,)``."""
    return 0.5 * np.sin(2 * np.pi * hertz * np.arange(int(seconds * rate)) / rate)


@pytest.mark.parametrize("rate", [8000, 16000, 32000, 44100, 48000])
def test_any_sample_rate_becomes_16_khz(tmp_path: Path, rate: int) -> None:
    soundfile.write(tmp_path / "a.wav", tone(1.0, rate), rate, subtype="FLOAT")
    samples = read_audio(tmp_path / "a.wav", RATE)
    assert samples.dtype == np.float32
    assert abs(len(samples) - RATE) <= 1
    middle = slice(2000, 14000)
    assert np.abs(samples[middle] - tone(1.0, RATE)[middle]).max() < 2e-3


def test_channels_are_averaged(tmp_path: Path) -> None:
    stereo = np.stack([tone(1.0, 8000), np.zeros(8000)], axis=1)
    soundfile.write(tmp_path / "a.wav", stereo, 8000)
    samples = read_audio(tmp_path / "a.wav", RATE)
    assert abs(len(samples) - RATE) <= 1
    assert np.abs(samples[2000:14000] - 0.5 * tone(1.0, RATE)[2000:14000]).max() < 2e-3


@pytest.mark.parametrize(
    ("suffix", "tolerance"), [("wav", 1e-4), ("flac", 1e-4), ("ogg", 0.05), ("mp3", 0.05)]
)
def test_formats(tmp_path: Path, suffix: str, tolerance: float) -> None:
    soundfile.write(tmp_path / f"a.{suffix}", tone(2.0, RATE), RATE)
    samples = read_audio(tmp_path / f"a.{suffix}", RATE)
    assert abs(len(samples) - 2 * RATE) < 2000
    root = np.sqrt(np.mean(np.square(samples[4000:-4000])))
    assert root == pytest.approx(0.5 / np.sqrt(2), abs=tolerance)


@pytest.mark.parametrize("block_s", [0.001, 0.37, 2.0])
def test_blocks_do_not_change_the_samples(real_clips: list[Path], block_s: float) -> None:
    for clip in (real_clips[0], real_clips[20]):
        whole = read_audio(clip, RATE)
        blocks = list(read_blocks(clip, RATE, block_s))
        assert np.allclose(np.concatenate(blocks), whole, rtol=0, atol=1e-6)  # soxr rounds
        assert max(map(len, blocks)) <= block_s * RATE + 2000
        duration_s = soundfile.info(clip).duration
        assert len(whole) == pytest.approx(duration_s * RATE, abs=RATE * 0.06)


def test_a_block_that_ends_with_the_file(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", tone(1.0, RATE), RATE)
    blocks = list(read_blocks(tmp_path / "a.wav", RATE, 0.5))
    assert list(map(len, blocks)) == [8000, 8000]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_samples_that_are_not_finite_are_refused(tmp_path: Path, value: float) -> None:
    samples = tone(1.0, RATE)
    samples[12345] = value
    soundfile.write(tmp_path / "a.wav", samples, RATE, subtype="FLOAT")
    with pytest.raises(AudioError, match=r"a.wav: holds samples that are not finite"):
        read_audio(tmp_path / "a.wav", RATE)


def test_files_that_are_no_audio_are_refused(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match=r"absent.wav: no such file"):
        read_audio(tmp_path / "absent.wav", RATE)
    with pytest.raises(AudioError, match="is a folder; expected an audio file"):
        read_audio(tmp_path, RATE)
    for suffix in ("wav", "mp3", "flac", "ogg", "raw", "txt"):
        path = tmp_path / f"a.{suffix}"
        path.touch()
        with pytest.raises(AudioError, match=rf"a.{suffix}: the file is empty \(0 bytes\)"):
            read_audio(path, RATE)
        path.write_text("This is not speech. " * 200)
        with pytest.raises(AudioError, match=rf"a.{suffix}: cannot be decoded \(.+\)"):
            read_audio(path, RATE)
        path.write_bytes(os.urandom(100))
        with pytest.raises(AudioError, match=rf"a.{suffix}: cannot be decoded"):
            read_audio(path, RATE)


def test_a_header_without_samples_gives_none(tmp_path: Path) -> None:
    for rate in (RATE, 48000):
        soundfile.write(tmp_path / "a.wav", np.zeros(0), rate)
        assert read_audio(tmp_path / "a.wav", RATE).shape == (0,)
