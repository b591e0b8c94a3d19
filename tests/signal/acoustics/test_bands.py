"""Tests of langid/signal/acoustics/bands.py, by the spectra of what comes out."""

import numpy as np
import pytest

from langid.signal.acoustics.bands import Band, Equaliser
from langid.signal.acoustics.sound import Sound

from .conftest import HOP, RATE


@pytest.fixture
def white() -> Sound:
    samples = np.random.default_rng(0).standard_normal(4 * RATE).astype(np.float32) / 10
    return Sound(samples, np.ones(len(samples) // HOP, bool), RATE)


def change_db(before: Sound, after: Sound) -> tuple[np.ndarray, np.ndarray]:
    """Return frequencies, and by how much they were lifted."""
    powers = [np.abs(np.fft.rfft(each.samples)) ** 2 for each in (before, after)]
    smooth = [np.convolve(each, np.ones(81) / 81, "same") for each in powers]
    return np.fft.rfftfreq(len(before.samples), 1 / RATE), 10 * np.log10(smooth[1] / smooth[0])


def test_a_telephone_passes_its_band_alone(white: Sound) -> None:
    band = Band(1, {"telephone": 1}, [4000, 4000])
    changed, told = band(white, np.random.default_rng(0))
    hz, db = change_db(white, changed)
    assert told == {"kind": "telephone", "hz": "300 to 3400"}
    assert np.abs(db[(hz > 350) & (hz < 3300)]).max() < 0.5
    assert db[(hz < 200) | (hz > 4000)].max() < -40


def test_a_low_pass_passes_what_is_below_a_drawn_frequency(white: Sound) -> None:
    drawn = []
    for seed in range(6):
        band = Band(1, {"low_pass": 1}, [2000, 6000])
        changed, told = band(white, np.random.default_rng(seed))
        cutoff = float(told["hz"].split()[-1])
        hz, db = change_db(white, changed)
        assert np.abs(db[hz < cutoff * 0.95]).max() < 0.5
        assert db[hz > cutoff * 1.2].max() < -45
        drawn.append(cutoff)
    assert 2000 <= min(drawn) < 3000 < max(drawn) <= 6000


def test_an_equaliser_is_a_smooth_curve_within_its_range(white: Sound) -> None:
    changed, told = Equaliser(1, 9)(white, np.random.default_rng(3))
    hz, db = change_db(white, changed)
    gains = [float(gain) for gain in told["db"].split()]
    points = np.geomspace(60, RATE / 2, len(gains))
    expected = np.interp(np.log(hz.clip(min=1)), np.log(points), gains)
    heard = (hz > 100) & (hz < 7900)
    assert np.abs(db - expected)[heard].max() < 1.5 and db[heard].max() > 3 and db[heard].min() < -3


def test_nothing_is_moved_in_time_and_no_end_reaches_the_beginning(sound: Sound) -> None:
    samples = np.zeros_like(sound.samples)
    samples[len(samples) // 2], samples[-1] = 0.5, 0.5
    click = Sound(samples, sound.speech, RATE)
    for transform in (Equaliser(1, 9), Band(1, {"low_pass": 1}, [3000, 3000])):
        changed, _ = transform(click, np.random.default_rng(0))
        assert np.abs(changed.samples[: len(samples) // 2 + 100]).argmax() == len(samples) // 2
        assert np.abs(changed.samples[:100]).max() < 1e-3
