"""Tests of langid/signal/acoustics/timing.py: lengths, pitch, and marks of speech that follow."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from langid.signal.acoustics.sound import Sound, Transform
from langid.signal.acoustics.timing import LeadingSilence, Shift, Speed, Tempo

from .conftest import HOP, RATE, Marks


def tone(hz: float) -> Sound:
    samples = np.sin(2 * np.pi * hz * np.arange(RATE) / RATE).astype(np.float32) / 2
    return Sound(samples, np.ones(RATE // HOP, bool), RATE)


def pitch_of(sound: Sound) -> float:
    middle = sound.samples[2000:12000] * np.hanning(10000)
    return float(np.abs(np.fft.rfft(middle)).argmax() * RATE / 10000)


@pytest.mark.parametrize("factor", [0.8, 0.9, 1.1, 1.25])
def test_speed_moves_pitch_and_tempo_does_not(factor: float) -> None:
    for kind, pitch in ((Speed, 400 * factor), (Tempo, 400)):
        changed, told = kind(1, [factor, factor])(tone(400), np.random.default_rng(0))
        assert told == {"factor": factor}
        assert len(changed.samples) == pytest.approx(RATE / factor, abs=HOP)
        assert pitch_of(changed) == pytest.approx(pitch, abs=2)
        level = np.sqrt(np.mean(changed.samples[1000:-1000] ** 2))
        assert level == pytest.approx(0.5 / np.sqrt(2), rel=0.05)


@pytest.mark.parametrize(
    ("kind", "drawn"),
    [(Speed, [0.8, 0.8]), (Speed, [1.25, 1.25]), (Tempo, [0.8, 0.8]), (Tempo, [1.25, 1.25]),
     (Shift, [0.3, 0.3]), (Shift, [0.004, 0.006]), (LeadingSilence, [0.7, 0.7])],
)  # fmt: skip
def test_marks_are_those_of_the_changed_sound(
    kind: type[Transform], drawn: list[float], sound: Sound, marks: Marks
) -> None:
    """The detector, asked again, finds the same speech, but for its own delay at other paces."""
    arguments: Any = (1, drawn)
    changed, _ = kind(*arguments)(sound, np.random.default_rng(0))
    assert 0.1 < sound.speech.mean() < 0.95
    found = marks(changed.samples)
    assert (found == changed.speech).mean() > 0.93
    if kind is not LeadingSilence:
        unmoved = np.resize(sound.speech, len(found))
        if drawn[0] > 0.1:
            assert (found == unmoved).mean() < (found == changed.speech).mean() - 0.03


def test_no_speech_is_lost_to_rounding() -> None:
    speech = np.zeros(100, bool)
    speech[[0, 37, 99]] = True
    short = Sound(np.zeros(100 * HOP, np.float32), speech, RATE)
    for factor in np.linspace(0.5, 2, 31).tolist():
        changed, _ = Speed(1, [factor, factor])(short, np.random.default_rng(0))
        assert changed.speech.sum() >= 3


def test_leading_silence_is_digital_and_whole_hops(sound: Sound) -> None:
    changed, told = LeadingSilence(1, [0.5, 0.5])(sound, np.random.default_rng(0))
    assert told == {"seconds": 0.5}
    assert not changed.samples[:8000].any() and not changed.speech[:50].any()
    assert np.array_equal(changed.samples[8000:], sound.samples)
    assert np.array_equal(changed.speech[50:], sound.speech)


def test_a_shift_cuts_off_the_beginning_and_leaves_speech(sound: Sound) -> None:
    changed, told = Shift(1, [0.1, 0.1])(sound, np.random.default_rng(0))
    assert told == {"seconds": 0.1}
    assert np.array_equal(changed.samples, sound.samples[1600:])
    speech = np.zeros_like(sound.speech)
    speech[3] = True
    early = Sound(sound.samples, speech, RATE)
    changed, _ = Shift(1, [5, 5])(early, np.random.default_rng(0))
    assert changed.speech[0] and np.array_equal(changed.samples, sound.samples[3 * HOP :])


def test_hops_tell_where_they_come_from() -> None:
    sound = replace(tone(400), origin=np.arange(100))

    def origin(kind: Any, drawn: float) -> list[int]:
        changed, _ = kind(1, [drawn, drawn])(sound, np.random.default_rng(0))
        assert changed.origin is not None and len(changed.origin) == len(changed.speech)
        return [int(place) for place in changed.origin]

    assert origin(Speed, 1.25)[::20] == [0, 25, 50, 75]
    assert origin(Tempo, 0.8)[::25] == [0, 20, 40, 60, 80]
    assert origin(LeadingSilence, 0.05) == [0] * 5 + list(range(100))
    assert origin(Shift, 0.3) == list(range(30, 100))
    assert LeadingSilence(1, [1, 1])(tone(400), np.random.default_rng(0))[0].origin is None
