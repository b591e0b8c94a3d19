"""Tests of langid/evaluation/predictions.py; whole reports are tested in commands/."""

from pathlib import Path

import pytest
import torch

import langid as package
from langid.data.dataset import cut
from langid.data.store import FeatureStore
from langid.evaluation import predictions
from langid.training.checkpoint import build_identifier, read_checkpoint

PIECE = 150  # frames


@pytest.fixture
def convolutional(checkpoint_path: Path, tmp_path: Path) -> Path:
    """Return an untrained checkpoint of an utterance network."""
    checkpoint = read_checkpoint(checkpoint_path)
    network = {"_target_": "langid.networks.cnn.CNN", "channels": [4]}
    checkpoint["langid"]["model"] = checkpoint["langid"]["model"] | {"network": network}
    torch.manual_seed(0)
    checkpoint["state_dict"] = build_identifier(checkpoint["langid"]).state_dict()
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
    monkeypatch.setattr(predictions, "HELD_OUT_FRAMES", PIECE)
    path = convolutional if network == "CNN" else checkpoint_path
    table = predictions.predict_part([path], store_path, "all").table.set_index("utterance_id")
    identifier, store = package.load(path), FeatureStore(store_path)
    pieces = cut(store, "mask", PIECE)
    pieces = pieces[pieces["row"] == 5]
    assert pieces["speech"].nunique() > 1
    total = torch.zeros(3)
    for start, stop in pieces[["start", "stop"]].to_numpy():
        features, speech = store.read(int(start), int(stop))
        frames = torch.from_numpy(features).float()[None]
        with torch.inference_mode():
            logits = identifier(frames, torch.tensor([len(speech)]))
        posteriors = identifier.language_posteriors(logits)[0]
        total += posteriors[0] * speech.sum() if network == "CNN" else posteriors[speech].sum(0)
    expected = total / int(pieces["speech"].sum())
    columns = [f"p({name})" for name in identifier.classes]
    found = table.loc[store.utterances["utterance_id"][5], columns].tolist()
    assert found == pytest.approx(expected.tolist(), abs=1e-5)
