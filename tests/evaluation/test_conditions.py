"""Tests of langid/evaluation/conditions.py: each does what it says to a real clip."""

from pathlib import Path

import numpy as np
import pytest

from langid.data.store import Store
from langid.evaluation.conditions import (
    COLOURS,
    CONDITIONS,
    SNRS_DB,
    SPEECHLESS,
    SPEECHLESS_CLIPS,
    ChangedUtterances,
    WithoutSpeech,
)
from langid.signal.acoustics.sound import Sound, power

RATE = 16000


@pytest.fixture(scope="module")
def store(samples_path: Path) -> Store:
    return Store(samples_path)


@pytest.fixture(scope="module")
def clean(store: Store) -> Sound:
    """Return the second utterance as it is."""
    return ChangedUtterances(store, [1], "20 dB softer")._sound(1)


def changed(store: Store, name: str, row: int = 1) -> np.ndarray:
    return np.asarray(ChangedUtterances(store, [row], name)[0][1])


def parts(heard: np.ndarray, clean: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return what of a sound is the clean one, as loud as it is there, and what is added to it."""
    share = heard.dot(clean) / clean.dot(clean) * clean
    return share, heard - share


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("snr_db", SNRS_DB)
def test_noise_of_a_colour_is_so_far_below_speech(
    colour: str, snr_db: int, store: Store, clean: Sound
) -> None:
    share, noise = parts(changed(store, f"{colour} noise at {snr_db} dB"), clean.samples)
    speech = share.reshape(len(clean.speech), -1)[clean.speech]
    assert 10 * np.log10(power(speech) / power(noise)) == pytest.approx(snr_db, abs=0.5)
    low, high = np.split(np.abs(np.fft.rfft(noise)) ** 2, [len(noise) // 4])
    assert (low.sum() / high.sum() > 5) == (colour == "pink")


def test_a_telephone_passes_its_band_alone(store: Store, clean: Sound) -> None:
    before, after = (
        np.abs(np.fft.rfft(of)) ** 2 for of in (clean.samples, changed(store, "telephone band"))
    )
    hz = np.fft.rfftfreq(len(clean.samples), 1 / RATE)
    within, beyond = (hz > 350) & (hz < 3300), hz > 4000
    assert after[within].sum() == pytest.approx(before[within].sum(), rel=0.01)
    assert after[beyond].sum() < 1e-5 * before[beyond].sum()


def test_levels_are_moved_and_cut_off_at_full_scale(store: Store, clean: Sound) -> None:
    assert np.allclose(changed(store, "20 dB softer"), 0.1 * clean.samples, atol=1e-6)
    louder = changed(store, "20 dB louder, cut off at full scale")
    assert np.allclose(louder, (10 * clean.samples).clip(-1, 1), atol=1e-5)
    assert 10 * np.abs(clean.samples).max() > 1  # so that some is cut off


def test_clipped_samples_are_one_in_twenty(store: Store) -> None:
    sizes = np.abs(changed(store, "5 % of the samples clipped"))
    assert (sizes >= sizes.max() - 1e-6).mean() == pytest.approx(0.05, abs=0.005)


def test_silence_comes_before_all_of_it(store: Store, clean: Sound) -> None:
    heard = changed(store, "1 s of silence before it")
    assert not heard[:RATE].any() and np.array_equal(heard[RATE:], clean.samples)


def test_rooms_and_codecs_are_those_that_are_named(store: Store, clean: Sound) -> None:
    for name, transform, expected in (
        ("MP3 at 16 kbit/s", "codec", {"kind": "mp3", "kbit_s": 16}),
        ("reverberation of 0.5 s", "room", {"t60_s": 0.5}),
    ):
        of = ChangedUtterances(store, [1], name)
        heard, told = of.change(clean, np.random.default_rng(0))
        assert expected.items() <= told[transform].items()
        assert not np.allclose(heard.samples, clean.samples, atol=0.01)


def test_draws_are_those_of_the_utterance_and_the_condition(store: Store, store_path: Path) -> None:
    name = "white noise at 10 dB"
    assert np.array_equal(changed(store, name), changed(store, name))
    of_features = changed(Store(store_path), name)  # decoded again, not rounded to 16 bits before
    assert np.allclose(of_features, changed(store, name), atol=1e-3)
    noises = [
        parts(changed(store, of, row), ChangedUtterances(store, [row], of)._sound(row).samples)[1]
        for of, row in ((name, 1), (name, 2), ("white noise at 5 dB", 1))
    ]
    shortest = min(map(len, noises))
    for other in noises[1:]:
        assert abs(np.corrcoef(noises[0][:shortest], other[:shortest])[0, 1]) < 0.1


def test_every_condition_leaves_finite_samples_in_whole_hops(store: Store) -> None:
    for name in CONDITIONS:
        heard = changed(store, name)
        assert np.isfinite(heard).all() and np.abs(heard).max() <= 1
        assert len(heard) % store.description["hop_samples"] == 0


def test_sounds_without_speech_differ_and_are_the_same_again() -> None:
    sounds = WithoutSpeech(RATE)
    assert len(sounds) == SPEECHLESS_CLIPS * len(SPEECHLESS)
    for number, kind in enumerate(SPEECHLESS):
        (row, first), (_, second) = (sounds[SPEECHLESS_CLIPS * number + of] for of in (0, 1))
        assert row["recording"] == kind and not row["language"] and len(first) == 5 * RATE
        assert np.abs(first).max() <= 1
        assert np.array_equal(first, sounds[SPEECHLESS_CLIPS * number][1])
        assert np.array_equal(first, second) == (kind == "digital silence")
