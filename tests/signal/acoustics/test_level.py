"""Tests of langid/signal/acoustics/level.py."""

import numpy as np
import pytest

from langid.signal.acoustics.level import Clipping, Gain
from langid.signal.acoustics.sound import Sound


def test_gain_is_drawn_between_its_ends_up_to_full_scale(sound: Sound) -> None:
    draws, peak = np.random.default_rng(0), np.abs(sound.samples).max()
    found = []
    for _ in range(50):
        louder, told = Gain(1, [-20, 40])(sound, draws)
        factor = np.abs(louder.samples).max() / peak
        assert 20 * np.log10(factor) == pytest.approx(told["db"], abs=0.06)
        assert np.allclose(louder.samples, sound.samples * factor, atol=1e-6)
        found.append(told["db"])
    most = -20 * np.log10(peak)
    assert -20 <= min(found) < -12 and max(found) == pytest.approx(most, abs=0.06)


def test_clipping_cuts_off_a_share(sound: Sound) -> None:
    clipped, told = Clipping(1, [0.02, 0.02])(sound, np.random.default_rng(0))
    level = np.abs(clipped.samples).max()
    assert (np.abs(clipped.samples) == level).mean() == pytest.approx(0.02, abs=0.002)
    inside = np.abs(sound.samples) < level
    assert np.array_equal(clipped.samples[inside], sound.samples[inside])
    assert told["at"] == pytest.approx(level, abs=1e-4)


def test_clipping_hears_what_stands_between_digital_silence(sound: Sound, silence: Sound) -> None:
    half = sound.samples * (np.arange(len(sound.samples)) % 5 < 2)
    clip = Clipping(1, [0.48, 0.48])
    clipped, _ = clip(sound.with_samples(half), np.random.default_rng(0))
    touched = (clipped.samples != half)[half != 0].mean()
    assert touched == pytest.approx(0.48, abs=0.01) and clipped.samples.any()
    assert clip(silence, np.random.default_rng(0))[0] is silence
