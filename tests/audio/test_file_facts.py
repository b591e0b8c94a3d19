"""Tests of langid/audio/file_facts.py."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from langid.audio.file_facts import FileFacts, file_facts

RATE = 8000
SOUND = np.random.default_rng(0).standard_normal(RATE) / 10


def test_a_real_clip(real_clips: list[Path]) -> None:
    assert file_facts(real_clips[0]) == FileFacts("MP3 MPEG_LAYER_III", 48000, 1, False, False)


@pytest.mark.parametrize(("second", "opposite"), [(-SOUND, True), (SOUND, False), (0, False)])
def test_channels_that_cancel(second: np.ndarray, opposite: bool, tmp_path: Path) -> None:
    channels = np.stack(np.broadcast_arrays(SOUND, second), axis=1)
    soundfile.write(tmp_path / "a.flac", channels, RATE)
    assert file_facts(tmp_path / "a.flac") == FileFacts("FLAC PCM_16", RATE, 2, opposite, False)


def test_a_file_that_is_shorter_than_its_header_says(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, SOUND, RATE)
    whole = path.read_bytes()
    assert not file_facts(path).cut
    path.write_bytes(whole[:-1000])
    assert file_facts(path).cut
    path.write_bytes(whole[:4] + b"\xff\xff\xff\xff" + whole[8:])  # of a program that wrote a pipe
    assert not file_facts(path).cut


def test_what_cannot_be_opened_has_no_codec(tmp_path: Path) -> None:
    (tmp_path / "a.mp3").write_text("no sound")
    assert file_facts(tmp_path / "a.mp3") == file_facts(tmp_path / "gone.wav") == FileFacts()
