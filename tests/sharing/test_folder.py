"""The folder as it is given away: whole or not at all, with an ONNX file where there can be one."""

from pathlib import Path

import numpy as np
import pytest
from conftest import variant

from langid.errors import LangidError
from langid.export import parity
from langid.sharing.folder import share
from langid.streaming.streamer import StreamingIdentifier
from langid.training.checkpoint import load_identifier
from langid.training.identifier import LanguageIdentifier

FILES = ["README.md", "config.json", "model.safetensors"]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_it_holds_weights_configuration_card_and_onnx(
    trained: LanguageIdentifier, clips: list[np.ndarray], tmp_path: Path
) -> None:
    folder = tmp_path / "given one"
    assert share(trained, folder) == ""
    assert names(folder) == sorted([*FILES, "model.onnx"])
    card = (folder / "README.md").read_text()
    assert "hf download OWNER/NAME --local-dir 'given one'" in card
    assert "'model=\"given one/model.onnx\"'" in card and "langid.load('given one')" in card
    stream = StreamingIdentifier.load(folder / "model.onnx")
    offline = parity.posteriors_and_speech(load_identifier(folder), clips[0])[0]
    assert np.abs(parity.feed_clip(stream, clips[0], 1600) - offline).max() < 1e-4


def test_what_streams_nowhere_has_no_onnx_and_says_why(
    trained: LanguageIdentifier, tmp_path: Path
) -> None:
    detector = {"_target_": "langid.signal.speech_detector.LibrosaDetector"}
    reason = share(variant(trained, detector=detector), tmp_path / "given")
    assert "LibrosaDetector" in reason and names(tmp_path / "given") == FILES


def test_the_weights_of_a_frozen_encoder_are_not_given(probe_path: Path, tmp_path: Path) -> None:
    reason = share(load_identifier(probe_path), tmp_path / "given")
    assert "it would hold the weights of whisper-base-encoder" in reason
    assert names(tmp_path / "given") == FILES
    card = (tmp_path / "given" / "README.md").read_text()
    assert (
        "pip install -e '.[pretrained]'  # in a clone" in card and "under its own licence" in card
    )


def test_there_is_all_of_it_or_nothing(
    trained: LanguageIdentifier,
    report_path: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(LangidError, match="is of another checkpoint"):
        share(variant(trained), tmp_path / "given", report_path)
    with pytest.raises(LangidError, match="no such file"):
        share(trained, tmp_path / "given", audio=["gone.wav"])
    monkeypatch.setattr(parity, "TOLERANCE", 0.0)
    with pytest.raises(LangidError, match="not written, the exported graph differs"):
        share(trained, tmp_path / "given")
    assert names(tmp_path) == []
