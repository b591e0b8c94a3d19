"""A network with model.stride: streams, batches of streams and files of every kind, on speech."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from langid.export.form import Form
from langid.export.onnx import export_onnx
from langid.export.parity import feed_clip
from langid.export.torch_export import ExportedModel, export_pt2
from langid.export.torch_module import StreamingRecurrentModule, export_module
from langid.streaming.decision import MEAN
from langid.streaming.multi_stream import MultiStream
from langid.streaming.onnx_model import OnnxModel
from langid.streaming.streamer import StreamingIdentifier
from langid.training.identifier import LanguageIdentifier

from .test_export_networks import untrained
from .test_windowed import whole_utterance

STRIDE, HOP = 4, 160
SILENCE = np.zeros(9000, np.float32)
CHUNKS = tuple(frames * HOP for frames in (1, 3, 7, 16))


def paused(clips: list[np.ndarray]) -> list[np.ndarray]:
    """Return parts of clips, of no whole number of frames, that end with silence."""
    return [np.append(clip[16000:40123], SILENCE) for clip in clips[:3]]


def offline(identifier: LanguageIdentifier, clip: np.ndarray) -> np.ndarray:
    posteriors: np.ndarray = identifier.posteriors(torch.from_numpy(clip)[None])[0][0].numpy()
    return posteriors


@pytest.mark.parametrize(
    ("network", "policy"),
    [
        ("recurrent.GRU cmvn and pooling", "remove"),
        ("recurrent.GRU", "mask"),
        ("recurrent.GRU convolutions", "remove"),
        ("tcn.TCN", "remove"),
        ("conformer.Conformer", "label"),
    ],
)
def test_streams_of_a_file_say_what_offline_pytorch_says(
    network: str, policy: str, clips: list[np.ndarray], tmp_path: Path
) -> None:
    heard = paused(clips)
    identifier = untrained(network, policy, heard[0], STRIDE)
    path = tmp_path / "model.onnx"
    assert max(export_onnx(identifier, path, heard[:1]).values()) <= 1e-4
    model = OnnxModel(path)
    assert model.metadata["hop_samples"] == STRIDE * HOP
    stream = StreamingIdentifier(model)
    assert stream.hop_s == 0.04
    for clip in heard:
        expected = offline(identifier, clip)
        assert len(expected) == -(-len(clip) // (STRIDE * HOP))
        assert np.ptp(expected, axis=0).max() > 0.02  # or there is nothing to compare
        for chunk in CHUNKS:
            said = feed_clip(stream, clip, chunk)
            np.testing.assert_allclose(said, expected, rtol=0, atol=1e-4)
            assert stream.decision.heard_s == pytest.approx(len(expected) * 0.04)
    saved = StreamingIdentifier(model)
    before = saved.feed(heard[0][: 6 * HOP])  # two hops of four wait
    stream.state = saved.state
    said = np.concatenate([before, stream.feed(heard[0][6 * HOP :]), stream.flush()])
    np.testing.assert_allclose(said, offline(identifier, heard[0]), rtol=0, atol=1e-4)
    check_many(model, heard, [offline(identifier, clip) for clip in heard])


def check_many(model: OnnxModel, heard: list[np.ndarray], expected: list[np.ndarray]) -> None:
    """Feed clips side by side."""
    streams = MultiStream(model)
    numbers = [streams.join() for _ in heard]
    said_by = {number: np.zeros((0, 3), np.float32) for number in numbers}
    for start in range(0, len(heard[0]), CHUNKS[2]):
        cuts = zip(numbers, heard, strict=True)
        parts = streams.step({number: clip[start : start + CHUNKS[2]] for number, clip in cuts})
        said_by = {number: np.append(said_by[number], parts[number], 0) for number in numbers}
    for (number, rest), own in zip(streams.flush(numbers).items(), expected, strict=True):
        np.testing.assert_allclose(np.append(said_by[number], rest, 0), own, rtol=0, atol=1e-4)


def test_layers_begin_anew_after_a_pause_in_every_kind_of_file(
    clips: list[np.ndarray], tmp_path: Path
) -> None:
    parts = [(16000, 26000), (0, 0), (26000, 40123)]
    heard = [
        np.concatenate([clip[slice(*part)] if any(part) else SILENCE for part in parts])
        for clip in clips[:3]
    ]
    identifier = untrained("recurrent.GRU pauses", "remove", heard[0], STRIDE)
    expected = [offline(identifier, clip) for clip in heard]
    endless = untrained("recurrent.GRU cmvn and pooling", "remove", heard[0], STRIDE)
    endless.load_state_dict(identifier.state_dict())
    unbroken = offline(endless, heard[0])
    before = 10000 // (STRIDE * HOP)
    np.testing.assert_allclose(unbroken[:before], expected[0][:before], rtol=0, atol=1e-5)
    assert np.abs(unbroken - expected[0]).max() > 1e-3
    path = tmp_path / "model.onnx"
    assert max(export_onnx(identifier, path, heard[:1]).values()) <= 1e-4
    model = OnnxModel(path)
    assert model.metadata["frames_at_once"] == 3
    for chunk in (*CHUNKS, len(heard[0])):
        said = feed_clip(StreamingIdentifier(model), heard[0], chunk)
        np.testing.assert_allclose(said, expected[0], rtol=0, atol=1e-4)
    check_many(model, heard, expected)
    assert max(export_pt2(identifier, tmp_path / "m.pt2", heard[:1]).values()) <= 1e-4
    stream = StreamingIdentifier(ExportedModel(tmp_path / "m.pt2"))
    said = feed_clip(stream, heard[0], len(heard[0]))
    np.testing.assert_allclose(said, expected[0], rtol=0, atol=1e-4)
    assert max(export_module(identifier, tmp_path / "m.pt", heard[:1]).values()) <= 1e-4


def test_no_gradient_reaches_samples_behind_a_frame(clips: list[np.ndarray]) -> None:
    clip = clips[0][16000:32000]
    identifier = untrained("recurrent.GRU", "mask", clip, STRIDE)
    samples = torch.from_numpy(clip)[None].clone().requires_grad_()
    posteriors, _ = identifier.clip_posteriors(samples)
    for frame in (0, 5, 24):
        (gradient,) = torch.autograd.grad(posteriors[0, frame, 0], samples, retain_graph=True)
        end = (frame + 1) * STRIDE * HOP
        assert not gradient[0, end:].any() and gradient[0, end - HOP : end].any()


@pytest.mark.parametrize("network", ["recurrent.GRU", "recurrent.GRU cmvn and pooling"])
def test_programs_and_modules_of_torch_step_by_the_same_frames(
    network: str, clips: list[np.ndarray], tmp_path: Path
) -> None:
    clip = paused(clips)[0]
    identifier = untrained(network, "remove", clip, STRIDE)
    expected = offline(identifier, clip)
    assert max(export_pt2(identifier, tmp_path / "m.pt2", [clip]).values()) <= 1e-4
    stream = StreamingIdentifier(ExportedModel(tmp_path / "m.pt2"))
    np.testing.assert_allclose(feed_clip(stream, clip, 480), expected, rtol=0, atol=1e-4)
    assert max(export_module(identifier, tmp_path / "m.pt", [clip]).values()) <= 1e-4
    module = StreamingRecurrentModule.load(tmp_path / "m.pt")
    assert module.hop_samples == STRIDE * HOP
    first = module.step(torch.from_numpy(clip[None, : STRIDE * HOP])).numpy()
    np.testing.assert_allclose(first[0], expected[0], rtol=0, atol=1e-4)


def test_a_window_is_of_whole_frames(clips: list[np.ndarray], tmp_path: Path) -> None:
    clip = clips[0][:24000]
    identifier = whole_utterance("probes.LinearProbe", "mask", clip, STRIDE)
    path = tmp_path / "model.onnx"
    form = Form("onnx", "offline", "float32", None, None)
    differences, _ = form.write(identifier, path, [clip], MEAN)
    assert max(differences.values()) <= 1e-4
    metadata = StreamingIdentifier.load(path).model.metadata
    expected = {"frame_samples": 640, "window_s": 5.0, "hop_s": 0.48, "latency_s": 0.48}
    assert json.loads(json.dumps(metadata)) | expected == metadata
