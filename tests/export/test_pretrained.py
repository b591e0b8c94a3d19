"""A frozen encoder and the network on its states as one file, which hears windows."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import soundfile

from langid.commands.main import main
from langid.errors import LangidError
from langid.export import parity, precision
from langid.export.streaming_module import StreamingModule
from langid.export.validation_clips import LabelledClip
from langid.export.windowed import OfflineModule, export_offline, utterance_posteriors
from langid.networks.pretrained import PretrainedNetwork
from langid.signal.encoder_files import pinned
from langid.streaming.multi_stream import MultiStream
from langid.streaming.streamer import StreamingIdentifier
from langid.streaming.windowed_model import WindowedModel, load_model
from langid.training.checkpoint import build_identifier, load_identifier
from langid.training.identifier import LanguageIdentifier


@pytest.fixture(scope="module")
def identifier(probe_path: Path) -> LanguageIdentifier:
    return load_identifier(probe_path)


def test_windows_full_or_not_are_heard_as_pytorch_does(
    window_path: Path, identifier: LanguageIdentifier, clips: list[np.ndarray]
) -> None:
    heard = clips[5][16000:48000]
    windows = [heard[max(0, end - 24000) : end] for end in range(8000, 32001, 8000)]
    expected = np.stack([utterance_posteriors(identifier, window) for window in windows])
    assert np.ptp(expected, axis=0).max() > 0.01
    posteriors = parity.feed_clip(StreamingIdentifier.load(window_path), heard, 1000)
    np.testing.assert_allclose(posteriors, expected, rtol=0, atol=1e-3)
    for frames in (1, 2, 1500):  # up to the 30 s that the encoder takes
        samples = np.stack([np.resize(clip, frames * 320) for clip in clips[1:3]])
        expected = np.stack([utterance_posteriors(identifier, row) for row in samples])
        posteriors, speech = WindowedModel(window_path).process(samples)
        np.testing.assert_allclose(posteriors, expected, rtol=0, atol=1e-3)
        assert speech.shape == (2, frames)


def test_metadata_name_the_encoder(
    window_path: Path,
    identifier: LanguageIdentifier,
    encoder_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told = load_model(window_path).metadata
    sha256 = identifier.described.features["sha256"]
    assert told["encoder"] == {"name": encoder_path.name, "revision": None, "sha256": sha256}
    assert (told["window_s"], told["hop_s"], told["latency_s"]) == (1.5, 0.5, 0.5)
    same = OfflineModule(identifier, 30.0, 0.5)
    assert told["weights_sha256"] == same.metadata()["weights_sha256"]
    features = identifier.described.features | {"sha256": "0" * 64, "encoder": "owner/name"}
    monkeypatch.setattr(identifier, "described", replace(identifier.described, features=features))
    other = OfflineModule(identifier, 30.0, 0.5).metadata()
    assert other["encoder"]["name"] == "owner/name"
    assert other["weights_sha256"] != told["weights_sha256"]
    json.dumps(other, allow_nan=False)


def test_a_window_is_no_longer_than_what_the_encoder_hears(identifier: LanguageIdentifier) -> None:
    with pytest.raises(LangidError, match=r"accepted are multiples of 0\.02 s, up to 30 s"):
        OfflineModule(identifier, 30.5, 0.5)
    with pytest.raises(LangidError, match=r"Pretrained are not causal .*export mode=offline"):
        StreamingModule(identifier)


def test_a_network_that_streams_hears_windows_where_its_features_do_not(
    identifier: LanguageIdentifier, clips: list[np.ndarray], tmp_path: Path
) -> None:
    network = {"_target_": "langid.networks.recurrent.GRU", "units": 8, "dense": 8}
    model = identifier.described.model | {"network": network}
    gru = build_identifier(replace(identifier.described, model=model)).eval()
    found = export_offline(gru, tmp_path / "model.onnx", [clips[1][:20000]], 1.0, 0.5)
    assert max(found.values()) < 1e-3


@pytest.mark.parametrize("kind", ["wav2vec2", "wavlm", "wav2vec2-bert"])
def test_encoders_of_every_family_become_a_file(
    kind: str,
    identifier: LanguageIdentifier,
    saved_encoder: Callable[..., Path],
    clips: list[np.ndarray],
    tmp_path: Path,
) -> None:
    other = {"encoder": str(saved_encoder(kind)), "sha256": None}
    features = pinned(identifier.described.features | other)
    made = build_identifier(replace(identifier.described, features=features)).eval()
    found = export_offline(made, tmp_path / "model.onnx", [clips[1][:20000]], 1.0, 0.5)
    assert max(found.values()) < 1e-3


def test_a_network_with_an_encoder_of_its_own_is_one_file_too(
    identifier: LanguageIdentifier, clips: list[np.ndarray], tmp_path: Path
) -> None:
    held = identifier.described
    given = {"_target_": "langid.networks.pretrained.PretrainedNetwork", "tuned_layers": 1}
    model = held.model | {"network": PretrainedNetwork.pinned(given, held.features)}
    tuned = build_identifier(replace(held, model=model)).eval()
    tuned.network.begin(held.features)  # type: ignore[operator, union-attr]
    path, clip = tmp_path / "model.onnx", clips[1][:20000]
    assert max(export_offline(tuned, path, [clip], 1.0, 0.5).values()) < 1e-3
    model_of_window = WindowedModel(path)
    assert "encoder" not in model_of_window.metadata  # it has learnt
    posteriors, _ = model_of_window.process(np.stack([clip[:9600], clips[2][:9600]]))
    expected = utterance_posteriors(tuned, clips[2][:9600])
    np.testing.assert_allclose(posteriors[1], expected, rtol=0, atol=1e-3)
    small, labelled = tmp_path / "small.onnx", [LabelledClip(clip, 0)]
    sizes = precision.reduce_precision(path, small, "float16", labelled).bytes
    assert sizes[1] < 0.55 * sizes[0]
    with pytest.raises(LangidError, match="up to 30 s"):
        OfflineModule(tuned, 31.0, 0.5)


@pytest.mark.parametrize(("kind", "most"), [("float16", 0.55), ("int8", 0.45)])
def test_the_encoder_is_made_smaller_and_its_input_is_not(
    kind: str, most: float, window_path: Path, clips: list[np.ndarray], tmp_path: Path
) -> None:
    small, labelled = tmp_path / "small.onnx", [LabelledClip(clips[1][:24000], 0)]
    comparison = precision.reduce_precision(window_path, small, kind, labelled)
    assert comparison.bytes[1] < most * comparison.bytes[0]
    tensors = {tensor.name: tensor.data_type for tensor in onnx.load(small).graph.initializer}
    inputs = {kind for name, kind in tensors.items() if ".inputs." in name}
    assert inputs == {onnx.TensorProto.FLOAT}
    assert WindowedModel(small).metadata["precision"] == kind


def test_products_of_inputs_with_outliers_stay_in_float32(
    window_path: Path, clips: list[np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small, labelled = tmp_path / "small.onnx", [LabelledClip(clips[1][:24000], 0)]
    counts = []
    for most in (0, 20, 64):  # standard deviations; the lower layers of Whisper have up to 34
        monkeypatch.setattr(precision, "OUTLYING", most)
        precision.reduce_precision(window_path, small, "int8", labelled)
        operators = [node.op_type for node in onnx.load(small).graph.node]
        counts.append(operators.count("MatMulInteger"))
    assert 0 == counts[0] < counts[1] < counts[2]


def test_commands_and_streams_run_it_as_any_window(
    window_path: Path, clips: list[np.ndarray], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    soundfile.write(tmp_path / "clip.wav", clips[0][:36000], 16000)
    for command in ("predict", "stream", "segments"):
        parts = [f"model={window_path}", f"audio={tmp_path}/clip.wav", "json=true"]
        assert main([command, *parts]) == 0
        lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert lines[-1]["label"] in ("English", "Hindi", "Mandarin")
    many, alone = MultiStream.load(window_path), StreamingIdentifier.load(window_path)
    first, second = many.join(), many.join()
    both = many.step({first: clips[0][:24000], second: clips[1][:24000]})
    expected = alone.feed(clips[1][:24000])
    np.testing.assert_allclose(both[second], expected, atol=1e-4)
