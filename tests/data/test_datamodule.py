import functools
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from langid.corpora.manifest import COLUMNS
from langid.corpora.splits import (
    HeldOutFilesSplit,
    KFoldSplit,
    RecordingSplit,
    SequenceSplit,
    SpeakerSplit,
    Split,
)
from langid.corpora.tasks import Task
from langid.data.balance import Undersample
from langid.data.datamodule import LanguageDataModule
from langid.data.pieces import HELD_OUT_S
from langid.data.sampler import EpochSampler
from langid.data.silence_policy import IGNORED
from langid.data.store import SCHEMA, Content, Store
from langid.data.store_writer import StoreWriter
from langid.errors import LangidError

Row = tuple[str, str, str, str]  # language, speaker, part, and frames: "#" speech, "." none
PARTS = ("train", "validation", "test")
PIECE = round(HELD_OUT_S * 100)  # frames of 10 ms


class Given(Split):
    """Takes the parts as the manifest names them."""

    def assign(self, rows: pd.DataFrame) -> np.ndarray:
        return rows["split"].to_numpy(dtype=object)


@pytest.fixture
def small(tmp_path: Path) -> Callable[[Sequence[Row]], Path]:
    """Return a function that writes a store; bin 0 is the row's number, bin 1 counts frames."""

    def write(rows: Sequence[Row]) -> Path:
        path = tmp_path / "small.h5"
        frames = sum(len(row[-1]) for row in rows)
        with StoreWriter(path, Content("features", 2), frames=frames) as writer:
            for number, (language, speaker, part, mask) in enumerate(rows):
                speech = np.array([mark == "#" for mark in mask])
                values = np.stack([np.full(len(mask), number), np.arange(len(mask))], axis=1)
                writer.write_frames(values, speech)
                cells = {"utterance_id": str(number), "language": language, "speaker": speaker,
                         "split": part, "corpus": "c"}  # fmt: skip
                writer.end_utterance(dict.fromkeys(COLUMNS, "") | cells)
            description = '{"corpora": [], "sample_rate": 16000, "hop_samples": 160}'
            writer.finish({"schema": SCHEMA, "description": description, "fingerprint": "x"})
        return path

    return write


ROWS = (
    ("B", "b1", "train", "##.##" * 3),
    ("A", "a1", "train", "####."),
    ("A", "a2", "validation", "#.#"),
    ("B", "b2", "validation", ".##"),
    ("A", "a3", "test", "##"),
    ("B", "b3", "test", "#" * (PIECE + 7)),
    ("A", "a4", "train", "....."),
    ("A", "a5", "", "#####"),
)


def test_classes_and_parts(small: Callable[[Sequence[Row]], Path]) -> None:
    data = LanguageDataModule(small(ROWS), Given(), sequence_frames=4)
    assert data.classes == ["A", "B"]
    train = data.sequences["train"]
    # Row 6 has no speech, of which nothing is learnt, and row 7 no part; 15 frames of row 0 make
    # four sequences.
    assert sorted(train["row"]) == [0, 0, 0, 0, 1]  # the silent rest of row 1 is left out
    assert set(zip(train["row"], train["target"], strict=True)) == {(0, 1), (1, 0)}
    assert data.sequences["validation"]["unit"].tolist() == [2, 3]
    test = data.sequences["test"]  # whole utterances, but in pieces of 30 s
    assert test["unit"].tolist() == [4, 5, 5]
    assert (test["stop"] - test["start"]).tolist() == [2, PIECE, 7]
    assert set(data.sequences["all"]["row"]) == {0, 1, 2, 3, 4, 5, 6, 7}


@pytest.mark.parametrize(
    ("policy", "frames"),
    [("keep", [5, 15]), ("mask", [4, 12]), ("remove", [4, 12]), ("label", [4, 12, 4])],
)
def test_class_frames_count_what_has_a_loss(
    small: Callable[[Sequence[Row]], Path], policy: str, frames: list[int]
) -> None:
    data = LanguageDataModule(small(ROWS), Given(), policy, batch_size=99)
    assert data.class_frames() == frames
    counted = np.zeros(len(frames), int)
    for batch in data.train_dataloader():
        np.add.at(counted, batch.targets[batch.targets != IGNORED].numpy(), 1)
    assert counted.tolist() == frames


def test_without_normalising_features_stay_as_they_are(store_path: Path) -> None:
    mean, deviation = LanguageDataModule(
        store_path, SpeakerSplit(), normalise=False
    ).normaliser_statistics()
    assert mean.tolist() == [0.0] * 64 and deviation.tolist() == [1.0] * 64
    with pytest.raises(LangidError, match=r"data.normalise=no: accepted are true and false"):
        LanguageDataModule(store_path, SpeakerSplit(), normalise="no")  # type: ignore[arg-type]


@pytest.mark.parametrize("make", [SpeakerSplit, SequenceSplit])
def test_a_split_may_have_no_test_part(store_path: Path, make: type[SpeakerSplit]) -> None:
    data = LanguageDataModule(store_path, make(fractions=[0.8, 0.2, 0]), sequence_frames=100)
    assert len(data.sequences["validation"]) and not len(data.sequences["test"])
    summary = data.summary()
    assert summary["parts"]["test"] == {} and summary["left_out"] == 0
    train = data.parts["row"][data.parts["part"] == "train"].drop_duplicates()
    rows = Store(store_path).utterances.iloc[train].astype({"duration_s": float})
    seconds = rows.groupby("language")["duration_s"].sum()
    told = pytest.approx(summary["minutes"], abs=0.006)
    assert (seconds / 60).to_dict() == told


@pytest.mark.parametrize("policy", ["keep", "mask", "remove", "label"])
def test_the_normaliser_knows_speech_of_the_training_part_alone(
    store_path: Path, policy: str
) -> None:
    data = LanguageDataModule(store_path, SpeakerSplit(), policy)
    mean, deviation = data.normaliser_statistics()
    store = Store(store_path)
    parts = SpeakerSplit()(store.utterances)
    frames = []
    for first, count in store.utterances[["first_frame", "frames"]][parts == "train"].to_numpy():
        features, speech = store.read(first, first + count)
        frames.append(features[speech].astype(np.float64))
    expected = np.concatenate(frames)
    assert np.allclose(mean, expected.mean(0), atol=1e-6)
    assert np.allclose(deviation, expected.std(0), atol=1e-6)


def test_training_sequences_have_500_frames_and_held_out_ones_are_whole(store_path: Path) -> None:
    data = LanguageDataModule(store_path, SpeakerSplit())
    train = data.sequences["train"]
    assert (train["stop"] - train["start"]).max() == 500
    store = Store(store_path)
    for part in PARTS[1:]:
        rows = data.sequences[part]
        assert rows["row"].is_unique
        length = (rows["stop"] - rows["start"]).to_numpy()
        assert (length == store.utterances["frames"].to_numpy()[rows["row"]]).all()


def test_batches_of_a_held_out_part_hold_every_unit_once(store_path: Path) -> None:
    data = LanguageDataModule(store_path, SpeakerSplit(), batch_size=4)
    for part, loader in (
        ("validation", data.val_dataloader()),
        ("test", data.part_dataloader("test")),
        ("train", data.part_dataloader("train")),
    ):
        batches = list(loader)
        assert max(map(len, batches)) <= 4
        units = torch.cat([batch.unit for batch in batches]).tolist()
        assert sorted(units) == sorted(data.pieces[part]["unit"])
        lengths = torch.cat([batch.lengths for batch in batches])
        assert (lengths.diff() >= 0).all()  # like lengths together


def test_loader_processes_give_the_same_batches(store_path: Path) -> None:
    def batches(workers: int) -> list[torch.Tensor]:
        data = LanguageDataModule(store_path, SpeakerSplit(), batch_size=16, workers=workers)
        return [batch.features for batch in data.train_dataloader()]

    alone, together = batches(0), batches(2)
    assert len(alone) == len(together) > 1
    assert all(map(torch.equal, alone, together))


@pytest.mark.parametrize(
    ("split", "speakers", "utterances"),
    [(SpeakerSplit(), False, False), (KFoldSplit(folds=3), False, False),
     (RecordingSplit(), True, False), (SequenceSplit(), True, True),
     (HeldOutFilesSplit(), True, True)],
)  # fmt: skip
def test_summary_counts_what_the_parts_share(
    store_path: Path, tmp_path: Path, split: Split, speakers: bool, utterances: bool
) -> None:
    data = LanguageDataModule(store_path, split, sequence_frames=100)
    rows = data.store.utterances
    rows["speaker"] = [f"{language}{i % 4}" for i, language in enumerate(rows["language"])]
    data._assign()
    summary = data.summary()
    shared = summary["shared"]
    assert (shared["speakers"] > 0, shared["utterances"] > 0) == (speakers, utterances)
    assert shared["unknown_speakers"] == 0 and summary["left_out"] == 0
    clips = {
        language: sum(summary["parts"][part][language]["clips"] for part in PARTS)
        for language in data.classes
    }
    if utterances:
        assert min(clips.values()) > 12  # an utterance counts in every part that it lies in
    else:
        assert set(clips.values()) == {12}
    counts = [summary["parts"][part]["Hindi"]["speakers"] for part in PARTS]
    assert sum(counts) == 4 if not speakers else sum(counts) > 4


def test_summary_tells_rows_left_out_and_unknown_speakers(
    small: Callable[[Sequence[Row]], Path],
) -> None:
    rows = [(language, "" if part == "test" else speaker, part, frames)
            for language, speaker, part, frames in ROWS]  # fmt: skip
    summary = LanguageDataModule(small(rows), Given()).summary()
    assert summary["left_out"] == 1
    none = {"speakers": 0, "recordings": 0, "utterances": 0}
    assert summary["shared"] == none | {"unknown_speakers": 2}
    assert summary["parts"]["test"]["A"] == {"clips": 1, "speakers": 0, "unknown_speakers": 1}
    assert summary["missing"] == {"train": [], "validation": [], "test": []}


@pytest.mark.parametrize("part", ["validation", "test"])
def test_summary_names_the_classes_that_a_part_lacks(
    small: Callable[[Sequence[Row]], Path], part: str
) -> None:
    rows = [row for row in ROWS if (row[0], row[2]) != ("B", part)]
    summary = LanguageDataModule(small(rows), Given()).summary()
    assert summary["missing"] == {name: ["B"] if name == part else [] for name in PARTS}
    assert "B" not in summary["parts"][part]
    silent = LanguageDataModule(small([*rows, ("B", "b9", part, "....")]), Given()).summary()
    assert silent["missing"] == summary["missing"]  # a clip without speech is not heard
    assert silent["parts"][part]["B"]["clips"] == 1


def test_the_order_depends_on_seed_and_epoch_alone(store_path: Path) -> None:
    sampler = EpochSampler(lambda _: np.arange(50), seed=3)
    first = list(sampler)
    assert sorted(first) == list(range(50)) and len(sampler) == 50
    torch.manual_seed(99)
    assert list(sampler) == first
    sampler.set_epoch(1)
    second = list(sampler)
    assert second != first
    again = EpochSampler(lambda _: np.arange(50), seed=3)
    again.set_epoch(1)
    assert list(again) == second
    assert list(EpochSampler(lambda _: np.arange(50), seed=4)) != first
    data = LanguageDataModule(store_path, SpeakerSplit(), seed=5)
    loader = data.train_dataloader()
    assert isinstance(loader.sampler, EpochSampler) and loader.sampler.seed == 5


@pytest.mark.parametrize(("drawn", "processes"), [(50, 2), (48, 2), (49, 2), (49, 4), (51, 4)])
def test_processes_share_every_batch_of_an_epoch(drawn: int, processes: int) -> None:
    """Batch by batch all of them together draw what one alone draws, each index once."""
    one = EpochSampler(lambda _: np.arange(drawn), seed=3, batch_size=8)
    ranks = range(processes)
    several = [
        EpochSampler(lambda _: np.arange(drawn), 3, batch_size=8, rank=rank, processes=processes)
        for rank in ranks
    ]
    orders = []
    for epoch in (0, 1):
        for sampler in (one, *several):
            sampler.set_epoch(epoch)
        alone, shares = list(one), [list(sampler) for sampler in several]
        assert [len(share) for share in shares] == [len(sampler) for sampler in several]
        size = 8 // processes
        assert {-(-len(share) // size) for share in shares} == {-(-drawn // 8)}  # steps
        for step in range(-(-drawn // 8)):
            batch = alone[8 * step : 8 * step + 8]
            together = [index for share in shares for index in share[size * step :][:size]]
            assert set(together) == set(batch)
            assert len(together) == max(len(batch), processes)  # padded, so that none waits
        orders.append(alone)
    assert orders[0] != orders[1]


def test_processes_share_the_validation_part(
    store_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each sequence is in the batches of one process."""
    data = LanguageDataModule(store_path, SpeakerSplit(), batch_size=4)
    expected = sorted(data.sequences["validation"]["unit"])
    units = []
    for rank in (0, 1):
        monkeypatch.setattr(data, "_place", functools.partial(tuple, (rank, 2)))
        batches = [batch.unit.tolist() for batch in data.val_dataloader()]
        assert max(map(len, batches)) == 2
        units += [unit for batch in batches for unit in batch]
    assert sorted(units) == expected


@pytest.mark.parametrize(
    ("batch_size", "processes", "message"),
    [
        (7, 2, "data.batch_size=7: 2 processes share each batch .*; take data.batch_size=8, say"),
        (1, 4, "must be a multiple of 4; take data.batch_size=4"),
        (64, 64, "the validation part has 6 sequences, too few for 64 processes"),
    ],
)
def test_processes_that_cannot_share_are_refused(
    store_path: Path, batch_size: int, processes: int, message: str
) -> None:
    data = LanguageDataModule(store_path, SpeakerSplit(), batch_size=batch_size)
    data.check_processes(1)
    with pytest.raises(LangidError, match=message):
        data.check_processes(processes)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"silence": "drop"}, "silence=drop: accepted are keep, mask, remove, label"),
        ({"sequence_frames": 0}, "data.sequence_frames=0: accepted are 1 and more"),
        ({"batch_size": 0}, "data.batch_size=0"),
    ],
)
def test_settings_that_cannot_be_are_refused(
    store_path: Path, settings: dict[str, int | str], message: str
) -> None:
    with pytest.raises(LangidError, match=message):
        LanguageDataModule(store_path, SpeakerSplit(), **settings)  # type: ignore[arg-type]


def test_stores_that_cannot_be_learnt_from_are_refused(
    small: Callable[[Sequence[Row]], Path],
) -> None:
    with pytest.raises(LangidError, match=r"holds one language only \(A\)"):
        LanguageDataModule(small([row for row in ROWS if row[0] == "A"]), Given())
    with pytest.raises(LangidError, match="the training part has no utterance of B"):
        LanguageDataModule(small(ROWS[1:]), Given())
    with pytest.raises(LangidError, match="the validation part is empty"):
        LanguageDataModule(small([row for row in ROWS if row[2] != "validation"]), Given())


@pytest.mark.parametrize(
    "given", [Given(), SequenceSplit(fractions=[2, 1, 1])], ids=["given", "sequence"]
)
def test_rows_that_the_task_leaves_out_are_in_no_part_and_no_figure(
    small: Callable[[Sequence[Row]], Path], given: Split
) -> None:
    extra = [("C", "c1", "train", "#" * 9), ("", "d1", "test", "##"), ("C", "c2", "test", "##")]
    rows = [*ROWS, *extra]
    data = LanguageDataModule(small(rows), given, sequence_frames=4, task=Task(classes=["B", "A"]))
    assert data.classes == ["B", "A"]
    assert data.left_out == {"unlabelled": 1, "other_classes": {"C": 2}}
    for part in (*PARTS, "all"):
        sequences = data.sequences[part]
        assert set(sequences["row"]) <= set(range(len(ROWS)))
        expected = [["B", "A"].index(rows[row][0]) for row in sequences["row"]]
        assert sequences["target"].tolist() == expected
    train = data.sequences["train"]
    spoken = [train["speech"][train["target"] == index].sum() for index in (0, 1)]
    assert data.class_frames() == spoken  # what the weights are made of
    mean, _ = data.normaliser_statistics()
    assert mean[0] <= len(ROWS) - 1  # bin 0 is the number of the row
    summary = data.summary()
    assert all(set(part) <= {"A", "B"} for part in summary["parts"].values())
    if isinstance(given, Given):
        assert data.class_frames() == [12, 4]
        assert summary["left_out"] == 1  # row 7, by the split


@pytest.mark.parametrize(
    ("part", "where"), [("test", "0 in validation, 1 in test"), ("", "0 in validation, 0 in test")]
)
def test_a_class_without_training_rows_is_refused_with_where_it_is(
    small: Callable[[Sequence[Row]], Path], part: str, where: str
) -> None:
    store = small([*ROWS, ("C", "c1", part, "###")])
    message = rf"training part has no utterance of C \({where}\); change .* \(task.classes\)"
    with pytest.raises(LangidError, match=message):
        LanguageDataModule(store, Given())
    assert LanguageDataModule(store, Given(), task=Task(classes=["A", "B"])).classes == ["A", "B"]


@pytest.mark.parametrize("policy", ["keep", "mask", "remove", "label"])
def test_unlabelled_speech_is_drawn_and_has_no_target(
    small: Callable[[Sequence[Row]], Path], policy: str
) -> None:
    rows = (*ROWS, ("C", "c1", "train", "##.##"), ("B", "b4", "train", "##.#"))
    split = Given(unlabelled=["C"])
    data = LanguageDataModule(small(rows), split, policy, 4, 99, balance=Undersample())
    assert data.classes == ["A", "B"] and data.left_out["other_classes"] == {}
    assert data.summary()["unlabelled"] == {"clips": 1, "speakers": 1, "unknown_speakers": 0}
    alone = LanguageDataModule(small(rows[:-2] + rows[-1:]), Given(), policy, 4, 99)
    assert data.class_frames() == alone.class_frames()
    assert data.sequence_counts()["there"] == alone.sequence_counts()["there"]
    (batch,) = data.train_dataloader()
    unlabelled = batch.unit == 8
    assert unlabelled.sum() == len(data.sequences["unlabelled"]) > 0
    assert (batch.target[unlabelled] == -1).all() and (batch.target[~unlabelled] >= 0).all()
    targets = set(batch.targets[unlabelled].unique().tolist())
    assert targets == {IGNORED, 2} if policy == "label" else targets == {IGNORED}
    counts = batch.target[~unlabelled].bincount()
    assert counts[0] == counts[1]  # balanced, whatever has no label
    assert not set(data.sequences["all"]["row"]) & {8}
