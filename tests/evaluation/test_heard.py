"""Tests of heard_s: the first seconds of each utterance alone are heard and scored."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import langid as package
from langid.data.pieces import cut_whole, first_frames
from langid.data.silence_policy import silence_policy
from langid.data.store import Store
from langid.errors import LangidError
from langid.evaluation.predictions import predict_part
from langid.signal.features import MFCC
from langid.training.checkpoint import build_identifier
from langid.training.run_description import RunDescription


@pytest.fixture(params=["recurrent.GRU", "cnn.CNN"])
def checkpoint(request: pytest.FixtureRequest, checkpoint_path: Path, tmp_path: Path) -> Path:
    """Return a checkpoint of a streaming network, and one of an utterance network."""
    if request.param == "recurrent.GRU":
        return checkpoint_path
    held = torch.load(checkpoint_path, weights_only=True)
    network = {"_target_": f"langid.networks.{request.param}", "channels": [4]}
    held["langid"]["model"]["network"] = network
    torch.manual_seed(0)
    described = RunDescription.from_plain(held["langid"])
    held["state_dict"] = build_identifier(described).state_dict()
    torch.save(held, tmp_path / "cnn.ckpt")
    return tmp_path / "cnn.ckpt"


@pytest.mark.parametrize("content", ["features", "samples"])
def test_a_network_hears_the_first_second_of_speech_alone(
    checkpoint: Path, store_path: Path, samples_path: Path, content: str
) -> None:
    held = samples_path if content == "samples" else store_path
    found = predict_part([checkpoint], held, "all", heard_s=1)
    assert found.heard_s == 1
    identifier, store = package.load(checkpoint), Store(store_path)
    columns = [f"p({name})" for name in identifier.classes]
    for row in (0, 13, 30):
        first, frames = store.utterances.loc[row, ["first_frame", "frames"]]
        begin = first + int(store.read_speech(first, first + frames).argmax())
        features, speech = store.read(begin, min(begin + 100, first + frames))
        with torch.inference_mode():
            frames_of = torch.from_numpy(features).float()[None]
            logits = identifier(frames_of, torch.tensor([len(speech)]))
        posteriors = identifier.class_posteriors(logits)[0].expand(len(speech), -1)
        expected = posteriors[torch.from_numpy(speech)].mean(0).numpy()
        np.testing.assert_allclose(found.table.loc[row, columns].astype(float), expected, atol=1e-3)
        assert found.table.loc[row, "frames"] == speech.sum() <= 100


def test_of_more_seconds_than_there_are_all_is_heard_from_speech_on(
    store_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("langid.data.pieces.HELD_OUT_S", 0.7)
    store = Store(store_path)
    whole = cut_whole(store, silence_policy("mask")).assign(unit=lambda table: table["row"])
    pieces = first_frames(store, whole, 10_000)
    assert pieces.groupby("unit")["speech"].sum().equals(whole.groupby("unit")["speech"].sum())
    assert all(
        store.read_speech(int(start), int(start) + 1)[0]
        for start in pieces.groupby("unit")["start"].min()
    )
    short = first_frames(store, whole, 100)  # in two pieces, or three
    lengths = (short["stop"] - short["start"]).groupby(short["unit"]).sum()
    assert lengths.max() == 100 and short.groupby("unit").size().max() >= 2


def test_of_a_unit_without_speech_its_first_frames_are_heard() -> None:
    class Silent:
        def read_speech(self, start: int, stop: int) -> np.ndarray:
            return np.zeros(stop - start, bool)

    pieces = pd.DataFrame({"start": [5, 9], "stop": [9, 15], "unit": [3, 3], "speech": [0, 0]})
    heard = first_frames(Silent(), pieces, 6)  # type: ignore[arg-type]
    assert heard[["start", "stop"]].to_numpy().tolist() == [[5, 9], [9, 11]]


@pytest.mark.parametrize("heard_s", [0, -1, "x", float("nan"), 0.001, True, [1, 2]])
def test_other_values_are_refused(checkpoint_path: Path, store_path: Path, heard_s: Any) -> None:
    with pytest.raises(LangidError, match=r"^heard_s=.*: accepted are null and seconds"):
        predict_part([checkpoint_path], store_path, "all", heard_s=heard_s)


def test_stored_features_that_have_heard_what_follows_are_refused(
    checkpoint_path: Path, store_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MFCC, "causal", False)
    with pytest.raises(LangidError, match=r"heard_s=1: features MFCC .* content=samples"):
        predict_part([checkpoint_path], store_path, "all", heard_s=1)
