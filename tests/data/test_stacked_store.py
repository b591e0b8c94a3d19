"""A store in frames of several stored ones: its frames, speech and batches."""

from pathlib import Path

import numpy as np
import pytest
import torch

from langid.build import build
from langid.corpora.splits import SpeakerSplit
from langid.data.datamodule import LanguageDataModule
from langid.data.silence_policy import POLICIES
from langid.data.stacked_store import StackedStore, stacked_store
from langid.data.store import Store
from langid.errors import LangidError
from langid.signal.acoustics.chain import Acoustics
from langid.training.run_description import stride_of

STRIDE = 4


def frames_of(path: Path) -> list[tuple[Store, Store, int, int, int]]:
    """Return each utterance: both stores, its place in the stacked one, its stored frames."""
    stored, held = Store(path), stacked_store(path, STRIDE)
    rows = held.utterances[["first_frame", "frames"]].to_numpy()
    own = stored.utterances["frames"].to_numpy()
    return [(stored, held, *row, own[place]) for place, row in enumerate(rows.tolist())]


def test_one_stored_frame_is_the_store_itself(store_path: Path) -> None:
    assert type(stacked_store(store_path, 1)) is Store
    for wrong in (0, -1, 1.5, True, None):
        with pytest.raises(LangidError, match=f"model.stride={wrong}: accepted are whole numbers"):
            stride_of({"stride": wrong})


def test_frames_are_stored_ones_and_the_last_is_filled(store_path: Path) -> None:
    filled = 0
    for stored, held, first, count, single in frames_of(store_path):
        assert count == -(-single // STRIDE)
        features, speech = held.read(first, first + count)
        assert features.shape == (count, STRIDE * stored.bins) and len(speech) == count
        begin = int(stored.offsets[np.searchsorted(held.offsets, first)])
        expected, marks = stored.read(begin, begin + single)
        unstacked = features.reshape(-1, stored.bins)
        assert np.array_equal(unstacked[:single], expected)
        assert (unstacked[single:] == expected[-1]).all()
        filled += len(unstacked) > single
        several = np.append(marks, marks[-1:].repeat(len(unstacked) - single)).reshape(-1, STRIDE)
        assert np.array_equal(speech, several.sum(1) > STRIDE / 2)  # half of it is not enough
        assert np.array_equal(held.read_speech(first + 3, first + 9), speech[3:9])
        assert np.array_equal(held.read(first + 3, first + 9)[0], features[3:9])
    spoken = [
        held.read_speech(first, first + count) for _, _, first, count, _ in frames_of(store_path)
    ]
    assert np.array_equal(held.speech_of(3, 30), np.concatenate(spoken[3:30]))
    assert filled > 5
    assert held.frames_per_second == 25 and held.bins == STRIDE * stored.bins


@pytest.mark.parametrize("policy", POLICIES)
def test_batches_of_samples_are_those_of_features(
    store_path: Path, samples_path: Path, policy: str
) -> None:
    of = {
        path: LanguageDataModule(
            path, SpeakerSplit(), policy, sequence_frames=90, batch_size=8, stride=STRIDE
        )
        for path in (store_path, samples_path)
    }
    made = build(of[samples_path].store.description["features"], "features")
    loaders = [data.part_dataloader("train") for data in of.values()]
    for stored, batch in zip(*loaders, strict=True):
        assert batch.samples is not None and batch.hops is not None
        assert (batch.hops % STRIDE == 0).all()
        batch = batch.with_features(made)
        for name in ("lengths", "targets", "speech", "target", "unit"):
            assert torch.equal(getattr(batch, name), getattr(stored, name)), name
        # The last frame is filled with the last sample here, with the last stored frame there.
        last = torch.nn.functional.one_hot(stored.lengths - 1, stored.speech.shape[1]).bool()
        made_here, held = batch.features[~last], stored.features[~last]
        torch.testing.assert_close(made_here, held, rtol=1e-3, atol=1e-3)
        assert held.abs().max() > 5
    train = of[store_path].sequences["train"]
    heard = train["speech"] if policy == "remove" else train["stop"] - train["start"]
    assert heard.max() == 22  # 90 stored frames, rounded


def test_changed_sequences_are_those_of_the_stored_frames(samples_path: Path) -> None:
    waveform = Acoustics(gain={"probability": 1, "db": [-15, 6]})
    one, four = (
        LanguageDataModule(
            samples_path, SpeakerSplit(), sequence_frames=90, waveform=waveform, stride=stride
        )
        for stride in (1, STRIDE)
    )
    assert one.acoustics and four.acoustics
    train = four.sequences["train"]
    for index in (0, 3, 9):
        place = tuple(train[["start", "stop"]].to_numpy()[index])
        hops, speech, _ = four.acoustics.changed(index, place, [0, 0])
        row = train["row"].iloc[index]
        same = int(np.flatnonzero(one.sequences["train"]["row"] == row)[0])
        expected, marks, _ = one.acoustics.changed(same, four.store.places(*place), [0, 0])
        assert np.array_equal(hops[: len(expected)], expected)
        assert (hops[len(expected) :] == expected[-1, -1]).all()
        assert len(speech) == -(-len(marks) // STRIDE)
        assert np.array_equal(speech[:5], marks[: 5 * STRIDE].reshape(5, STRIDE).sum(1) > 2)


def test_a_frame_is_of_where_its_middle_was(samples_path: Path) -> None:
    waveform = Acoustics(leading_silence={"probability": 1, "seconds": [0.05, 0.05]})
    data = LanguageDataModule(
        samples_path, SpeakerSplit(), sequence_frames=90, waveform=waveform, stride=STRIDE
    )
    assert data.acoustics
    train = data.sequences["train"]
    first = int(np.flatnonzero(train["start"].isin(data.store.offsets))[0])
    place = tuple(train[["start", "stop"]].to_numpy()[first])
    origin = data.acoustics.changed(first, place, [0, 0])[2]
    middles = np.arange(len(origin) - 1) * STRIDE + STRIDE // 2 - 5  # hops of the recording
    assert origin[:-1].tolist() == (middles.clip(min=0) // STRIDE).tolist()


def test_contexts_are_those_of_the_stored_frames(samples_path: Path) -> None:
    for stored, held, first, _, _ in frames_of(samples_path)[:5]:
        assert isinstance(held, StackedStore)
        begin = int(stored.offsets[np.searchsorted(held.offsets, first)])
        for frame in (0, 1, 7):
            expected = stored.read_context(begin + STRIDE * frame)
            assert np.array_equal(held.read_context(first + frame), expected)
