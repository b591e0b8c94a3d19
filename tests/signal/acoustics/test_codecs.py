"""Tests of langid/signal/acoustics/codecs.py, all by libsndfile."""

import numpy as np
import pytest

from langid.signal.acoustics.codecs import RATES, Codec, coded
from langid.signal.acoustics.sound import Refused, Sound
from langid.signal.acoustics.timing import resampled

from .conftest import RATE

CASES = [
    (kind, rate, kbit_s)
    for kind, (rates, bits) in RATES.items()
    for rate in rates
    for kbit_s in bits
]


@pytest.mark.parametrize(("kind", "rate", "kbit_s"), CASES)
def test_what_was_coded_is_like_it_and_where_it_was(
    kind: str, rate: int, kbit_s: int, sound: Sound
) -> None:
    samples = resampled(sound.samples[: 2 * RATE], RATE, rate)
    heard = coded(samples, rate, kind, kbit_s)
    assert heard.shape == samples.shape and not np.array_equal(heard, samples)
    spectra = [np.fft.rfft(each, 2 * len(samples)) for each in (heard, samples)]
    likeness = np.fft.irfft(spectra[0] * spectra[1].conj())
    likeness /= np.linalg.norm(heard) * np.linalg.norm(samples)
    place = int(likeness.argmax())
    moved = min(place, 2 * len(samples) - place) / rate
    assert moved < 0.002
    assert likeness.max() > (0.6 if kbit_s <= 8 else 0.8)


def test_more_bits_are_closer(sound: Sound) -> None:
    for kind, (rates, bits) in RATES.items():
        if len(bits) > 2:
            samples = resampled(sound.samples, RATE, rates[-1])
            errors = [
                np.std(coded(samples, rates[-1], kind, kbit_s) - samples)
                for kbit_s in (bits[0], bits[-1])
            ]
            assert errors[0] > 1.5 * errors[1], kind


def test_kinds_and_rates_are_drawn(sound: Sound) -> None:
    short = Sound(sound.samples[:3200], sound.speech[:20], RATE)
    draws, codec = np.random.default_rng(0), Codec(1, {"mp3": 1, "gsm": 1, "mulaw": 2})
    found = [codec(short, draws)[1] for _ in range(60)]
    assert {told["kind"] for told in found} == {"mp3", "gsm", "mulaw"}
    assert {told["hz"] for told in found if told["kind"] == "mp3"} == {8000, 11025, 16000}
    assert len({told["kbit_s"] for told in found if told["kind"] == "mp3"}) > 3


def test_rates_of_bits_can_be_chosen(sound: Sound) -> None:
    short = Sound(sound.samples[:3200], sound.speech[:20], RATE)
    draws, codec = np.random.default_rng(0), Codec(1, {"mp3": 1}, kbit_s=[16])
    assert {codec(short, draws)[1]["kbit_s"] for _ in range(10)} == {16}
    for wrong in ([17], []):
        with pytest.raises(Refused, match=r"accepted are lists of those of mp3, 8, 16"):
            Codec(1, {"mp3": 1}, kbit_s=wrong)
