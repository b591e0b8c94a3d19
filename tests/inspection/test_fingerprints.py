"""Tests of langid/inspection/fingerprints.py, on real speech."""

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile

from langid.audio.decode import read_audio
from langid.inspection.fingerprints import fingerprint, near_pairs

RATE = 16000


@pytest.fixture(scope="module")
def speech(real_clips: list[Path]) -> list[np.ndarray]:
    """Return the samples of 18 clips, six of each language."""
    return [read_audio(path, RATE) for path in real_clips[::2]]


def changed(clip: np.ndarray) -> dict[str, np.ndarray]:
    """Return the clip as others would have it."""
    soundfile.write(coded := io.BytesIO(), clip, RATE, format="MP3")
    coded.seek(0)
    noise = np.random.default_rng(0).standard_normal(len(clip)) * np.abs(clip).max() / 300
    return {
        "softer": clip * 0.2,
        "in another codec": soundfile.read(coded, dtype="float32")[0],
        "with noise": (clip + noise).astype(np.float32),
        "cut at both ends": clip[RATE // 3 + 77 : -RATE // 2],
        "behind silence": np.concatenate([np.zeros(RATE * 2 // 3, np.float32), clip]),
    }


def test_copies_are_found_whatever_was_done_to_them(speech: list[np.ndarray]) -> None:
    prints = [fingerprint(clip, RATE) for clip in speech]
    for name, copy in changed(speech[3]).items():
        pairs = near_pairs([*prints, fingerprint(copy.astype(np.float32), RATE)])
        assert [pair[:2] for pair in pairs] == [(3, len(speech))], name


def test_no_two_clips_are_alike_and_silence_is_like_nothing(speech: list[np.ndarray]) -> None:
    silence, short = np.zeros(RATE * 3, np.float32), speech[0][: RATE // 2]
    assert near_pairs([fingerprint(clip, RATE) for clip in [*speech, silence, silence]]) == []
    assert near_pairs([fingerprint(short, RATE)] * 2) == []  # too short to tell
