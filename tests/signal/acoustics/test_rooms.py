"""Tests of langid/signal/acoustics/rooms.py."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from langid.signal.acoustics.rooms import Room, drawn_response, image_response
from langid.signal.acoustics.sound import Sound, power

from .conftest import RATE


def t60_of(response: np.ndarray) -> float:
    """Return the time of a fall by 60 dB, by Schroeder's backward integration from 5 to 25 dB."""
    left = 10 * np.log10(np.cumsum(response[::-1] ** 2)[::-1] / np.sum(response**2))
    first, last = np.argmax(left < -5), np.argmax(left < -25)
    return float(3 * (last - first) / RATE)


@pytest.mark.parametrize("t60_s", [0.2, 0.4, 0.7])
def test_the_echo_falls_in_the_time_that_is_asked_for(t60_s: float) -> None:
    places = (np.array([5.0, 4.0, 3.0]), np.array([1.2, 1.5, 1.4]), np.array([3.1, 2.2, 1.2]))
    response = image_response(*places, t60_s, RATE, np.random.default_rng(0))
    assert t60_of(response) == pytest.approx(t60_s, rel=0.25)


def test_the_first_echoes_are_where_mirrors_put_them() -> None:
    """In the middle of a wide hall the first echo is that of the floor, and of the ceiling."""
    room, mouth, ear = (np.array(of) for of in ([30.0, 30, 3], [14.0, 15, 1.5], [16.0, 15, 1.5]))
    response = image_response(room, mouth, ear, 0.8, RATE, np.random.default_rng(0))
    direct, echo = 2.0, np.sqrt(2.0**2 + 3.0**2)
    near = round((echo - direct) / 343 * RATE)
    assert np.abs(response[1 : near - 4]).max() < 0.1 * response[0]
    assert np.abs(response[near - 3 : near + 4]).max() > 0.4 * response[0] * direct / echo


def test_every_drawn_room_has_the_direct_sound_first() -> None:
    found = [drawn_response(number, (0.15, 0.7), (0.4, 3.0), RATE) for number in range(24)]
    for response, told in found:
        assert np.isfinite(response).all() and response[0] > 0
        assert 0.15 <= told["t60_s"] <= 0.7 and told["distance_m"] <= 3.1
    assert len({told["m"] for _, told in found}) == 24


def test_the_mouth_is_as_far_away_as_is_asked_where_the_room_is_that_large() -> None:
    told = [drawn_response(number, (0.2, 0.2), (1.0, 1.2), RATE)[1] for number in range(64)]
    assert all(1.0 <= of["distance_m"] <= 1.2 for of in told)
    response, told_of = drawn_response(0, (0.2, 0.2), (9.0, 10.0), RATE)
    assert response[0] > 0 and 1 < told_of["distance_m"] < 9


def test_a_room_neither_moves_a_sound_nor_makes_it_louder(sound: Sound) -> None:
    for seed in range(4):
        there, _ = Room(1, [0.3, 0.5], [0.4, 1])(sound, np.random.default_rng(seed))
        assert power(there.samples) == pytest.approx(power(sound.samples), rel=1e-3)
        assert len(there.samples) == len(sound.samples)
        spectra = [np.fft.rfft(each.samples, 2**18) for each in (there, sound)]
        whitened = np.fft.irfft(spectra[0] * spectra[1].conj() / (np.abs(spectra[1]) ** 2 + 1e-3))
        assert whitened.argmax() in range(3)


def test_responses_of_a_folder_are_taken_instead(sound: Sound, tmp_path: Path) -> None:
    response = np.zeros(3000)
    response[0], response[2500] = 0.5, 0.25
    soundfile.write(tmp_path / "cave.wav", response, RATE)
    there, told = Room(1, [0.3, 0.5], [1, 2], str(tmp_path))(sound, np.random.default_rng(0))
    assert told == {"of": "cave.wav"}
    echo = sound.samples + 0.5 * np.pad(sound.samples, (2500, 0))[: len(sound.samples)]
    assert np.corrcoef(there.samples, echo)[0, 1] > 0.999
