from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from langid.corpora.manifest import COLUMNS
from langid.data.dataset import SequenceDataset, cut
from langid.data.silence_policy import IGNORED, POLICIES
from langid.data.store import SCHEMA, Content, Store
from langid.data.store_writer import StoreWriter

SILENCE = 3


def write_store(path: Path, speech: Sequence[str], languages: Sequence[str]) -> Store:
    """Write utterances given as strings of ``#`` (speech) and ``.``; bin 0 counts the frames."""
    with StoreWriter(path, Content("features", 2), frames=sum(map(len, speech))) as writer:
        for number, (mask, language) in enumerate(zip(speech, languages, strict=True)):
            spoken = np.array([mark == "#" for mark in mask])
            counter = np.arange(len(mask)) + 100.0 * number
            writer.write_frames(np.stack([counter, np.ones(len(mask))], axis=1), spoken)
            cells = {"utterance_id": str(number), "language": language, "speaker": f"s{number}"}
            writer.end_utterance(dict.fromkeys(COLUMNS, "") | cells)
        description = '{"corpora": [], "sample_rate": 16000, "hop_samples": 160}'
        writer.finish({"schema": SCHEMA, "description": description, "fingerprint": "x"})
    return Store(path)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Return a store of three small utterances, the second without any speech."""
    return write_store(tmp_path / "s.h5", ["..##.##..#..", "......", ".#."], ["A", "B", "B"])


def bounds(store: Store, policy: str, frames: int) -> list[tuple[int, ...]]:
    return [
        tuple(map(int, row)) for row in cut(store, POLICIES[policy], frames).itertuples(index=False)
    ]


def batch_of(store: Store, policy: str, frames: int = 500):  # type: ignore[no-untyped-def]
    sequences = cut(store, POLICIES[policy], frames)
    sequences["target"] = sequences["row"] % 2 + 1
    sequences["unit"] = sequences["row"] * 10
    dataset = SequenceDataset(store, sequences, POLICIES[policy], SILENCE)
    return dataset.__getitems__(list(range(len(dataset))))


@pytest.mark.parametrize("policy", ["keep", "mask", "label"])
def test_cut_by_frames_of_any_kind(store: Store, policy: str) -> None:
    assert bounds(store, policy, 500) == [(0, 0, 12, 5), (2, 18, 21, 1)]
    assert bounds(store, policy, 6) == [(0, 0, 6, 3), (0, 6, 12, 2), (2, 18, 21, 1)]
    # frames 3 to 6 have speech, the last two of the first utterance have none: left out
    assert bounds(store, policy, 5) == [(0, 0, 5, 2), (0, 5, 10, 3), (2, 18, 21, 1)]


@pytest.mark.parametrize("policy", ["keep", "mask", "label"])
def test_a_silent_piece_before_speech_is_heard_and_not_asked(tmp_path: Path, policy: str) -> None:
    store = write_store(tmp_path / "s.h5", [".....##......#....", "......"], ["A", "B"])
    silence = POLICIES[policy]
    pieces = cut(store, silence, 3, gapless=True)
    assert [tuple(row) for row in pieces[["start", "stop", "speech"]].to_numpy()] == [
        (0, 3, 0), (3, 6, 1), (6, 9, 1), (9, 12, 0), (12, 15, 1), (18, 21, 0), (21, 24, 0)
    ]  # fmt: skip
    assert len(cut(store, silence, 3)) == 3
    dataset = SequenceDataset(store, pieces.assign(target=1, unit=pieces["row"]), silence, SILENCE)
    batch = dataset.__getitems__(list(range(5)))
    silent = ~batch.speech.any(1)
    assert silent.tolist() == [True, False, False, True, False]
    assert ((batch.targets == IGNORED).all(1) == silent).all()
    assert not batch.silent and dataset.__getitems__([0, 3]).silent


def test_cut_by_speech_frames(store: Store) -> None:
    assert bounds(store, "remove", 500) == [(0, 0, 12, 5), (2, 18, 21, 1)]
    assert bounds(store, "remove", 2) == [(0, 0, 5, 2), (0, 5, 9, 2), (0, 9, 12, 1), (2, 18, 21, 1)]


def test_every_real_frame_with_speech_is_cut_once(store_path: Path) -> None:
    store = Store(store_path)
    spoken = int(store.read_speech(0, int(store.utterances["frames"].sum())).sum())
    for name, policy in POLICIES.items():
        sequences = cut(store, policy, 100)
        assert sequences["speech"].sum() == spoken
        length = sequences["stop"] - sequences["start"]
        if name == "remove":
            assert (sequences.groupby("row")["speech"].apply(lambda s: s[:-1]) == 100).all()
            assert sequences["speech"].max() == 100
        else:
            assert length.max() == 100


def test_keep_labels_silence_with_the_language(store: Store) -> None:
    batch = batch_of(store, "keep")
    assert batch.lengths.tolist() == [12, 3]
    assert batch.targets.tolist() == [[1] * 12, [1] * 3 + [IGNORED] * 9]
    assert batch.speech.sum(1).tolist() == [5, 1]
    assert batch.target.tolist() == [1, 1] and batch.unit.tolist() == [0, 20]
    assert len(batch) == 2


def test_mask_gives_silence_no_loss(store: Store) -> None:
    batch = batch_of(store, "mask")
    assert batch.lengths.tolist() == [12, 3]
    assert torch.equal(batch.targets != IGNORED, batch.speech)
    assert set(batch.targets[batch.speech].tolist()) == {1}


def test_of_no_speech_at_all_a_frame_is_heard_under_remove(store: Store) -> None:
    silent = cut(store, POLICIES["remove"], 3, gapless=True).query("row == 1")
    assert silent[["start", "stop", "speech"]].to_numpy().tolist() == [[12, 18, 0]]
    dataset = SequenceDataset(store, silent.assign(target=1, unit=1), POLICIES["remove"], SILENCE)
    batch = dataset.__getitems__([0])
    assert batch.lengths.tolist() == [1] and batch.silent
    assert batch.features[0, :, 0].tolist() == [100]
    assert batch.targets.tolist() == [[IGNORED]]


def test_remove_cuts_silence_out(store: Store) -> None:
    batch = batch_of(store, "remove")
    assert batch.lengths.tolist() == [5, 1]
    assert batch.features[0, :, 0].tolist() == [2, 3, 5, 6, 9]
    assert batch.features[1, :, 0].tolist() == [201, 0, 0, 0, 0]
    assert batch.targets.tolist() == [[1] * 5, [1] + [IGNORED] * 4]
    assert batch.speech.tolist() == [[True] * 5, [True] + [False] * 4]


def test_label_makes_silence_a_class(store: Store) -> None:
    batch = batch_of(store, "label")
    expected = [1 if mark == "#" else SILENCE for mark in "..##.##..#.."]
    assert batch.targets[0].tolist() == expected
    assert batch.targets[1].tolist() == [SILENCE, 1, SILENCE] + [IGNORED] * 9
    assert batch.speech.sum(1).tolist() == [5, 1]  # scored on speech frames, as the others


@pytest.mark.parametrize("policy", POLICIES)
def test_padding_holds_nothing(store: Store, policy: str) -> None:
    batch = batch_of(store, policy, frames=5)
    assert batch.features.dtype == torch.float32
    padding = torch.arange(batch.features.shape[1])[None] >= batch.lengths[:, None]
    assert padding.any()
    assert (batch.targets[padding] == IGNORED).all()
    assert not batch.speech[padding].any()
    assert (batch.features[padding] == 0).all()
    assert (batch.features[~padding][:, 1] == 1).all()


def test_a_batch_moves_to_a_device_as_a_whole(store: Store) -> None:
    batch = batch_of(store, "mask")
    moved = batch.to(torch.device("meta"))
    there = [name for name, tensor in vars(batch).items() if tensor is not None]
    assert {getattr(moved, name).device.type for name in there} == {"meta"}
    assert moved.samples is None and moved.hops is None and moved.kept is None
    batch.samples = batch.hops = batch.kept = batch.teacher = batch.origin = batch.speech
    moved = batch.to(torch.device("meta"))
    assert {tensor.device.type for tensor in vars(moved).values()} == {"meta"}
