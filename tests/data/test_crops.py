"""Tests of langid/data/crops.py, and of the batches of crops that training hears."""

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from langid.build import build
from langid.corpora.splits import SequenceSplit, SpeakerSplit
from langid.data.balance import Oversample
from langid.data.crops import Crops
from langid.data.datamodule import LanguageDataModule
from langid.data.dataset import Batch
from langid.data.store import Store
from langid.errors import LangidError

CROP_S = [0.5, 3]  # of real clips of about five seconds


def data_of(path: Path, **more: Any) -> LanguageDataModule:
    settings = {"split": SpeakerSplit(), "batch_size": 4, "crop_s": CROP_S}
    return LanguageDataModule(path, **settings | more)


def epoch(data: LanguageDataModule, number: int = 0) -> list[Batch]:
    loader = data.train_dataloader()
    loader.sampler.set_epoch(number)  # type: ignore[attr-defined]
    return list(loader)


def heard(batches: list[Batch]) -> dict[int, torch.Tensor]:
    """Return what is heard of each utterance, without padding; each is heard once."""
    crops = {
        int(unit): values[:length]
        for batch in batches
        for unit, values, length in zip(batch.unit, batch.features, batch.lengths, strict=True)
    }
    assert len(crops) == sum(map(len, batches))
    return crops


def alike(these: dict[int, torch.Tensor], others: dict[int, torch.Tensor]) -> bool:
    return these.keys() == others.keys() and all(
        torch.equal(these[unit], others[unit]) for unit in these
    )


def test_an_epoch_hears_one_crop_of_every_training_utterance(store_path: Path) -> None:
    data, store = data_of(store_path), Store(store_path)
    batches = epoch(data)
    crops = heard(batches)
    parts = data.parts
    assert set(crops) == set(parts["row"][parts["part"] == "train"])
    for row, crop in crops.items():
        first, frames = store.utterances.loc[row, ["first_frame", "frames"]]
        whole = torch.from_numpy(store.read(first, first + frames)[0]).float()
        assert 50 <= len(crop) <= 300
        places = [start for start in range(frames - len(crop) + 1) if whole[start].equal(crop[0])]
        assert any(whole[start : start + len(crop)].equal(crop) for start in places)
    assert all(batch.speech.any(1).all() for batch in batches)
    lengths = [len(crop) for number in range(4) for crop in heard(epoch(data, number)).values()]
    assert len(set(lengths)) > len(lengths) / 2
    assert min(lengths) < 80 and max(lengths) > 270


def test_crops_depend_on_seed_and_epoch_alone(store_path: Path) -> None:
    first = heard(epoch(data_of(store_path)))
    assert alike(first, heard(epoch(data_of(store_path, workers=1))))
    assert alike(first, heard(epoch(data_of(store_path, workers=4))))
    assert not alike(first, heard(epoch(data_of(store_path), 1)))
    assert not alike(first, heard(epoch(data_of(store_path, seed=1))))
    resumed = data_of(store_path)
    epoch(resumed, 3)
    assert alike(first, heard(epoch(resumed)))


def test_processes_share_the_crops_of_one(
    store_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = heard(epoch(data_of(store_path)))
    shares = []
    for rank in range(2):
        monkeypatch.setattr(LanguageDataModule, "_place", lambda _, rank=rank: (rank, 2))
        shares.append(heard(epoch(data_of(store_path))))
    assert alike(first, shares[0] | shares[1])


def test_crops_of_samples_have_the_features_of_the_whole(
    store_path: Path, samples_path: Path
) -> None:
    """Also right behind their beginning: the samples before it are heard as context."""
    data = data_of(samples_path)
    features = build(data.store.description["features"], "features")
    made = heard([batch.with_features(features) for batch in epoch(data)])
    stored = heard(epoch(data_of(store_path)))
    assert made.keys() == stored.keys()
    for unit, crop in made.items():
        torch.testing.assert_close(crop, stored[unit], rtol=6e-4, atol=2e-3)


def test_where_silence_is_removed_lengths_are_of_what_is_left(store_path: Path) -> None:
    batches = epoch(data_of(store_path, silence="remove", crop_s=[1, 1]))
    assert all(batch.speech.sum(1).equal(batch.lengths) for batch in batches)
    lengths = [int(length) for batch in batches for length in batch.lengths]
    assert max(lengths) == 100 and lengths.count(100) > len(lengths) / 2


def test_balance_draws_other_crops_of_what_it_draws_again(store_path: Path) -> None:
    data = data_of(store_path, balance=Oversample())
    data.sequences["train"] = data.sequences["train"].query("target > 0 or unit % 3 == 0")
    batches = epoch(data)
    counts = data.sequence_counts()
    assert sum(map(len, batches)) == sum(counts["per_epoch"]) > sum(counts["there"])
    units = torch.cat([batch.unit for batch in batches])
    lengths = torch.cat([batch.lengths for batch in batches])
    again = next(unit for unit in units.tolist() if (units == unit).sum() > 1)
    assert len(set(lengths[units == again].tolist())) > 1


def test_sequences_that_a_split_deals_are_cropped(store_path: Path) -> None:
    data = data_of(store_path, split=SequenceSplit(), sequence_frames=200)
    batches = epoch(data)
    assert sum(map(len, batches)) == len(data.sequences["train"])
    lengths = torch.cat([batch.lengths for batch in batches])
    assert lengths.max() <= 200 and lengths.unique().numel() > 20


@pytest.mark.parametrize("bounds", [(50, 400), (120, 120)])
def test_expected_lengths_are_those_of_many_crops(bounds: tuple[float, float]) -> None:
    crops, heard = Crops(*bounds), np.array([0, 30, 50, 200, 400, 3000])
    draws = crops.lengths(np.random.default_rng(0).random(20_000))
    expected = np.minimum(draws[:, None], heard).mean(0)
    np.testing.assert_allclose(crops.expected(heard), expected, rtol=0.02)


def test_classes_are_balanced_by_what_their_crops_have(store_path: Path) -> None:
    cropped, whole = data_of(store_path), data_of(store_path, crop_s=None)
    heard = np.zeros(len(cropped.classes))
    for number in range(10):
        for batch in epoch(cropped, number):
            np.add.at(heard, batch.target.numpy(), batch.speech.sum(1).numpy())
    shares, plain = (np.array(of.class_frames()) for of in (cropped, whole))
    off = [np.abs(of / of.sum() - heard / heard.sum()).max() for of in (shares, plain)]
    assert off[0] < 0.02 < off[1]


def test_an_utterance_that_is_shorter_is_heard_whole() -> None:
    speech = np.array([False, True, True, False])
    crops = Crops(4.0, 9.0)
    assert crops.bounds(speech | ~speech, speech, [0.0, 0.5, 0.5]) == (0, 4)


def test_crops_cover_speech_and_stay_inside() -> None:
    speech = np.zeros(40, bool)
    speech[[0, 17, 39]] = True
    draws = np.linspace(0, 0.999, 12)
    found = {
        Crops(1.0, 12.0).bounds(speech | ~speech, speech, drawn)
        for drawn in itertools.product(draws, repeat=3)
    }
    assert all(0 <= start < stop <= 40 and speech[start:stop].any() for start, stop in found)
    assert {stop - start for start, stop in found} == set(range(1, 13))
    assert {start for start, _ in found} >= {0, 17} and {stop for _, stop in found} >= {18, 40}


@pytest.mark.parametrize(
    "crop_s",
    [[10, 0.5], [-1, 2], [0, 2], ["a", "b"], 3, [3], [1, 2, 3], [1, float("nan")],
     [1, float("inf")], True, [], "0.5"],
)  # fmt: skip
def test_other_values_are_refused(store_path: Path, crop_s: Any) -> None:
    with pytest.raises(LangidError, match=r"^data.crop_s=.*: accepted are null and two numbers"):
        data_of(store_path, crop_s=crop_s)


def test_a_crop_below_a_frame_is_refused(store_path: Path) -> None:
    with pytest.raises(LangidError, match=r"crop_s=\[0.001, 3\]: a frame .* lasts 0.01 s"):
        data_of(store_path, crop_s=[0.001, 3])
