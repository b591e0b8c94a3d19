"""Tests of langid/evaluation/predictions.py; whole reports are tested in commands/."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import langid as package
from langid.data.dataset import cut
from langid.data.silence_policy import silence_policy
from langid.data.store import Store
from langid.errors import LangidError
from langid.evaluation import predictions
from langid.evaluation.report import make_report
from langid.training.checkpoint import build_identifier
from langid.training.run_description import RunDescription

PIECE = 150  # frames


@pytest.fixture
def convolutional(checkpoint_path: Path, tmp_path: Path) -> Path:
    """Return an untrained checkpoint of an utterance network."""
    checkpoint = torch.load(checkpoint_path, weights_only=True)
    network = {"_target_": "langid.networks.cnn.CNN", "channels": [4]}
    checkpoint["langid"]["model"]["network"] = network
    description = RunDescription.from_plain(checkpoint["langid"])
    torch.manual_seed(0)
    checkpoint["state_dict"] = build_identifier(description).state_dict()
    torch.save(checkpoint, tmp_path / "cnn.ckpt")
    return tmp_path / "cnn.ckpt"


@pytest.mark.parametrize("network", ["GRU", "CNN"])
def test_pieces_of_an_utterance_count_by_their_speech_frames(
    checkpoint_path: Path,
    convolutional: Path,
    store_path: Path,
    network: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The pieces that a network hears by themselves: a streaming one hears the whole."""
    monkeypatch.setattr("langid.data.pieces.HELD_OUT_S", PIECE / 100)
    path = convolutional if network == "CNN" else checkpoint_path
    table = predictions.predict_part([path], store_path, "all").table.set_index("utterance_id")
    identifier, store = package.load(path), Store(store_path)
    pieces = cut(store, silence_policy("mask"), PIECE if network == "CNN" else 100_000)
    pieces = pieces[pieces["row"] == 5]
    assert len(pieces) == 1 if network == "GRU" else pieces["speech"].nunique() > 1
    total = torch.zeros(3)
    for start, stop in pieces[["start", "stop"]].to_numpy():
        features, speech = store.read(int(start), int(stop))
        frames = torch.from_numpy(features).float()[None]
        with torch.inference_mode():
            logits = identifier(frames, torch.tensor([len(speech)]))
        posteriors = identifier.class_posteriors(logits)[0]
        total += posteriors[0] * speech.sum() if network == "CNN" else posteriors[speech].sum(0)
    expected = total / int(pieces["speech"].sum())
    columns = [f"p({name})" for name in identifier.classes]
    found = table.loc[store.utterances["utterance_id"][5], columns].tolist()
    assert found == pytest.approx(expected.tolist(), abs=1e-5)


@pytest.fixture
def changed(checkpoint_path: Path, tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes a checkpoint with parts of its description changed."""

    def write(**parts: Any) -> Path:
        checkpoint = torch.load(checkpoint_path, weights_only=True)
        for name, settings in parts.items():
            checkpoint["langid"][name] = checkpoint["langid"][name] | settings
        torch.save(checkpoint, tmp_path / "changed.ckpt")
        return tmp_path / "changed.ckpt"

    return write


def test_a_test_part_that_the_split_does_not_have_is_told(
    changed: Callable[..., Path], store_path: Path
) -> None:
    path = changed(split={"fractions": [0.8, 0.2, 0]})
    with pytest.raises(
        LangidError,
        match=r"part=test: the split of this training has no test part; score part=validation",
    ):
        predictions.predict_part([path], store_path, "test")
    assert len(predictions.predict_part([path], store_path, "validation").table) >= 3


def test_what_changes_features_in_evaluation_does_so_alike_each_time(
    changed: Callable[..., Path], store_path: Path
) -> None:
    masks = {"time_masks": 2, "frequency_masks": 2, "frequency_width": 40, "time_shift": 0.4}

    def table(augment: dict[str, Any], workers: int = 0) -> pd.DataFrame:
        path = changed(augment=augment)
        return predictions.predict_part([path], store_path, "all", workers).table

    plain, flawed = table(masks), table(masks | {"in_evaluation": True})
    column = "p(Hindi)"
    assert not np.allclose(plain[column], flawed[column], atol=1e-6)
    torch.manual_seed(77)
    package.load(changed(augment=masks))
    state = torch.get_rng_state()
    torch.manual_seed(77)
    assert table(masks | {"in_evaluation": True}).equals(flawed)
    assert torch.equal(torch.get_rng_state(), state)  # nothing but loading has drawn or seeded
    assert table(masks | {"in_evaluation": True}, workers=1).equals(flawed)
    assert table({}).equals(plain)  # of training alone


def test_an_ensemble_averages_posteriors(
    checkpoint_path: Path, store_path: Path, tmp_path: Path
) -> None:
    other = torch.load(checkpoint_path, weights_only=True)
    for weights in other["state_dict"].values():
        weights *= 0.5
    torch.save(other, tmp_path / "other.ckpt")
    members = [checkpoint_path, tmp_path / "other.ckpt"]
    alone = [predictions.predict_part([path], store_path, "test").table for path in members]
    both = predictions.predict_part(members, store_path, "test", ensemble=True)
    columns = [f"p({name})" for name in both.classes]
    mean = (alone[0][columns] + alone[1][columns]) / 2
    np.testing.assert_allclose(both.table[columns], mean, atol=1e-6)
    assert not np.allclose(alone[0][columns], mean, atol=1e-3)
    assert make_report(both, "test")["shared_with_training"]["speakers"] == 0
    with pytest.raises(LangidError, match=r"score the same utterances .*ensemble=true"):
        predictions.predict_part(members, store_path, "test")


def test_members_of_an_ensemble_may_have_had_other_workers(
    checkpoint_path: Path, changed: Callable[..., Path], store_path: Path
) -> None:
    members = [checkpoint_path, changed(data={"workers": 7})]
    both = predictions.predict_part(members, store_path, "test", ensemble=True)
    alone = predictions.predict_part([checkpoint_path], store_path, "test")
    columns = [f"p({name})" for name in both.classes]
    np.testing.assert_allclose(both.table[columns], alone.table[columns], atol=1e-6)
    with pytest.raises(LangidError, match=r"its data .* is not that of the first one"):
        members = [checkpoint_path, changed(data={"batch_size": 7})]
        predictions.predict_part(members, store_path, "test", ensemble=True)


def test_an_ensemble_hears_one_thing(
    checkpoint_path: Path, changed: Callable[..., Path], store_path: Path
) -> None:
    members = [checkpoint_path, changed(split={"seed": 1})]
    with pytest.raises(LangidError, match=r"its split .* is not that of the first one"):
        predictions.predict_part(members, store_path, "test", ensemble=True)
