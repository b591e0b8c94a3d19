"""Stores of samples: what they hold, and the features that are made of them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from langid.audio.decode import read_audio
from langid.build import build
from langid.commands.main import main
from langid.corpora.manifest import COLUMNS
from langid.corpora.splits import SpeakerSplit
from langid.data.datamodule import LanguageDataModule
from langid.data.silence_policy import POLICIES
from langid.data.store import Store
from langid.signal.features import Features

HOP = 160


@pytest.fixture
def held(samples_path: Path) -> Store:
    return Store(samples_path)


@pytest.fixture
def features(held: Store) -> Features:
    made: Features = build(held.description["features"], "features")
    return made


def test_samples_are_those_of_decoding_again_rounded_once(held: Store) -> None:
    clipped = 0
    for row in held.utterances.itertuples():
        expected = np.rint(read_audio(row.path, 16000) * 32768)
        clipped += int((np.abs(expected) > 32768).sum())
        found = held.read(row.first_frame, row.first_frame + row.frames)[0]
        assert found.dtype == np.int16 and found.shape[1] == HOP
        samples = found.reshape(-1)
        assert 0 <= len(samples) - len(expected) < HOP
        assert np.array_equal(samples[: len(expected)], expected.clip(-32768, 32767))
        assert (samples[len(expected) :] == samples[len(expected) - 1]).all()
    assert clipped < 1e-4 * held.offsets[-1] * HOP


def test_all_else_is_as_in_a_store_of_features(held: Store, store_path: Path) -> None:
    other = Store(store_path)
    assert (held.content.name, other.content.name) == ("samples", "features")
    assert held.bins == other.bins and held.frames_per_second == other.frames_per_second
    assert np.array_equal(held.offsets, other.offsets)
    stop = int(held.offsets[-1])
    assert np.array_equal(held.read_speech(0, stop), other.read_speech(0, stop))
    for name in COLUMNS:
        assert np.array_equal(held.columns[name], other.columns[name])
    assert held.fingerprint != other.fingerprint
    assert held.path.stat().st_size < stop * HOP * 2 + 100_000


def test_features_of_samples_are_those_stored_but_for_float16(
    held: Store, features: Features, store_path: Path
) -> None:
    stored = Store(store_path)
    for start, stop in zip(held.offsets[:-1], held.offsets[1:], strict=True):
        samples = torch.from_numpy(held.read(start, stop)[0].reshape(1, -1)) / 32768
        expected = stored.read(start, stop)[0].astype(np.float32)
        np.testing.assert_allclose(features(samples)[0].numpy(), expected, rtol=6e-4, atol=1e-3)


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        (["content=words"], "content=words: accepted are features and samples"),
        (["features=mfcc_librosa"], "content=samples: features MFCCLibrosa need the whole clip"),
        (["accelerator=tpu"], "accelerator=tpu: accepted on this machine are auto, cpu"),
        (["max_duration_s=0.2"], "max_duration_s=0.2: is below min_duration_s=0.5"),
        (["max_duration_s=six"], "max_duration_s=six: accepted are null and seconds above 0"),
        (["store={store}"], "content: the store has features, asked is samples"),
    ],
)
def test_what_cannot_be_prepared_is_refused(
    more: list[str],
    reason: str,
    real_manifest: Path,
    store_path: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    keys = {"content": "samples", "store": str(tmp_path / "a.h5"), "workers": "1"}
    keys |= dict(each.format(store=store_path).split("=", 1) for each in more)
    parts = [f"{key}={value}" for key, value in keys.items()]
    assert main(["prepare", "corpus=manifest", f"corpus.path={real_manifest}", *parts]) == 2
    assert reason in capsys.readouterr().err
    assert not (tmp_path / "a.h5").exists()


def data_of(path: Path, policy: str, **more: Any) -> LanguageDataModule:
    return LanguageDataModule(
        path, SpeakerSplit(), policy, sequence_frames=37, batch_size=300, **more
    )


@pytest.mark.parametrize("policy", POLICIES)
def test_a_sequence_from_the_middle_has_the_features_of_its_utterance(
    samples_path: Path, held: Store, features: Features, policy: str
) -> None:
    """The left context is the utterance's own, and before its beginning what it is there."""
    data = data_of(samples_path, policy)
    loader = data.part_dataloader("train") if policy == "keep" else data.train_dataloader()
    (batch,) = list(loader)[:1]
    assert batch.samples is not None and not batch.features.numel()
    made = batch.with_features(features)
    assert made.samples is None and made.features.shape == (*batch.speech.shape, held.bins)
    assert (made.features[~made.there] == 0).all()
    whole = []
    for start, stop in zip(held.offsets[:-1], held.offsets[1:], strict=True):
        samples, speech = held.read(start, stop)
        utterance = features(torch.from_numpy(samples.reshape(1, -1)) / 32768)[0]
        which = POLICIES[policy].kept(speech)
        whole.append(utterance[torch.from_numpy(which)])
    for row, length in enumerate(batch.lengths.tolist()):
        found = made.features[row, :length]
        utterance = whole[int(batch.unit[row])]
        places = [
            place
            for place in range(0, len(utterance) - length + 1)
            if torch.allclose(utterance[place], found[0], atol=0.02)
            and torch.allclose(utterance[place : place + length], found, atol=0.02)
        ]
        assert places, row


@pytest.mark.parametrize("policy", ["mask", "remove"])
def test_batches_are_those_of_stored_features(
    samples_path: Path, store_path: Path, features: Features, policy: str
) -> None:
    pairs = zip(
        data_of(store_path, policy).train_dataloader(),
        data_of(samples_path, policy).train_dataloader(),
        strict=True,
    )
    for stored, sampled in pairs:
        made = sampled.with_features(features)
        for name in ("lengths", "targets", "speech", "target", "unit"):
            assert torch.equal(getattr(stored, name), getattr(made, name)), name
        assert (stored.features - made.features).abs().mean() < 0.05
        assert stored.with_features(features) is stored


def test_the_normaliser_is_that_of_stored_features(samples_path: Path, store_path: Path) -> None:
    stored = data_of(store_path, "mask").normaliser_statistics()
    made = data_of(samples_path, "mask").normaliser_statistics()
    for expected, found in zip(stored, made, strict=True):
        assert np.abs(expected - found).max() < 0.03
    plain = data_of(samples_path, "mask", normalise=False).normaliser_statistics()
    assert [values.tolist() for values in plain] == [[0.0] * 64, [1.0] * 64]
