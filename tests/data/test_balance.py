"""Tests of langid/data/balance.py."""

from pathlib import Path

import numpy as np
import pytest

from langid.corpora.splits import SpeakerSplit
from langid.data.balance import Balance, EverySequence, Oversample, Subclasses, Undersample
from langid.data.datamodule import LanguageDataModule
from langid.data.sampler import EpochSampler
from langid.errors import LangidError

TARGETS = np.array([0] * 25 + [1] * 10 + [2] * 17)[np.random.default_rng(0).permutation(52)]
SIZES = [25, 10, 17]
STRATEGIES = (EverySequence(), Undersample(), Oversample(), Subclasses(), Subclasses(fold=1))


def drawn(balance: Balance, epoch: int = 0, seed: int = 0) -> list[list[int]]:
    """Return the indices that an epoch draws of each class."""
    indices = balance(TARGETS, seed, epoch)
    return [sorted(indices[TARGETS[indices] == target].tolist()) for target in range(3)]


@pytest.mark.parametrize("balance", STRATEGIES)
def test_draws_depend_on_seed_and_epoch_alone_and_are_equally_many(balance: Balance) -> None:
    first = balance(TARGETS, seed=3, epoch=2)
    np.random.seed(99)
    assert np.array_equal(balance(TARGETS, seed=3, epoch=2), first)
    assert {len(balance(TARGETS, 3, epoch)) for epoch in range(7)} == {len(first)}
    if not isinstance(balance, EverySequence):
        assert drawn(balance, seed=4) != drawn(balance, seed=3)


def test_every_sequence_once() -> None:
    assert sorted(EverySequence()(TARGETS, 0, 0)) == list(range(52))


def test_undersampling_draws_anew_down_to_the_smallest() -> None:
    english, hindi, mandarin = drawn(Undersample())
    assert [len(set(part)) for part in (english, hindi, mandarin)] == [10, 10, 10]
    assert hindi == np.flatnonzero(TARGETS == 1).tolist()
    assert drawn(Undersample(), epoch=1)[0] != english
    seen = {index for epoch in range(30) for index in drawn(Undersample(), epoch)[0]}
    assert len(seen) == 25  # nothing is left out for good


def test_oversampling_repeats_evenly_up_to_the_largest() -> None:
    for epoch in range(3):
        for part, size in zip(drawn(Oversample(), epoch), SIZES, strict=True):
            times = np.unique(part, return_counts=True)[1]
            assert len(part) == 25 and len(times) == size
            assert times.max() - times.min() <= 1
    assert drawn(Oversample(), epoch=1)[1] != drawn(Oversample())[1]


def test_subclasses_are_balanced_and_together_hold_everything() -> None:
    folds = [drawn(Subclasses(fold)) for fold in range(3)]  # 25 / 10, rounded up
    assert all([len(set(part)) for part in fold] == [10, 10, 10] for fold in folds)
    for target, size in enumerate(SIZES):
        assert len({index for fold in folds for index in fold[target]}) == size
    assert not set(folds[0][0]) & set(folds[1][0])
    assert folds[0][1] == folds[1][1]  # the smallest class is in every set
    assert drawn(Subclasses(1), epoch=5) == folds[1]
    in_turn = [drawn(Subclasses(), epoch) for epoch in range(4)]
    assert in_turn == [*folds, folds[0]]


def test_folds_that_are_not_there_are_refused() -> None:
    with pytest.raises(LangidError, match="makes 3 balanced sets; accepted are 0 to 2, and null"):
        Subclasses(fold=3)(TARGETS, 0, 0)
    for fold in (-1, 0.5, "one", True):
        with pytest.raises(ValueError, match=f"balance.fold={fold}: accepted are null, 0 and more"):
            Subclasses(fold)  # type: ignore[arg-type]


@pytest.mark.parametrize("balance", STRATEGIES)
def test_training_alone_is_balanced(store_path: Path, balance: Balance) -> None:
    plain = LanguageDataModule(store_path, SpeakerSplit(), batch_size=8, sequence_frames=100)
    data = LanguageDataModule(
        store_path, SpeakerSplit(), batch_size=8, sequence_frames=100, balance=balance
    )
    loader = data.train_dataloader()
    assert isinstance(loader.sampler, EpochSampler)
    epochs = []
    for epoch in range(2):
        loader.sampler.set_epoch(epoch)
        epochs.append(np.concatenate([batch.target.numpy() for batch in loader]))
        assert len(epochs[-1]) == len(loader.sampler)
    counts = data.sequence_counts()
    assert counts["there"] == plain.sequence_counts()["per_epoch"]
    assert [np.bincount(epoch).tolist() for epoch in epochs] == [counts["per_epoch"]] * 2
    if not isinstance(balance, EverySequence):
        assert len(set(counts["there"])) > len(set(counts["per_epoch"])) == 1
        assert len(set(epochs[0][:10])) > 1  # the classes come mixed
    assert data.class_frames() == plain.class_frames()
    for part in ("validation", "test"):
        ours = [batch.unit.tolist() for batch in data.part_dataloader(part)]
        assert ours == [batch.unit.tolist() for batch in plain.part_dataloader(part)]
