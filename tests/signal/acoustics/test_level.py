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
