"""Tests of langid/evaluation/mistakes.py: what is drawn of a clip is what was heard and said."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from langid.audio.decode import read_audio
from langid.data.store import Store
from langid.evaluation.mistakes import RATE, mistakes
from langid.evaluation.mistakes_page import mistakes_section
from langid.evaluation.predictions import predict_part
from langid.training.checkpoint import build_identifier
from langid.training.run_description import RunDescription
from langid.utterance import utterance_posterior

GRU: dict[str, Any] = {}  # as it is
CNN = {"_target_": "langid.networks.cnn.CNN", "channels": [4]}


@pytest.fixture
def changed(checkpoint_path: Path, tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes a checkpoint of a silence policy, and of another network."""

    def write(silence: str = "mask", network: dict[str, Any] = GRU) -> Path:
        content = torch.load(checkpoint_path, weights_only=True)
        content["langid"]["silence"] = silence
        if network:
            content["langid"]["model"]["network"] = network
            torch.manual_seed(0)
            identifier = build_identifier(RunDescription.from_plain(content["langid"]))
            content["state_dict"] = identifier.state_dict()
        torch.save(content, tmp_path / "changed.ckpt")
        return tmp_path / "changed.ckpt"

    return write


@pytest.mark.parametrize(("silence", "network"), [("mask", GRU), ("remove", GRU), ("remove", CNN)])
def test_posteriors_lie_where_they_were_said_and_speech_where_it_was(
    silence: str, network: dict[str, Any], changed: Callable[..., Path], store_path: Path
) -> None:
    checkpoint, store = changed(silence, network), Store(store_path)
    predictions = predict_part([checkpoint], store_path, "all")
    found = mistakes(predictions, [checkpoint], store_path, "all")
    rows = store.utterances.set_index("utterance_id")
    assert found and any(not one.speech.all() for one in found)
    for one in found:
        first, frames = rows.loc[one.utterance_id, ["first_frame", "frames"]]
        assert one.speech.tolist() == store.read_speech(first, first + frames).tolist()
        assert len(one.posteriors) == frames
        said = utterance_posterior(one.posteriors, one.speech)
        assert predictions.classes[said.argmax()] == one.predicted
        assert said.max() == pytest.approx(one.confidence, abs=1e-5)
        if silence == "remove":  # over what was cut out the last answer holds
            cut = np.flatnonzero(~one.speech[1:] & one.speech.cumsum()[1:].astype(bool)) + 1
            np.testing.assert_array_equal(one.posteriors[cut], one.posteriors[cut - 1])


@pytest.mark.parametrize("content", ["features", "samples"])
def test_of_clips_that_were_heard_in_part_that_part_is_drawn(
    content: str, changed: Callable[..., Path], store_path: Path, samples_path: Path
) -> None:
    place = store_path if content == "features" else samples_path
    checkpoint, store = changed("remove"), Store(place)
    predictions = predict_part([checkpoint], place, "all", heard_s=0.5)
    found = mistakes(predictions, [checkpoint], place, "all")
    rows = store.utterances.set_index("utterance_id")
    assert found
    for one in found:
        row = rows.loc[one.utterance_id]
        start = row["first_frame"]
        speech = store.read_speech(start, start + row["frames"])
        begin = int(speech.argmax())
        assert one.speech.tolist() == speech[begin : begin + 50].tolist()
        assert one.seconds == pytest.approx(len(one.posteriors) / 100)
        sound = read_audio(row["path"], RATE)[begin * 160 :][: len(one.samples)]
        np.testing.assert_allclose(one.samples, sound, atol=1e-4)
        assert len(one.samples) == len(one.posteriors) * 160
        said = utterance_posterior(one.posteriors, one.speech)
        assert predictions.classes[said.argmax()] == one.predicted
        assert said.max() == pytest.approx(one.confidence, abs=1e-5)
    assert "there is what was heard: 0.5 s from" in mistakes_section(found, predictions, True)


def test_a_clip_of_several_pieces_is_drawn_as_far_as_it_was_heard(
    changed: Callable[..., Path], store_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("langid.data.pieces.HELD_OUT_S", 0.7)
    checkpoint = changed()
    predictions = predict_part([checkpoint], store_path, "all")
    for one in mistakes(predictions, [checkpoint], store_path, "all"):
        assert len(one.posteriors) == len(one.speech) == round(one.seconds * 100)
        assert abs(len(one.samples) - one.seconds * RATE) < 160
        said = utterance_posterior(one.posteriors, one.speech)
        assert said.max() == pytest.approx(one.confidence, abs=1e-5)
