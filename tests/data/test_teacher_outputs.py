"""Tests of langid/data/teacher_outputs.py."""

import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from langid.corpora.splits import SpeakerSplit
from langid.data.datamodule import LanguageDataModule
from langid.data.store import Store
from langid.data.teacher_outputs import SHARD_ROWS, TeacherOutputs, TeacherShards
from langid.signal.acoustics.chain import Acoustics

RATE = 40.0  # frames a second of the teacher
Make = Callable[..., TeacherOutputs]


@pytest.fixture
def made(store_path: Path, tmp_path: Path) -> Make:
    """Return a function that writes what a teacher says: row, and number of its frame."""

    def make(rate: float = RATE) -> TeacherOutputs:
        store = Store(store_path)
        shards = TeacherShards(tmp_path, {"teacher": "x"}, len(store.offsets) - 1)
        counts = np.ceil(np.diff(store.offsets) * (rate / store.frames_per_second)).astype(int)
        for shard in shards.of_rows(np.arange(len(counts))):
            numbers = (np.arange(counts[row]) for row in shards.members(shard))
            rows = zip(shards.members(shard), numbers, strict=True)
            said = [np.stack([np.full(len(own), row), own, own], axis=1) for row, own in rows]
            shards.write(shards.path(shard), said, rate)
        return TeacherOutputs(shards, store, shards.frames_per_second(0), np.array([1, 0]))

    return make


@pytest.mark.parametrize(
    ("rate", "expected"),
    [(50.0, [5, 5, 6, 6, 7]), (40.0, [4, 4, 5, 5, 5]), (25.0, [2, 2, 3, 3, 3]),
     (200.0, [21, 23, 25, 27, 29])],
)  # fmt: skip
def test_frames_are_those_of_the_same_time(made: Make, rate: float, expected: list[int]) -> None:
    """Of the store there are 100 a second, the first one asked for begins at 0.1 s."""
    outputs = made(rate)
    first = int(outputs.store.offsets[SHARD_ROWS + 1])  # of a row of the second shard
    found = outputs.read(first + 10, first + 15)
    assert found[:, 0].tolist() == expected and (found[:, 1] == SHARD_ROWS + 1).all()
    last = int(outputs.store.offsets[SHARD_ROWS + 2])
    assert len(outputs.read(first, last)) == last - first


@pytest.mark.parametrize("policy", ["mask", "remove"])
@pytest.mark.parametrize("crop_s", [None, [0.5, 1.5]])
def test_batches_have_what_belongs_to_their_frames(
    made: Make, store_path: Path, policy: str, crop_s: list[float] | None
) -> None:
    data = LanguageDataModule(store_path, SpeakerSplit(), policy, 150, 8, crop_s=crop_s)
    outputs = made(100.0)  # its frames are those of the store
    data.teacher = pickle.loads(pickle.dumps(outputs))  # as it comes to a process that loads
    place: dict[bytes, list[tuple[int, int]]] = {}  # of stored frames, by what they hold
    for row, first in enumerate(data.store.offsets[:-1].tolist()):
        for frame in range(first, int(data.store.offsets[row + 1])):
            held = data.store.read(frame, frame + 1)[0].tobytes()
            place.setdefault(held, []).append((row, frame - first))
    checked = 0
    for batch in list(data.train_dataloader())[:3]:
        assert batch.teacher is not None and batch.teacher.shape == (*batch.speech.shape, 2)
        for row, length in enumerate(batch.lengths.tolist()):
            for frame in (0, length // 2, length - 1):
                found = place[batch.features[row, frame].half().numpy().tobytes()]
                if len(found) == 1:  # no digital silence
                    assert batch.teacher[row, frame].tolist() == [*found[0]][::-1]
                    checked += 1
            assert not batch.teacher[row, length:].any()
    assert checked > 30


@pytest.mark.parametrize(("policy", "stride"), [("mask", 1), ("remove", 1), ("mask", 2)])
def test_what_acoustics_move_in_time_keeps_what_was_said_of_it(
    made: Make, samples_path: Path, policy: str, stride: int
) -> None:
    """Silence of 0.2 s before each sequence, which moves it, and cuts off its end."""
    later = Acoustics(leading_silence={"probability": 1, "seconds": [0.2, 0.2]})
    arguments = (samples_path, SpeakerSplit(), policy, 200, 8)
    data = LanguageDataModule(*arguments, waveform=later, stride=stride)
    data.teacher = replace(made(100.0 / stride), store=data.store)
    batch = next(iter(data.train_dataloader()))
    sampler = data.train_dataloader().sampler
    assert batch.teacher is not None and batch.hops is not None
    assert batch.teacher.shape[:2] == batch.speech.shape
    for row, (index, *_) in enumerate(list(sampler)[: len(batch)]):
        start = int(data.taught["start"].iloc[index])
        begin = int(data.store.offsets[data.taught["row"].iloc[index]])
        origin = (np.arange(int(batch.hops[row]) // stride) - 20 // stride).clip(min=0)
        if policy == "remove":
            assert batch.kept is not None
            origin = origin[batch.kept[row, : len(origin)].numpy()]
        said = batch.teacher[row, : len(origin), 0].numpy()
        assert np.abs(said - (origin + start - begin)).max() <= (start > begin)


def test_what_is_cut_off_or_of_another_key_is_not_whole(made: Make) -> None:
    shards = made().shards
    assert shards.is_whole(0) and shards.is_whole(1) and not shards.is_whole(2)
    other = TeacherShards(shards.folder, {"teacher": "y"}, shards.rows)
    assert not other.is_whole(0)
    fewer = TeacherShards(shards.folder, {"teacher": "x"}, SHARD_ROWS - 1)
    assert not fewer.is_whole(0)
    with shards.path(0).open("r+b") as file:
        file.truncate(shards.path(0).stat().st_size // 2)
    shards.path(1).write_bytes(b"no HDF5")
    assert not shards.is_whole(0) and not shards.is_whole(1)


def test_no_more_than_16_bits_are_kept(made: Make) -> None:
    assert made().read(0, 1).dtype == np.float16
    assert torch.from_numpy(made().read(0, 1)).dtype == torch.float16
