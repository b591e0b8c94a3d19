"""Tests of langid/data/acoustics.py: what training hears of a store of samples."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from langid.build import build
from langid.corpora.splits import SpeakerSplit
from langid.data.acoustics import SequenceAcoustics, _most
from langid.data.balance import Oversample
from langid.data.datamodule import LanguageDataModule
from langid.data.dataset import Batch
from langid.data.store import Store
from langid.errors import LangidError
from langid.signal.acoustics.chain import Acoustics, WaveformAugment
from langid.signal.acoustics.sound import Draws, Sound

from ..signal.acoustics.test_chain import FIELD


class AsItIs(WaveformAugment):
    """Changes nothing, and keeps what it gets."""

    def __init__(self) -> None:
        self.sounds: list[Sound] = []

    def __call__(self, sound: Sound, draws: Draws) -> tuple[Sound, dict[str, Any]]:
        self.sounds.append(sound)
        return sound, {}


def field() -> Acoustics:
    """Return waveform=field with more of what is rare, and without what takes long."""
    kinds = {"kinds": {"gsm": 1, "mulaw": 1}}
    return Acoustics(
        **{
            name: arguments | {"probability": 0.4} | (kinds if name == "codec" else {})
            for name, arguments in FIELD.items()
            if name != "_target_"
        }
    )


def data_of(path: Path, waveform: WaveformAugment | None, **more: Any) -> LanguageDataModule:
    settings = {"split": SpeakerSplit(), "batch_size": 4, "sequence_frames": 200}
    return LanguageDataModule(path, **settings | more, waveform=waveform)


def epoch(data: LanguageDataModule, number: int = 0) -> list[Batch]:
    loader = data.train_dataloader()
    loader.sampler.set_epoch(number)  # type: ignore[attr-defined]
    return list(loader)


def alike(these: list[Batch], others: list[Batch]) -> bool:
    """Return whether batches are the same to the last bit."""
    return len(these) == len(others) and all(
        torch.equal(value, vars(other)[name])
        for batch, other in zip(these, others, strict=True)
        for name, value in vars(batch).items()
        if value is not None
    )


@pytest.mark.parametrize("more", [{}, {"crop_s": [0.5, 1.5]}, {"carry_state": True}])
@pytest.mark.parametrize("policy", ["mask", "remove"])
def test_what_changes_nothing_leaves_batches_as_they_are(
    more: dict[str, Any], policy: str, samples_path: Path
) -> None:
    plain = epoch(data_of(samples_path, None, silence=policy, **more))
    assert alike(plain, epoch(data_of(samples_path, AsItIs(), silence=policy, **more)))
    assert not alike(plain, epoch(data_of(samples_path, field(), silence=policy, **more)))


@pytest.mark.parametrize("more", [{}, {"crop_s": [0.5, 1.5]}])
def test_draws_depend_on_seed_and_epoch_alone(more: dict[str, Any], samples_path: Path) -> None:
    first = epoch(data_of(samples_path, field(), **more))
    assert alike(first, epoch(data_of(samples_path, field(), **more, workers=1)))
    assert alike(first, epoch(data_of(samples_path, field(), **more, workers=4)))
    assert not alike(first, epoch(data_of(samples_path, field(), **more), 1))
    assert not alike(first, epoch(data_of(samples_path, field(), **more, seed=1)))
    resumed = data_of(samples_path, field(), **more)
    epoch(resumed, 3)
    assert alike(first, epoch(resumed))


def test_an_utterance_is_recorded_in_one_place_and_in_another_when_it_is_drawn_again(
    samples_path: Path,
) -> None:
    gain = Acoustics(gain={"probability": 1, "db": [-20, -1]})

    def gains(number: int, **more: Any) -> dict[int, set[float]]:
        data = data_of(samples_path, gain, **more)
        found: dict[int, set[float]] = {}
        for occasion in ([number, 0], [number, 1]):
            assert data.acoustics
            for index, row in enumerate(data.acoustics.row[:20]):
                place = (int(data.acoustics.start[index]), int(data.acoustics.stop[index]))
                hops, *_ = data.acoustics.changed(index, place, occasion)
                plain = np.concatenate(
                    [data.store.read_context(place[0]), data.store.read(*place)[0]]
                )
                loud = np.abs(plain) > 300
                ratio = float(np.median(hops[loud] / plain[loud].astype(float)))
                found.setdefault(int(row), set()).add(round(20 * np.log10(ratio), 1))
        return found

    first = gains(0)
    assert len(first) < 20  # some have several sequences
    assert {len(each) for each in first.values()} == {2}  # one of each occasion
    assert gains(0) == first and gains(1) != first


def test_balance_draws_other_acoustics_of_what_it_draws_again(samples_path: Path) -> None:
    data = data_of(samples_path, field(), balance=Oversample())
    occasions = list(data.train_dataloader().sampler)  # type: ignore[arg-type]
    counts = data.sequence_counts()
    drawn = {(int(index), int(before)) for index, number, before in occasions if number == 0}
    assert len(drawn) == sum(counts["per_epoch"])
    assert max(before for _, before in drawn) == (1 if len(drawn) > sum(counts["there"]) else 0)


def test_no_sequence_is_longer_unless_its_speech_would_be_lost(samples_path: Path) -> None:
    silence = Acoustics(leading_silence={"probability": 1, "seconds": [1, 1]})
    plain, late = (epoch(data_of(samples_path, waveform)) for waveform in (None, silence))
    features = build(Store(samples_path).description["features"], "features")
    for before, after in zip(plain, late, strict=True):
        assert not after.speech[:, :100].any()
        assert after.samples is not None and not after.samples[:, :16000].any()
        assert (after.speech.sum(1) * 2 >= before.speech.sum(1)).all()
        longer = after.lengths > before.lengths.clamp(min=100)
        assert (after.speech.sum(1)[longer] <= before.speech.sum(1)[longer] // 2 + 1).all()
        assert after.with_features(features).features.shape[:2] == after.speech.shape
    assert sum(int(batch.lengths.sum()) for batch in late) < 1.3 * sum(
        int(batch.lengths.sum()) for batch in plain
    )


@pytest.mark.parametrize("transform", ["shift", "speed"])
def test_of_the_shortest_sequences_something_is_left(transform: str, samples_path: Path) -> None:
    shorter = {"shift": {"seconds": [9, 10]}, "speed": {"factor": [2, 2]}}[transform]
    chain = Acoustics(**{transform: shorter | {"probability": 1}})
    for batch in epoch(data_of(samples_path, chain, sequence_frames=1, batch_size=500))[:4]:
        assert (batch.lengths == 1).all()
        assert batch.samples is not None and batch.samples.shape[1] == 3 * 160


class Silenced(WaveformAugment):
    """Cuts off all that is speech."""

    def __call__(self, sound: Sound, draws: Draws) -> tuple[Sound, dict[str, Any]]:
        return replace(sound, speech=np.zeros_like(sound.speech)), {}


def test_where_no_speech_would_be_left_a_sequence_stays_as_it_was(samples_path: Path) -> None:
    more = {"stride": 4, "sequence_frames": 40}
    plain, cut = (epoch(data_of(samples_path, of, **more)) for of in (AsItIs(), Silenced()))
    assert alike(plain, cut) and any(batch.speech.any() for batch in plain)


@pytest.mark.parametrize(
    ("spoken", "length", "before", "most"),
    [([], 120, 100, 100), ([5], 90, 100, 100), ([150], 200, 100, 151), ([20, 150], 200, 100, 100),
     ([110, 120, 130, 140], 200, 100, 121)],
)  # fmt: skip
def test_half_of_the_speech_is_left(spoken: list[int], length: int, before: int, most: int) -> None:
    speech = np.zeros(length, bool)
    speech[spoken] = True
    assert _most(speech, before) == most


def test_pauses_and_babble_are_those_of_others(samples_path: Path) -> None:
    kept = AsItIs()
    data, store = data_of(samples_path, kept), Store(samples_path)
    acoustics = data.acoustics
    assert isinstance(acoustics, SequenceAcoustics) and len(acoustics.pauses) > 10
    train = set(data.sequences["train"]["row"])
    for row, start, stop in acoustics.pauses:
        assert row in train and stop - start >= 30
        assert not store.read_speech(start, stop).any()
        assert store.offsets[row] <= start and stop <= store.offsets[row + 1]
    epoch(data)
    draws = np.random.default_rng(0)
    for sound in kept.sounds[:10]:
        assert set(sound.others) == {"pause", "babble"}
        for source in sound.others.values():
            noise = source(len(sound.samples), draws)
            assert noise is not None and noise.shape == sound.samples.shape
            assert np.isfinite(noise).all() and noise.any()


def test_babble_needs_another_class(samples_path: Path) -> None:
    acoustics = data_of(samples_path, AsItIs()).acoustics
    assert acoustics
    acoustics.target = np.zeros_like(acoustics.target)
    acoustics.pauses = acoustics.pauses[:0]
    assert acoustics._babble(0, 1600, np.random.default_rng(0)) is None
    acoustics.target[:] = -1  # of speech without a label nobody knows what it is
    assert acoustics._babble(0, 1600, np.random.default_rng(0)) is None
    assert acoustics._pause(0, 1600, np.random.default_rng(0)) is None


def test_a_store_of_features_is_refused(store_path: Path) -> None:
    with pytest.raises(LangidError, match=r"waveform=Acoustics: changes samples, and store=.*none"):
        data_of(store_path, field())
