"""The exported graph: parity with PyTorch, declared shapes, metadata, and what is refused."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from langid import __version__
from langid.errors import LangidError
from langid.export import onnx as export
from langid.export.onnx import export_onnx
from langid.export.parity import feed_clip
from langid.export.streaming_module import StreamingModule, TorchModel
from langid.streaming.decision import DecisionSettings
from langid.streaming.onnx_model import OnnxModel
from langid.streaming.streamer import StreamingIdentifier
from langid.training.identifier import LanguageIdentifier

from ..conftest import Exported, variant

WHOLE = 10**9


def offline(identifier: LanguageIdentifier, clip: np.ndarray) -> np.ndarray:
    posteriors: np.ndarray = identifier.posteriors(torch.from_numpy(clip)[None])[0][0].numpy()
    return posteriors


def torch_stream(exported: Exported) -> StreamingIdentifier:
    return StreamingIdentifier(TorchModel(StreamingModule(exported.identifier)))


def test_onnx_equals_offline_on_every_frame_of_20_clips(
    exported: Exported, clips: list[np.ndarray]
) -> None:
    stream = StreamingIdentifier.load(exported.path)
    spread = 0.0
    for clip in clips:
        expected = offline(exported.identifier, clip)
        assert len(expected) == -(-len(clip) // 160)
        spread = max(spread, float(np.ptp(expected)))
        for chunk in (160, 1000, WHOLE):
            np.testing.assert_allclose(feed_clip(stream, clip, chunk), expected, rtol=0, atol=1e-4)
    assert len(clips) == 20
    assert spread > 0.5  # posteriors that differ from frame to frame, or the comparison is empty


def test_pytorch_steps_equal_offline_on_every_frame_of_20_clips(
    exported: Exported, clips: list[np.ndarray]
) -> None:
    stream = torch_stream(exported)
    for clip in clips:
        expected = offline(exported.identifier, clip)
        for chunk in (1000, WHOLE):
            np.testing.assert_allclose(feed_clip(stream, clip, chunk), expected, rtol=0, atol=1e-4)


def test_small_chunks_change_nothing(exported: Exported, clips: list[np.ndarray]) -> None:
    streams = (StreamingIdentifier.load(exported.path), torch_stream(exported))
    for clip in clips:
        excerpt = clip[16000:20003]  # a quarter of a second and a hop that is not full
        expected = offline(exported.identifier, excerpt)
        for stream in streams:
            for chunk in (1, 7, 160):
                np.testing.assert_allclose(
                    feed_clip(stream, excerpt, chunk), expected, rtol=0, atol=1e-4
                )


def test_speech_of_the_graph_is_speech_of_the_front_end(
    exported: Exported, clips: list[np.ndarray]
) -> None:
    model = OnnxModel(exported.path)
    for clip in clips:
        whole = clip[: len(clip) // 160 * 160][None]
        expected = exported.identifier.front_end(torch.from_numpy(whole))[1].numpy()
        _, speech = model.stepper().step(whole)
        assert speech.dtype == bool
        np.testing.assert_array_equal(speech, expected)
        assert speech.sum() > 0


def test_batch_of_streams_equals_single_streams(
    exported: Exported, clips: list[np.ndarray]
) -> None:
    batch = np.stack([clip[8000:24000] for clip in clips[:3]])
    for model in (OnnxModel(exported.path), TorchModel(StreamingModule(exported.identifier))):
        three = model.stepper(3)
        together = [
            three.step(batch[:, start:stop])[0] for start, stop in pairwise((0, 1600, 1760, 16000))
        ]
        for row, samples in enumerate(batch):
            single = model.stepper()
            alone, _ = single.step(samples[None])
            np.testing.assert_allclose(np.concatenate(together, 1)[row], alone[0], atol=1e-5)
            for array, expected in zip(three.state, single.state, strict=True):
                np.testing.assert_allclose(array[row], expected[0], atol=1e-3)


def test_declared_shapes_are_dynamic(exported: Exported) -> None:
    graph = onnx.load(exported.path).graph
    shapes = {
        value.name: [axis.dim_param or axis.dim_value for axis in value.type.tensor_type.shape.dim]
        for value in (*graph.input, *graph.output)
    }
    assert shapes.pop("samples") == ["streams", "160*frames"]
    assert shapes.pop("posteriors") == ["streams", "frames", 3]
    assert shapes.pop("speech") == ["streams", "frames"]
    states = [name for name in shapes if name.startswith("state_")]
    assert len(shapes) == 2 * len(states) > 0
    for name in states:
        assert shapes[name][0] == "streams"
        assert all(isinstance(size, int) for size in shapes[name][1:])
        assert shapes[f"next_{name}"] == shapes[name]


def test_no_warning_of_onnxruntime_for_any_length(
    exported: Exported, capfd: pytest.CaptureFixture[str]
) -> None:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 2  # warnings are shown, other than in OnnxModel
    model = OnnxModel(exported.path)
    model.session = onnxruntime.InferenceSession(exported.path, options)
    for streams, frames in ((1, 1), (1, 7), (2, 10), (3, 250)):
        samples = np.zeros((streams, frames * 160), np.float32)
        posteriors, speech = model.stepper(streams).step(samples)
        assert posteriors.shape == (streams, frames, 3)
        assert speech.shape == (streams, frames)
    captured = capfd.readouterr()
    assert captured.out + captured.err == ""


def test_metadata_says_what_a_runtime_must_know(exported: Exported) -> None:
    metadata = OnnxModel(exported.path).metadata
    assert metadata["classes"] == ["English", "Hindi", "Mandarin"]
    assert (metadata["sample_rate"], metadata["hop_samples"]) == (16000, 160)
    assert metadata["version"] == __version__
    assert metadata["temperature"] == 1.0
    assert DecisionSettings.of(metadata) == DecisionSettings()
    assert "Apache-2.0" in metadata["licence"]
    assert len(metadata["sha256"]) == 64
    module = StreamingModule(exported.identifier)
    assert metadata["weights_sha256"] == module.metadata()["weights_sha256"]
    assert metadata["precision"] == "float32"


def test_differences_are_given_per_runtime_and_chunk(exported: Exported) -> None:
    assert len(exported.differences) == 6
    assert all(0 <= difference <= 1e-4 for difference in exported.differences.values())
    assert list(exported.path.parent.iterdir()) == [exported.path]


def test_a_detector_that_marks_every_frame_is_exported(
    trained: LanguageIdentifier, clips: list[np.ndarray], tmp_path: Path
) -> None:
    detector = {"_target_": "langid.signal.speech_detector.EveryFrame"}
    identifier = variant(trained, detector=detector, silence="remove")
    excerpts = [clip[16000:24100] for clip in clips[:2]]
    differences = export_onnx(identifier, tmp_path / "m.onnx", excerpts)
    assert max(differences.values()) <= 1e-4
    stream = StreamingIdentifier.load(tmp_path / "m.onnx")
    np.testing.assert_allclose(
        feed_clip(stream, excerpts[0], 1000), offline(identifier, excerpts[0]), rtol=0, atol=1e-4
    )
    assert stream.decision.speech_s == stream.decision.heard_s == pytest.approx(0.51)


@pytest.mark.parametrize(
    ("part", "reason"),
    [
        (
            {"features": {"_target_": "langid.signal.clip_features.MFCCLibrosa"}},
            r"MFCCLibrosa are not causal .*features=mfcc or log_mel",
        ),
        (
            {"detector": {"_target_": "langid.signal.speech_detector.LibrosaDetector"}},
            r"LibrosaDetector are relative to the whole clip: .*detector=learned or energy",
        ),
        (
            {"detector": {"_target_": "langid.signal.frame_detectors.SileroDetector"}},
            r"SileroDetector are found by a library that no exported file holds: .*=learned or",
        ),
    ],
)
def test_what_cannot_be_streamed_is_refused_with_the_reason(
    trained: LanguageIdentifier, tmp_path: Path, part: dict[str, object], reason: str
) -> None:
    identifier = variant(trained, **part)
    with pytest.raises(LangidError, match=f"cannot be streamed: .*{reason}"):
        export_onnx(identifier, tmp_path / "model.onnx", [])
    assert list(tmp_path.iterdir()) == []


def test_a_graph_that_differs_is_not_written(
    exported: Exported,
    clips: list[np.ndarray],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wrong = onnx.load(exported.path)
    del wrong.metadata_props[:]
    weights = next(
        tensor for tensor in wrong.graph.initializer if tensor.name.endswith("dense.0.bias")
    )
    bias = onnx.numpy_helper.to_array(weights) + np.float32(0.1)
    weights.CopyFrom(onnx.numpy_helper.from_array(bias, weights.name))
    described = export.described
    monkeypatch.setattr(export, "described", lambda _, metadata: described(wrong, metadata))
    path = tmp_path / "model.onnx"
    path.write_text("an older file")
    with pytest.raises(LangidError, match="not written, the exported graph differs from PyTorch"):
        export_onnx(exported.identifier, path, clips[:1])
    assert path.read_text() == "an older file"
    assert list(tmp_path.iterdir()) == [path]


def test_export_needs_speech_to_compare_on(
    exported: Exported, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr("langid.export.onnx.content_of")  # it is told before the graph is made
    for clips in ([], [np.zeros(0, np.float32)]):
        with pytest.raises(LangidError, match="no samples to compare"):
            export_onnx(exported.identifier, tmp_path / "model.onnx", clips)
    assert list(tmp_path.iterdir()) == []
