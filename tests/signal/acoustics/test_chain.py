"""Tests of langid/signal/acoustics/chain.py, and of what all transforms have in common."""

import inspect
from typing import Any

import numpy as np
import pytest
from omegaconf import OmegaConf

from langid.build import build
from langid.commands.configuration import compose, root
from langid.errors import LangidError
from langid.signal.acoustics.chain import TRANSFORMS, Acoustics
from langid.signal.acoustics.sound import Sound

FIELD: dict[str, Any] = OmegaConf.to_container(  # type: ignore[assignment]
    OmegaConf.load(root("conf") / "waveform" / "field.yaml")
)
OTHERS = {
    "pause": lambda count, draws: draws.standard_normal(count).astype(np.float32) / 100,
    "babble": lambda count, draws: None,
}


def alone(name: str) -> Acoustics:
    """Return one transform of waveform=field, always made."""
    return Acoustics(**{name: FIELD[name] | {"probability": 1}})


def whole(sound: Sound) -> bool:
    """Return whether a sound is as sounds must be: finite, in full scale, with all its marks."""
    return (
        sound.samples.dtype == np.float32
        and sound.speech.dtype == bool
        and len(sound.samples) == 160 * len(sound.speech)
        and bool(np.isfinite(sound.samples).all())
        and float(np.abs(sound.samples).max()) <= 1
    )


def test_field_has_every_transform() -> None:
    assert set(FIELD) == {"_target_", *TRANSFORMS}


@pytest.mark.parametrize("option", ["field", "light"])
def test_options_name_every_key_of_their_transforms_and_hold_the_defaults(option: str) -> None:
    given: Any = OmegaConf.to_container(OmegaConf.load(root("conf") / f"waveform/{option}.yaml"))
    del given["_target_"]
    for name, arguments in given.items():
        keys = inspect.signature(TRANSFORMS[name]).parameters
        assert set(arguments) == set(keys), name
        for key, value in arguments.items():
            default = keys[key].default
            held = list(default) if isinstance(default, tuple) else default
            assert held in (inspect.Parameter.empty, value), f"{name}.{key}"


def test_a_transforms_choices_are_keys_of_the_command_line() -> None:
    chosen = ["noise.colours=[pink]", "gain.overdriven=true", "codec.kbit_s=[16,24]"]
    chosen.append("codec.kinds={gsm: 0, mulaw: 0}")
    overrides = ["store=-", "waveform=field", *(f"waveform.{key}" for key in chosen)]
    made = build(OmegaConf.to_container(compose("train", overrides).waveform), "waveform")
    assert made.transforms["noise"].colours == ["pink"]
    assert made.transforms["gain"].overdriven is True
    assert made.transforms["codec"].kbit_s == [16, 24]


@pytest.mark.parametrize("name", TRANSFORMS)
def test_a_transform_changes_a_real_clip_by_its_draws_alone(name: str, sound: Sound) -> None:
    before = sound.samples.copy()
    changed, told = alone(name)(sound, np.random.default_rng(1))
    again, told_again = alone(name)(sound, np.random.default_rng(1))
    _, other = alone(name)(sound, np.random.default_rng(2))
    assert whole(changed) and changed.speech.any()
    assert len(changed.samples) != len(before) or not np.array_equal(changed.samples, before)
    assert np.array_equal(sound.samples, before)
    assert np.array_equal(again.samples, changed.samples)
    assert np.array_equal(again.speech, changed.speech)
    assert list(told) == [name] and told[name] == told_again[name] != other[name]


@pytest.mark.parametrize("name", TRANSFORMS)
def test_silence_and_the_shortest_sounds_stay_finite(name: str, silence: Sound) -> None:
    for samples in (silence.samples, silence.samples[:160], silence.samples[:160] + 0.5):
        short = Sound(samples, np.ones(len(samples) // 160, bool), 16000, OTHERS)
        for seed in range(8):
            assert whole(alone(name)(short, np.random.default_rng(seed))[0])


@pytest.mark.parametrize("rate", [8000, 48000])
def test_sounds_of_other_rates_are_changed_too(rate: int, sound: Sound) -> None:
    other = Sound(sound.samples, sound.speech, rate, OTHERS)
    for name in TRANSFORMS:
        assert whole(alone(name)(other, np.random.default_rng(0))[0]), name


def test_each_is_made_with_its_probability_in_the_order_of_the_way(sound: Sound) -> None:
    order = list(TRANSFORMS)
    chain = build(FIELD, "waveform")
    short = Sound(sound.samples[:1600], sound.speech[:10], 16000, OTHERS)
    draws, counts = np.random.default_rng(0), dict.fromkeys(order, 0)
    for _ in range(400):
        _, told = chain(short, draws)
        assert list(told) == sorted(told, key=order.index)
        for name in told:
            counts[name] += 1
    for name, count in counts.items():
        assert count / 400 == pytest.approx(FIELD[name]["probability"], abs=0.08), name


def test_what_would_be_beyond_full_scale_is_made_softer(sound: Sound) -> None:
    loud = Sound(sound.samples / np.abs(sound.samples).max(), sound.speech, 16000)
    noisy = Acoustics(noise={"probability": 1, "snr_db": [0, 0], "kinds": {"colour": 1}})
    changed, _ = noisy(loud, np.random.default_rng(0))
    assert np.abs(changed.samples).max() == pytest.approx(1)
    assert (np.abs(changed.samples) == np.abs(changed.samples).max()).sum() < 4


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("echo", {}, r"waveform\.echo: no such transform; accepted are speed, tempo, room"),
        ("gain", 3, r"waveform\.gain=3: expected keys with values"),
        ("gain", {"probability": 1}, r"waveform\.gain\..*missing .* 'db'"),
        ("gain", {"volume": 1}, r"waveform\.gain\.volume: no such key of Gain"),
        ("gain", {"probability": 1, "db": [0, 6], "overdriven": "no"}, "overdriven=no: accepted"),
        ("gain", {"probability": 2, "db": [0, 1]}, r"gain\.probability=2: .* from 0 to 1"),
        ("gain", {"probability": True, "db": [0, 1]}, r"gain\.probability=True: accepted are"),
        ("gain", {"probability": 1, "db": [3, 1]}, r"gain\.db=\[3, 1\]: accepted are two numbers"),
        ("gain", {"probability": 1, "db": "loud"}, r"gain\.db=loud: accepted are two numbers"),
        ("gain", {"probability": 1, "db": [0, float("nan")]}, r"gain\.db=.* two numbers"),
        ("codec", {"probability": 1, "kinds": {"amr": 1}}, r"codec\.kinds=.* weights of mp3, opus"),
        ("codec", {"probability": 1, "kinds": {"mp3": 0}}, r"codec\.kinds=.* one is above 0"),
        ("codec", {"probability": 1, "kinds": {"mp3": -1}}, r"codec\.kinds\.mp3=-1: accepted are"),
        ("codec", {"probability": 1, "kinds": {"mp3": 1}, "kbit_s": 16}, "kbit_s=16: accepted are"),
        ("codec", {"probability": 1, "kinds": {"mp3": 1}, "kbit_s": [[16]]}, r"kbit_s=\[\[16\]\]:"),
        ("noise", {"probability": 1, "snr_db": [0, 9], "kinds": {"colour": 1}, "colours": 3},
         "colours=3: accepted are lists of white"),
    ],
)  # fmt: skip
def test_odd_values_are_refused_by_their_key(name: str, value: Any, told: str) -> None:
    with pytest.raises(LangidError, match=told):
        Acoustics(**{name: value})
