"""Tests of langid/signal/acoustics/music.py."""

import numpy as np
import pytest

from langid.signal.acoustics.music import synthetic_music


@pytest.mark.parametrize("rate", [8000, 16000])
def test_music_has_tones_of_chords_and_beats_at_any_rate(rate: int) -> None:
    music = synthetic_music(5 * rate, rate, np.random.default_rng(0))
    assert music.shape == (5 * rate,) and music.dtype == np.float32
    spectrum = np.abs(np.fft.rfft(music))[: 5 * 1000] ** 2  # up to 1 kHz, in steps of 0.2 Hz
    assert np.sort(spectrum)[-100:].sum() > 0.5 * spectrum.sum()
    assert not np.array_equal(music, synthetic_music(5 * rate, rate, np.random.default_rng(1)))
