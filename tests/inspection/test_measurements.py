"""Tests of langid/inspection/measurements.py."""

import numpy as np
import pytest
from scipy.signal import butter, sosfiltfilt

from langid.inspection.measurements import BANDS, RATE, band_edges, measure
from langid.signal.features import LogMel

SPEECH = np.arange(300) >= 100  # frames of 10 ms: a second of silence, then two of speech


def sound(noise: float = 1e-4) -> np.ndarray:
    """Return three seconds of ``noise`` with a louder one behind the first."""
    random = np.random.default_rng(0).standard_normal(3 * RATE) * noise
    random[RATE:] *= 0.1 / noise
    return random.astype(np.float32)


def test_levels_are_those_of_speech_and_of_the_quietest_frames() -> None:
    found = measure(sound(1e-3), SPEECH)
    assert found.loudness_db == pytest.approx(-20, abs=0.2)
    assert found.noise_floor_db == pytest.approx(-60, abs=1.5)
    assert found.leading_silence_s == 1.0
    assert found.end_db == pytest.approx(0, abs=1)
    assert found.quiet.shape == (2 * BANDS,)


def test_without_speech_all_is_heard() -> None:
    found = measure(sound(), np.zeros(300, bool))
    assert found.leading_silence_s == 3.0
    assert found.loudness_db == pytest.approx(-20 + 10 * np.log10(2 / 3), abs=0.2)


@pytest.mark.parametrize("hertz", [2000, 3400, 7000])
def test_a_low_pass_is_the_bandwidth(hertz: int) -> None:
    filtered = sosfiltfilt(butter(8, hertz, fs=RATE, output="sos"), sound()).astype(np.float32)
    assert hertz < measure(filtered, SPEECH).bandwidth_hz < hertz * 1.7
    assert measure(sound(), SPEECH).bandwidth_hz == RATE / 2


def test_clipping_flattens_the_peaks(clips: list[np.ndarray]) -> None:
    for clip in clips[:5]:
        speech = np.ones(len(clip) // 160, bool)
        assert measure(clip, speech).flat_share < 0.001
        cut = np.clip(clip, *np.abs(clip).max() * np.array([-0.3, 0.3], np.float32))
        assert measure(cut, speech).flat_share > 0.002


def test_edges_are_those_of_the_mel_filters() -> None:
    filters = LogMel(RATE, n_mels=BANDS).filters.numpy()
    peaks = (filters.argmax(0) + 1) * RATE / 512
    assert np.abs(peaks - band_edges()[1:-1]).max() <= RATE / 512
