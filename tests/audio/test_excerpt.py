"""Parts of long recordings, as they are heard in whole ones."""

import math
from pathlib import Path

import numpy as np
import pytest
import soundfile

from langid.audio.decode import AudioError, read_audio, read_blocks
from langid.audio.excerpt import Excerpt

KINDS = {"wav": "PCM_16", "flac": "PCM_16", "mp3": None, "ogg": "VORBIS", "aiff": "PCM_16"}
RATE = 16000


@pytest.fixture(scope="module")
def long_speech(real_clips: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with half a minute of real speech in several formats, at 48 kHz."""
    folder = tmp_path_factory.mktemp("long")
    samples = np.concatenate([read_audio(clip, 48000) for clip in real_clips[:9]])[: 48000 * 30]
    for suffix, subtype in KINDS.items():
        with soundfile.SoundFile(folder / f"a.{suffix}", "w", 48000, 1, subtype) as file:
            for start in range(0, len(samples), 48000):  # Vorbis does not bear more at once
                file.write(samples[start : start + 48000])
    return folder


@pytest.mark.parametrize("suffix", KINDS)
def test_an_excerpt_is_that_part_of_its_file(long_speech: Path, suffix: str) -> None:
    path = long_speech / f"a.{suffix}"
    whole = read_audio(path, 48000)
    for start_s, end_s in ((0, 2.5), (7.0125, 19.4), (21.25, math.inf)):
        start, end = (round(min(place, 1e3) * 48000) for place in (start_s, end_s))
        for block_s in (0.7, 20.0):
            blocks = list(read_blocks(Excerpt(path, start_s, end_s), 48000, block_s))
            assert np.allclose(np.concatenate(blocks), whole[start:end], atol=1e-6)
        heard = read_audio(Excerpt(path, start_s, end_s), RATE)  # resampled on its own
        expected = read_audio(path, RATE)[round(start / 3) : round(end / 3)]
        assert np.allclose(heard[200:-200], expected[200 : len(heard) - 200], atol=1e-3)


def test_an_excerpt_of_recordings_that_were_joined(long_speech: Path) -> None:
    joined = long_speech / "joined.mp3"
    one = (long_speech / "a.mp3").read_bytes()
    joined.write_bytes(one + b"\0" * 100 + one)
    whole = read_audio(joined, 48000)
    for start_s, end_s in ((28.0, 31.5), (40.0, 42.0)):
        heard = read_audio(Excerpt(joined, start_s, end_s), 48000)
        assert len(heard) == round((end_s - start_s) * 48000)
        start = round(start_s * 48000)
        assert np.allclose(heard, whole[start : start + len(heard)], atol=1e-5)


def test_the_end_of_a_file_may_be_rounded_and_no_more(long_speech: Path) -> None:
    for suffix in KINDS:
        path = long_speech / f"a.{suffix}"
        assert 1.9 < len(read_audio(Excerpt(path, 28.0, 30.05), RATE)) / RATE < 2.1
        with pytest.raises(AudioError, match=r"ends at 30.* s, before its part from 20 s to 45 s"):
            read_audio(Excerpt(path, 20.0, 45.0), RATE)
        for end_s in (45.0, math.inf):
            with pytest.raises(AudioError, match=r"ends at 30.* s, before its part from 40 s to"):
                read_audio(Excerpt(path, 40.0, end_s), RATE)
