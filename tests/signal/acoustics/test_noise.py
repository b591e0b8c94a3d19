"""Tests of langid/signal/acoustics/noise.py: ratios and colours as measured."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from langid.errors import LangidError
from langid.signal.acoustics.chain import Acoustics
from langid.signal.acoustics.noise import COLOURS, Noise, _loop
from langid.signal.acoustics.sound import Sound, power

from .conftest import HOP, RATE


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    noise = np.random.default_rng(0).standard_normal((8000, 2)) / 20
    (tmp_path / "free").mkdir()
    soundfile.write(tmp_path / "free" / "hum.wav", noise, 8000)
    soundfile.write(tmp_path / "hiss.flac", noise, 44100)
    (tmp_path / "ANNOTATIONS").write_text("text")
    return tmp_path


def others(sound: Sound) -> Sound:
    def voice(count: int, draws: np.random.Generator) -> np.ndarray:
        return np.resize(np.roll(sound.samples, draws.integers(1000)), count)

    return replace(sound, others={"pause": voice, "babble": voice})


@pytest.mark.parametrize("kind", ["colour", "pause", "babble", "folder"])
@pytest.mark.parametrize("snr_db", [-5, 10, 30])
def test_noise_is_as_far_below_the_speech_as_drawn(
    kind: str, snr_db: float, sound: Sound, folder: Path
) -> None:
    noise = Noise(1, [snr_db, snr_db], {kind: 1}, str(folder))
    for seed in range(3):
        noisy, told = noise(others(sound), np.random.default_rng(seed))
        added = noisy.samples - sound.samples
        spoken = sound.samples.reshape(-1, HOP)[sound.speech]
        measured = 10 * np.log10(power(spoken) / power(added))
        assert measured == pytest.approx(snr_db, abs=0.1)
        assert told["snr_db"] == snr_db and np.array_equal(noisy.speech, sound.speech)


@pytest.mark.parametrize(("colour", "slope"), COLOURS.items())
def test_colours_have_their_slope_and_go_on_where_they_began(colour: str, slope: float) -> None:
    loop = _loop(colour)
    powers = np.abs(np.fft.rfft(loop)) ** 2
    hz = np.fft.rfftfreq(len(loop), 1 / RATE)
    low, high = (powers[(hz > at / 1.1) & (hz < at * 1.1)].mean() for at in (500, 4000))
    assert 10 * np.log10(low / high) == pytest.approx(slope * 10 * np.log10(8), abs=0.5)
    assert powers[hz > 60].sum() > 0.4 * powers.sum()  # where speech is
    steps = np.abs(np.diff(np.append(loop, loop[0])))
    assert steps[-1] <= steps[:-1].max()


def test_kinds_are_drawn_by_their_weights(sound: Sound) -> None:
    noise = Noise(1, [10, 10], {"colour": 1, "pause": 3})
    short = others(Sound(sound.samples[:1600], sound.speech[:10], RATE))
    draws = np.random.default_rng(0)
    kinds = [noise(short, draws)[1]["kind"] for _ in range(200)]
    assert kinds.count("pause") / 200 == pytest.approx(0.75, abs=0.1)
    assert set(kinds) == {"pause", *(f"{colour} noise" for colour in COLOURS)}


def test_where_there_is_none_nothing_is_added(sound: Sound, silence: Sound) -> None:
    noise = Noise(1, [10, 10], {"pause": 1})
    for quiet in (sound, replace(sound, others={"pause": lambda count, draws: None})):
        changed, told = noise(quiet, np.random.default_rng(0))
        assert changed is quiet and told["kind"] == "none: no pause to be heard"
    muted = replace(sound, others={"pause": lambda count, _: np.zeros(count, np.float32)})
    assert noise(muted, np.random.default_rng(0))[0] is muted
    assert Noise(1, [10, 10], {"colour": 1})(silence, np.random.default_rng(0))[0] is silence


def test_without_a_folder_its_kind_is_not_drawn() -> None:
    assert Noise(1, [0, 9], {"colour": 1, "folder": 9}).kinds == {"colour": 1}
    with pytest.raises(LangidError, match=r"noise\.folder=null: accepted is a folder of noise"):
        Acoustics(noise={"probability": 1, "snr_db": [0, 9], "kinds": {"folder": 1}})


def test_colours_can_be_chosen(sound: Sound) -> None:
    noise, draws = Noise(1, [0, 0], {"colour": 1}, colours=["pink"]), np.random.default_rng(0)
    assert {noise(sound, draws)[1]["kind"] for _ in range(10)} == {"pink noise"}
    for wrong in (["mauve"], [], "pink"):
        with pytest.raises(ValueError, match="accepted are lists of white, pink, brown, blue"):
            Noise(1, [0, 0], {"colour": 1}, colours=wrong)
