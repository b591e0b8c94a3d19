"""A frozen encoder and the network on its states as one file, which hears windows."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch

from langid.errors import LangidError
from langid.export import parity, precision
from langid.export.streaming_module import StreamingModule
from langid.export.validation_clips import LabelledClip
from langid.export.windowed import OfflineModule, export_offline, utterance_posteriors
from langid.streaming.streamer import StreamingIdentifier
from langid.streaming.windowed_model import WindowedModel
from langid.training.checkpoint import build_identifier
from langid.training.identifier import LanguageIdentifier

from ..conftest import Once, described

LAYER = 1  # of the encoder's six: the others would only take their time
HEADS: dict[str, dict[str, Any]] = {
    "probes.LinearProbe": {},
    "recurrent.GRU": {"units": 8, "dense": 8},
}


def on_encoder(
    encoder: str | Path,
    clip: np.ndarray,
    network: str = "probes.LinearProbe",
    revision: str | None = None,
) -> LanguageIdentifier:
    """Return an identifier on an encoder's states, normalised on a clip."""
    torch.manual_seed(0)
    pretrained = {
        "_target_": "langid.signal.pretrained.Pretrained", "encoder": str(encoder), "layer": LAYER,
        "revision": revision, "sha256": None,
    }  # fmt: skip
    identifier = build_identifier(
        described(
            features=pretrained,
            detector={"_target_": "langid.signal.speech_detector.EnergyDetector"},
            classes=["English", "Hindi", "Mandarin"],
            model={
                "_target_": "langid.training.identifier.LanguageIdentifier",
                "network": {"_target_": f"langid.networks.{network}", **HEADS[network]},
            },
        )
    ).eval()
    states = identifier.front_end(torch.from_numpy(clip)[None])[0]
    identifier.normaliser.fit(states[0].mean(0), states[0].std(0))
    return identifier


@pytest.fixture(scope="module")
def identifier(encoder_path: Path, clips: list[np.ndarray]) -> LanguageIdentifier:
    return on_encoder(encoder_path, clips[0])


@pytest.fixture(scope="module")
def path(identifier: LanguageIdentifier, clips: list[np.ndarray], once: Once) -> Path:
    """Return the file of ``identifier``, which hears windows of 1.5 s."""

    def export(folder: Path) -> None:
        found = export_offline(identifier, folder / "model.onnx", [clips[0][:32100]], 1.5, 0.5)
        assert max(found.values()) < parity.ENCODER_TOLERANCE

    return once("offline-pretrained", export) / "model.onnx"


def test_windows_full_or_not_are_heard_as_pytorch_does(
    path: Path, identifier: LanguageIdentifier, clips: list[np.ndarray]
) -> None:
    heard = clips[5][16000:48000]
    windows = [heard[max(0, end - 24000) : end] for end in range(8000, 32001, 8000)]
    expected = np.stack([utterance_posteriors(identifier, window) for window in windows])
    assert np.ptp(expected, axis=0).max() > 0.01
    posteriors = parity.feed_clip(StreamingIdentifier.load(path), heard, 1000)
    np.testing.assert_allclose(posteriors, expected, rtol=0, atol=1e-3)
    for frames in (1, 2, 1500):  # up to the 30 s that the encoder takes
        samples = np.resize(clips[1], (2, frames * 320))
        samples[1] = np.resize(clips[2], frames * 320)
        expected = np.stack([utterance_posteriors(identifier, row) for row in samples])
        posteriors, speech = WindowedModel(path).process(samples)
        np.testing.assert_allclose(posteriors, expected, rtol=0, atol=1e-3)
        assert speech.shape == (2, frames)


def test_a_network_that_streams_hears_windows_where_its_features_do_not(
    encoder_path: Path, clips: list[np.ndarray], tmp_path: Path
) -> None:
    gru = on_encoder(encoder_path, clips[0], "recurrent.GRU")
    with pytest.raises(LangidError, match="Pretrained are not causal"):
        StreamingModule(gru)
    found = export_offline(gru, tmp_path / "model.onnx", [clips[1][:20000]], 1.0, 0.5)
    assert max(found.values()) < 1e-3


def test_metadata_name_the_encoder(
    identifier: LanguageIdentifier,
    encoder_path: Path,
    clips: list[np.ndarray],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    name = encoder_path.name
    monkeypatch.setenv("LANGID_MODELS", str(encoder_path.parent))
    other = on_encoder(name, clips[0], revision="abc")
    told = [OfflineModule(one, 5.0, 0.5).metadata() for one in (identifier, other)]
    assert told[0]["encoder"] == {"name": name, "revision": None, "sha256": None}
    assert told[1]["encoder"] == {"name": name, "revision": "abc", "sha256": None}
    assert (told[0]["window_s"], told[0]["hop_s"], told[0]["latency_s"]) == (5.0, 0.5, 0.5)
    assert told[0]["weights_sha256"] != told[1]["weights_sha256"]
    json.dumps(told, allow_nan=False)


def test_a_window_is_no_longer_than_what_the_encoder_hears(identifier: LanguageIdentifier) -> None:
    assert OfflineModule(identifier, 30.0, 0.5).metadata()["window_samples"] == 480_000
    with pytest.raises(LangidError, match=r"accepted are multiples of 0\.02 s, up to 30 s"):
        OfflineModule(identifier, 30.5, 0.5)


@pytest.mark.parametrize(("kind", "least"), [("float16", 0.55), ("int8", 0.45)])
def test_the_encoder_is_made_smaller_and_its_input_is_not(
    kind: str, least: float, path: Path, clips: list[np.ndarray], tmp_path: Path
) -> None:
    small, labelled = tmp_path / "small.onnx", [LabelledClip(clips[1][:24000], 0)]
    comparison = precision.reduce_precision(path, small, kind, labelled)
    assert comparison.bytes[1] < least * comparison.bytes[0]
    tensors = {tensor.name: tensor.data_type for tensor in onnx.load(small).graph.initializer}
    inputs = {kind for name, kind in tensors.items() if ".inputs." in name}
    assert inputs == {onnx.TensorProto.FLOAT}
    assert WindowedModel(small).metadata["precision"] == kind
