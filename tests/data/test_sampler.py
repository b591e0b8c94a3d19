"""Tests of langid/data/sampler.py; the order of an epoch is tested with the data module."""

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch

from langid.corpora.splits import SpeakerSplit
from langid.data.balance import Undersample
from langid.data.datamodule import LanguageDataModule
from langid.data.sampler import EpochSampler, LaneSampler
from langid.errors import LangidError

ROWS = np.repeat(np.arange(13), [1, 2, 3, 1, 4, 2, 2, 5, 1, 1, 3, 2, 2])  # 29 sequences
BATCH = 4


def lanes_of(order: list[int]) -> list[list[int]]:
    """Return what stands at each place of the batches, one batch after the other."""
    return [order[place::BATCH] for place in range(BATCH)]


@pytest.mark.parametrize("sequences", [29, 28, 3])
def test_every_lane_hears_utterances_whole_and_in_order(sequences: int) -> None:
    rows = ROWS[:sequences]
    order = list(LaneSampler(rows, seed=3, batch_size=BATCH))
    assert sorted(order) == list(range(sequences))
    line = [index for lane in lanes_of(order) for index in lane]
    heard = rows[line]
    changes = int((np.diff(heard) != 0).sum())
    assert changes == len(np.unique(rows)) - 1  # the lanes in a row are the utterances in a row
    within = np.diff(line)[np.diff(heard) == 0]
    assert (within == 1).all()


def test_the_order_of_utterances_depends_on_seed_and_epoch_alone() -> None:
    sampler = LaneSampler(ROWS, seed=3, batch_size=BATCH)
    first = list(sampler)
    assert list(sampler) == first
    sampler.set_epoch(1)
    assert list(sampler) != first
    assert list(LaneSampler(ROWS, seed=4, batch_size=BATCH)) != first


def test_each_process_has_the_same_lanes_in_every_batch() -> None:
    rows = ROWS[:27]  # with 29 the last batch has one lane, and the other process repeats it
    alone = lanes_of(list(LaneSampler(rows, 3, BATCH)))
    for rank in range(2):
        share = list(LaneSampler(rows, 3, BATCH, rank, processes=2))
        assert [share[place::2] for place in range(2)] == alone[rank::2]


def test_batches_of_a_store_go_on_where_those_before_ended(store_path: Path) -> None:
    data = LanguageDataModule(
        store_path, SpeakerSplit(), sequence_frames=100, batch_size=4, carry_state=True
    )
    batches = list(data.train_dataloader())
    assert len(batches) > 10
    assert sum(map(len, batches)) == len(data.sequences["train"])
    goes_on = [
        int(before.unit[place] == after.unit[place])
        for before, after in itertools.pairwise(batches)
        for place in range(len(after))
    ]
    assert np.mean(goes_on) > 0.5  # clips of about five seconds have several such sequences


def test_what_cannot_be_heard_in_lanes_is_refused(store_path: Path) -> None:
    with pytest.raises(LangidError, match=r"carry_state=true: .* balance=Undersample .*none"):
        LanguageDataModule(store_path, SpeakerSplit(), balance=Undersample(), carry_state=True)
    with pytest.raises(LangidError, match=r"carry_state=true: .* data.by_length=false, or .*crop"):
        LanguageDataModule(store_path, SpeakerSplit(), by_length=True, carry_state=True)
    with pytest.raises(LangidError, match=r"data.carry_state=yes: accepted are true and false"):
        LanguageDataModule(store_path, SpeakerSplit(), carry_state="yes")  # type: ignore[arg-type]


def padding_of(lengths: np.ndarray, order: list[int], batch_size: int) -> float:
    """Return which share of the frames of batches is padding."""
    batches = [lengths[order[i : i + batch_size]] for i in range(0, len(order), batch_size)]
    return 1 - lengths[order].sum() / sum(len(batch) * batch.max() for batch in batches)


@pytest.mark.parametrize("count", [64 * 40, 64 * 40 + 23, 64 * 230 + 1])
def test_batches_of_like_length_waste_little_on_padding(count: int) -> None:
    lengths = np.random.default_rng(0).gamma(6, 80, count).astype(int) + 1

    def orders(seed: int, epoch: int, lengths: np.ndarray | None = lengths) -> list[int]:
        sampler = EpochSampler(lambda _: np.arange(count), seed, 64, epoch=epoch)
        sampler.lengths = None if lengths is None else lengths.__getitem__
        return list(sampler)

    order = orders(3, 0)
    assert sorted(order) == list(range(count))
    assert padding_of(lengths, order, 64) < 0.05 < 0.4 < padding_of(lengths, orders(3, 0, None), 64)
    assert order == orders(3, 0)
    assert len({tuple(each) for each in (order, orders(3, 1), orders(4, 0))}) == 3
    firsts = lengths[order[::64]]
    assert abs(np.corrcoef(firsts, np.arange(len(firsts)))[0, 1]) < 0.5  # batches are shuffled


def test_processes_share_batches_of_like_length() -> None:
    lengths = np.random.default_rng(0).integers(1, 900, 101)
    place = {"seed": 3, "batch_size": 8, "lengths": lengths.__getitem__}
    alone = list(EpochSampler(lambda _: np.arange(101), **place))
    shares = [
        list(EpochSampler(lambda _: np.arange(101), **place, rank=rank, processes=2))
        for rank in range(2)
    ]
    assert shares == [alone[rank::2] for rank in range(2)]


@pytest.mark.parametrize("silence", ["mask", "remove"])
@pytest.mark.parametrize("crop_s", [None, [0.5, 4]])
def test_lengths_are_those_of_the_batches(
    store_path: Path, silence: str, crop_s: list[float] | None
) -> None:
    keys = {"silence": silence, "sequence_frames": 300, "batch_size": 4, "crop_s": crop_s}
    data = LanguageDataModule(store_path, SpeakerSplit(), by_length=True, **keys)
    loader = data.train_dataloader()
    assert isinstance(loader.sampler, EpochSampler) and loader.sampler.lengths
    items = np.array(list(loader.sampler))
    heard = torch.cat([batch.lengths for batch in loader])
    assert heard.tolist() == loader.sampler.lengths(items).tolist()
    padded = sum(batch.speech.numel() for batch in loader)
    mixed = LanguageDataModule(store_path, SpeakerSplit(), **keys).train_dataloader()
    assert padded < 0.9 * sum(batch.speech.numel() for batch in mixed)
