"""The sounds that speech detectors are measured on: what is known of them is so."""

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from langid.audio.decode import read_audio
from langid.signal.acoustics.sound import power

from .conftest import BENCHMARKS


@pytest.fixture
def noisy_speech(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("noisy_speech")


@pytest.fixture
def clips(noisy_speech: Any, real_clips: list[Path]) -> list[Any]:
    """Return the clean ones of some real clips, with pauses."""
    draws, made = np.random.default_rng(0), []
    for number, path in enumerate(real_clips[::3]):
        spoken = noisy_speech.with_pauses(read_audio(path, 16000), str(number // 4), draws)
        if spoken is not None:
            made.append(spoken)
    return made


def test_half_of_a_sound_is_pauses_of_low_room_noise(noisy_speech: Any, clips: list[Any]) -> None:
    assert len(clips) > 3
    for clip in clips:
        hops = clip.sound.samples.reshape(-1, noisy_speech.HOP)
        assert len(hops) == len(clip.paused) == len(clip.sound.speech)
        assert clip.paused.mean() == pytest.approx(0.5, abs=0.02)
        assert not (clip.paused & clip.sound.speech).any()
        edges = np.flatnonzero(np.diff(clip.paused.astype(int)))
        assert len(edges) == 4 and clip.paused[0] and clip.paused[-1]  # before, within, behind
        room = 10 * np.log10(clip.sound.speech_power / power(hops[clip.paused]))
        assert room == pytest.approx(noisy_speech.ROOM_DB, abs=3) and hops[clip.paused].any()
        assert power(hops[clip.sound.speech]) > 300 * power(hops[clip.paused])


def test_noise_is_so_far_below_the_speech(noisy_speech: Any, clips: list[Any]) -> None:
    draws = np.random.default_rng(0)
    heard = list(noisy_speech.conditions([clips[0], clips[-1]], [10, 0], draws))
    names = [name for name, _ in heard]
    assert names[:9] == names[9:] and set(names) == {
        "clean", *(f"{kind} {db}" for kind in noisy_speech.KINDS for db in (10, 0))
    }  # fmt: skip
    for name, spoken in heard[:9]:
        added = spoken.sound.samples - clips[0].sound.samples
        if name != "clean":
            snr_db = 10 * np.log10(clips[0].sound.speech_power / power(added))
            assert snr_db == pytest.approx(int(name.split()[1]), abs=0.1)
        assert np.array_equal(spoken.sound.speech, clips[0].sound.speech)


def test_a_clip_that_is_not_clean_is_left_out(noisy_speech: Any, clips: list[Any]) -> None:
    noise = 0.01 * np.random.default_rng(0).standard_normal(len(clips[0].sound.samples))
    loud = (clips[0].sound.samples + noise).astype(np.float32)
    assert noisy_speech.with_pauses(loud, "x", np.random.default_rng(0)) is None
