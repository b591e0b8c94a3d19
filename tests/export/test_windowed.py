"""Networks for whole utterances as a file, and their streams over an overlapping window."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from langid.errors import LangidError
from langid.export import parity, precision
from langid.export.validation_clips import LabelledClip
from langid.export.windowed import OfflineModule, export_offline, utterance_posteriors
from langid.streaming.multi_stream import MultiStream
from langid.streaming.streamer import StreamingIdentifier
from langid.streaming.windowed_model import WindowedModel, load_model
from langid.training.checkpoint import build_identifier
from langid.training.identifier import LanguageIdentifier

from ..conftest import Once, described
from .test_export_networks import ENERGY, LEARNED, untrained

SMALL: dict[str, dict[str, Any]] = {
    "cnn.CNN": {"channels": [4, 6], "dense": 8},
    "cnn.CRNN": {"channels": [4, 6], "units": 8},
    "ecapa_tdnn.ECAPATDNN": {
        "channels": 16, "aggregated": 24, "embedding": 8, "bottleneck": 8
    },
    "recurrent.BiGRU": {"units": [12, 8], "dense": 10},
    "recurrent.BiLSTM": {"units": [12, 8], "dense": 10},
    "probes.LinearProbe": {},
    "probes.AttentiveProbe": {"bottleneck": 8, "hidden": 8},
    "last_frame.LastFrame": {"bidirectional": True, "units": 8, "dense": 10},
    "published.DeepLanguageCNN": {"frames": 120, "channels": [3, 4], "dense": 5},
    "published.VoiceAgeTCN": {"channels": [8, 8, 16, 16], "units": 32},
}  # fmt: skip
WINDOW_S, HOP_S = 1.5, 0.5


def whole_utterance(
    network: str,
    silence: str,
    clip: np.ndarray,
    stride: int = 1,
    detector: dict[str, str] = ENERGY,
) -> LanguageIdentifier:
    """Return an identifier with posteriors that depend on what is heard, normalised on a clip."""
    torch.manual_seed(0)
    model = {
        "_target_": "langid.training.identifier.LanguageIdentifier",
        "network": {"_target_": f"langid.networks.{network}", **SMALL[network]},
        "stride": stride,
    }
    identifier = build_identifier(
        described(
            features={"_target_": "langid.signal.features.LogMel", "n_mels": 24},
            detector=detector,
            classes=["English", "Hindi", "Mandarin"],
            silence=silence,
            model=model,
        )
    ).eval()
    features = identifier.front_end(torch.from_numpy(clip)[None])[0]
    identifier.normaliser.fit(features[0].mean(0), features[0].std(0))
    *_, output = (part for part in identifier.network.modules() if isinstance(part, nn.Linear))
    with torch.no_grad():
        output.weight.mul_(1 if network == "probes.LinearProbe" else 10)
    return identifier


def with_pause(clip: np.ndarray, samples: int) -> np.ndarray:
    excerpt = clip[16000 : 16000 + samples].copy()
    excerpt[6000:12000] = 0
    return excerpt


@pytest.mark.parametrize(
    ("network", "silence", "detector"),
    [  # the fixture ``path`` is a CNN with silence=mask
        ("cnn.CRNN", "label", ENERGY),
        ("ecapa_tdnn.ECAPATDNN", "remove", ENERGY),
        ("recurrent.BiGRU", "remove", LEARNED),
        ("recurrent.BiLSTM", "mask", LEARNED),
        ("probes.LinearProbe", "mask", ENERGY),
        ("probes.AttentiveProbe", "remove", LEARNED),
        ("last_frame.LastFrame", "remove", ENERGY),
        ("published.DeepLanguageCNN", "mask", ENERGY),
        ("published.VoiceAgeTCN", "remove", ENERGY),
    ],
)
def test_windows_equal_pytorch(
    network: str, silence: str, detector: dict[str, str], clips: list[np.ndarray], tmp_path: Path
) -> None:
    identifier = whole_utterance(network, silence, clips[0], detector=detector)
    path = tmp_path / "model.onnx"
    differences = export_offline(identifier, path, [with_pause(clips[0], 30000)], WINDOW_S, HOP_S)
    assert max(differences.values()) <= 1e-4
    assert list(tmp_path.iterdir()) == [path]
    stream, heard = StreamingIdentifier.load(path), with_pause(clips[5], 5 * 8000)
    windows = [heard[max(0, end - 24000) : end] for end in range(8000, 40001, 8000)]
    expected = np.stack([utterance_posteriors(identifier, window) for window in windows])
    assert np.ptp(expected, axis=0).max() > 0.01
    for chunk in (1000, 8000, len(heard)):
        posteriors = parity.feed_clip(stream, heard, chunk)
        np.testing.assert_allclose(posteriors, expected, rtol=0, atol=1e-4)
    for frames in (1, 3, 250):  # as many as there are, in a window or not
        samples = np.stack([heard[: 160 * frames], np.zeros(160 * frames, np.float32)])
        expected = np.stack([utterance_posteriors(identifier, clip) for clip in samples])
        posteriors, speech = WindowedModel(path).process(samples)
        np.testing.assert_allclose(posteriors, expected, rtol=0, atol=1e-4)
        assert speech.shape == (2, frames)
    silence_heard = parity.feed_clip(stream, np.zeros(16000, np.float32), 8000)
    expected = utterance_posteriors(identifier, np.zeros(16000, np.float32))
    np.testing.assert_allclose(silence_heard[1], expected, rtol=0, atol=1e-4)
    assert stream.decision.label is None  # nobody spoke


@pytest.fixture(scope="module")
def path(clips: list[np.ndarray], once: Once) -> Path:
    """Return the file of a network that hears windows."""
    identifier = whole_utterance("cnn.CNN", "mask", clips[0])

    def export(folder: Path) -> None:
        export_offline(identifier, folder / "model.onnx", [clips[0][16000:24000]], WINDOW_S, HOP_S)

    return once("offline", export) / "model.onnx"


def test_a_window_in_int8(
    path: Path, clips: list[np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(precision.LIMITS, "int8", 1.0)
    small = tmp_path / "small.onnx"
    labelled = [LabelledClip(clip[:24000], 0) for clip in clips[:2]]
    comparison = precision.reduce_precision(path, small, "int8", labelled)
    assert 0 < comparison.score < 1
    operators = [node.op_type for node in onnx.load(small).graph.node]
    assert "ConvInteger" in operators
    assert load_model(small).metadata["precision"] == "int8"


def test_metadata_call_the_window_what_it_is(path: Path) -> None:
    metadata = load_model(path).metadata
    assert (metadata["window_s"], metadata["hop_s"]) == (1.5, 0.5)
    assert metadata["latency_s"] == 0.5
    assert (metadata["window_samples"], metadata["hop_samples"]) == (24000, 8000)
    assert metadata["classes"] == ["English", "Hindi", "Mandarin"]


def test_speech_of_a_hop_is_that_of_its_last_samples(path: Path, clips: list[np.ndarray]) -> None:
    stream = StreamingIdentifier.load(path)
    spoken = clips[0][20000:28000]
    stream.feed(np.concatenate([np.zeros(8000, np.float32), spoken, np.zeros(16000, np.float32)]))
    assert stream.speech.tolist() == [False, True, True, False]  # speech lasts a little


def test_a_saved_state_goes_on_where_it_was(path: Path, clips: list[np.ndarray]) -> None:
    stream, other = StreamingIdentifier.load(path), StreamingIdentifier.load(path)
    stream.feed(clips[0][:20000])
    other.state = stream.state
    rest = clips[0][20000:52000]
    np.testing.assert_array_equal(other.feed(rest), stream.feed(rest))
    assert other.decision == stream.decision


def test_streams_of_a_batch_do_not_mix(path: Path, clips: list[np.ndarray]) -> None:
    many, alone = MultiStream.load(path), StreamingIdentifier.load(path)
    first, second = many.join(), many.join()
    early = many.step({first: clips[0][:16000]})[first]
    both = many.step({first: clips[0][16000:40000], second: clips[1][16000:40000]})
    expected = alone.feed(clips[0][:40000])
    np.testing.assert_allclose(np.concatenate([early, both[first]]), expected, atol=1e-5)
    alone.reset()
    np.testing.assert_allclose(both[second], alone.feed(clips[1][16000:40000]), atol=1e-5)


def test_only_what_has_been_heard_is_processed(
    path: Path, clips: list[np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    shapes, process = [], WindowedModel.process

    def noting(self: WindowedModel, samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        shapes.append(samples.shape)
        return process(self, samples)

    monkeypatch.setattr(WindowedModel, "process", noting)
    many = MultiStream.load(path)
    first, second, third = many.join(), many.join(), many.join()
    many.step({first: clips[0][:16000]})
    many.step({number: clips[number][:16000] for number in (first, second, third)})
    alone, late = [(1, 8000), (1, 16000)], [(2, 8000), (1, 24000), (2, 16000), (1, 24000)]
    assert shapes == [*alone, *late]  # those that are as full, together


@pytest.mark.parametrize(
    ("window_s", "hop_s", "message"),
    [
        (1.0, 2.0, "hop_s=2: accepted are at most window_s=1"),
        (0.0, 0.5, "window_s=0.0: accepted are multiples of 0.01 s, up to 60 s"),
        (61.0, 0.5, "window_s=61.0: accepted are multiples of 0.01 s"),
        (float("nan"), 0.5, "window_s=nan: accepted are multiples"),
        ("long", 0.5, "window_s=long: accepted are multiples"),
        (1.0, 0.333, "hop_s=0.333: accepted are multiples of 0.01 s"),
    ],
)
def test_times_that_are_no_windows_are_refused(
    clips: list[np.ndarray], window_s: Any, hop_s: float, message: str
) -> None:
    with pytest.raises(LangidError, match=message):
        OfflineModule(whole_utterance("cnn.CNN", "mask", clips[0]), window_s, hop_s)


def test_networks_that_stream_and_parts_outside_a_graph_are_refused(
    clips: list[np.ndarray], tmp_path: Path
) -> None:
    gru = untrained("recurrent.GRU", "mask", clips[0])
    with pytest.raises(LangidError, match=r"mode=offline: the network GRU streams .*: leave mode"):
        export_offline(gru, tmp_path / "model.onnx", clips[:1], WINDOW_S, HOP_S)
    paused = untrained("recurrent.GRU pauses", "remove", clips[0])
    with pytest.raises(
        LangidError, match=r"mode=offline: .*train with model.network.pause_frames=0"
    ):
        export_offline(paused, tmp_path / "model.onnx", clips[:1], WINDOW_S, HOP_S)
    cnn = whole_utterance("cnn.CNN", "mask", clips[0])
    detector = {"_target_": "langid.signal.speech_detector.LibrosaDetector"}
    foreign = build_identifier(
        described(
            features={"_target_": "langid.signal.features.LogMel", "n_mels": 24},
            detector=detector,
            classes=cnn.classes,
            silence="mask",
            model={
                "_target_": "langid.training.identifier.LanguageIdentifier",
                "network": {"_target_": "langid.networks.cnn.CNN"},
            },
        )
    )
    with pytest.raises(LangidError, match=r"mode=offline: .*LibrosaDetector"):
        export_offline(foreign, tmp_path / "model.onnx", clips[:1], WINDOW_S, HOP_S)
    with pytest.raises(LangidError, match="no samples to compare"):
        export_offline(cnn, tmp_path / "model.onnx", [], WINDOW_S, HOP_S)
    assert list(tmp_path.iterdir()) == []


def test_a_changed_file_is_refused(path: Path, model_path: Path, tmp_path: Path) -> None:
    content = path.read_bytes()
    changed = tmp_path / "changed.onnx"
    changed.write_bytes(content.replace(b'"hop_s": 0.5', b'"hop_s": 0.6'))
    with pytest.raises(LangidError, match=r"changed\.onnx: changed or damaged after its export"):
        load_model(changed)
    changed.write_bytes(content[: len(content) // 2])
    with pytest.raises(LangidError, match=r"changed\.onnx: not a whole ONNX file"):
        load_model(changed)
    with pytest.raises(LangidError, match="schema langid-stream-2, accepted is langid-window-2"):
        WindowedModel(model_path)
    old = onnx.load(path)
    old.metadata_props[0].value = json.dumps({"schema": "langid-window-1"})
    onnx.save(old, changed)
    message = r"schema langid-window-1, accepted is langid-window-2\); use a file of langid export"
    with pytest.raises(LangidError, match=message):
        load_model(changed)
    with pytest.raises(LangidError, match=r"absent\.onnx: no such file"):
        load_model(tmp_path / "absent.onnx")
