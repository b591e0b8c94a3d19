"""One stream: feed, flush, reset, decision, and what it refuses."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import langid
from langid.errors import LangidError
from langid.signal.audio import read_audio
from langid.streaming.onnx_model import OnnxModel
from langid.streaming.streamer import StreamingIdentifier
from langid.streaming.streaming_module import StreamingModule, TorchModel


@pytest.fixture(scope="module")
def clip(real_clips: list[Path]) -> np.ndarray:
    """Return two seconds of real speech and a little more, not a whole number of hops."""
    return read_audio(real_clips[0], 16000)[8000:40123]


@pytest.fixture(params=["onnx", "torch"])
def stream(
    request: pytest.FixtureRequest, model_path: Path, checkpoint_path: Path
) -> StreamingIdentifier:
    if request.param == "onnx":
        return StreamingIdentifier.load(model_path)
    return StreamingIdentifier(TorchModel(StreamingModule(langid.load(checkpoint_path))))


def test_feed_answers_per_full_hop_and_flush_fills_the_last(
    stream: StreamingIdentifier, clip: np.ndarray
) -> None:
    assert stream.classes == ["English", "Hindi", "Mandarin"]
    assert (stream.sample_rate, stream.hop_samples) == (16000, 160)
    assert stream.feed(clip[:0]).shape == (0, 3)
    assert stream.feed(clip[:159]).shape == (0, 3)
    first = stream.feed(clip[159:161])
    assert first.shape == (1, 3)
    assert first.dtype == np.float32
    np.testing.assert_allclose(first.sum(1), 1, atol=1e-5)
    assert stream.flush().shape == (1, 3)
    assert stream.flush().shape == (0, 3)  # nothing is left


def test_flush_equals_zeros_after_the_end(stream: StreamingIdentifier, clip: np.ndarray) -> None:
    stream.feed(clip)
    flushed = stream.flush()
    stream.reset()
    padded = np.pad(clip, (0, -len(clip) % 160))
    np.testing.assert_allclose(flushed[-1], stream.feed(padded)[-1], atol=1e-5)


def test_reset_begins_anew(stream: StreamingIdentifier, clip: np.ndarray) -> None:
    once = stream.feed(clip)
    stream.reset()
    assert stream.decision.label is None
    assert stream.decision.heard_s == stream.decision.speech_s == 0
    assert set(stream.decision.posteriors.values()) == {0.0}
    np.testing.assert_array_equal(stream.feed(clip), once)


def test_decision_is_the_mean_over_speech_frames(
    stream: StreamingIdentifier, clip: np.ndarray
) -> None:
    whole = clip[:32000].copy()
    whole[:8000] *= 1e-4  # silence first: these frames must not count
    posteriors = np.concatenate(
        [stream.feed(whole[i : i + 1000]) for i in range(0, len(whole), 1000)]
    )
    speech = stream.model.stepper().step(whole[None])[1][0]
    assert 0 < speech.sum() < len(speech)
    mean = posteriors[speech].mean(0)
    decision = stream.decision
    np.testing.assert_allclose(list(decision.posteriors.values()), mean, atol=1e-6)
    assert decision.label == stream.classes[int(mean.argmax())]
    assert decision.heard_s == pytest.approx(2.0)
    assert decision.speech_s == pytest.approx(speech.sum() / 100)


def test_no_decision_before_any_speech(stream: StreamingIdentifier) -> None:
    assert stream.feed(np.zeros(16000, np.float32)).shape == (100, 3)
    assert stream.decision.label is None
    assert stream.decision.speech_s == 0
    assert stream.decision.heard_s == pytest.approx(1.0)


def test_integers_of_16_bit_equal_floats(stream: StreamingIdentifier, clip: np.ndarray) -> None:
    integers: np.ndarray = np.round(clip * 32767).astype(np.int16)
    heard = stream.feed(integers)
    for dtype in (np.float32, np.float64):
        stream.reset()
        np.testing.assert_array_equal(stream.feed(np.divide(integers, 32768, dtype=dtype)), heard)


NAN, INFINITY = np.array([0.1, np.nan]), np.array([0.1, np.inf], np.float32)


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (np.zeros((2, 400), np.float32), r"shape \(2, 400\): expected one axis"),
        (np.float32(0.5), r"shape \(\): expected one axis"),
        (np.zeros(400, np.int32), "type int32: expected floats of full scale 1, or int16"),
        (np.zeros(400, np.uint8), "type uint8: expected floats"),
        (np.zeros(400, np.complex64), "type complex64: expected floats"),
        (np.array(["a", "b"]), "expected floats"),
        ([[0.1, 0.2], [0.3]], "expected one axis"),
        (None, "expected"),
        (NAN, "NaN or infinity: expected finite"),
        (INFINITY, "NaN or infinity: expected finite"),
        (np.full(400, 1e300), "expected floats of full scale 1"),
        (np.full(400, 32000.0), r"samples reach 3\.2e\+04: .* divide floats"),
    ],
)
def test_bad_samples_leave_the_stream_as_it_was(
    model_path: Path, clip: np.ndarray, samples: Any, message: str
) -> None:
    stream = StreamingIdentifier.load(model_path)
    before = stream.feed(clip[:1000])
    with pytest.raises(LangidError, match=message):
        stream.feed(samples)
    after = np.concatenate([before, stream.feed(clip[1000:]), stream.flush()])
    decision = stream.decision
    stream.reset()
    np.testing.assert_array_equal(
        after, np.concatenate([stream.feed(clip[:1000]), stream.feed(clip[1000:]), stream.flush()])
    )
    assert decision == stream.decision


def test_caller_may_reuse_its_buffer(model_path: Path, clip: np.ndarray) -> None:
    stream = StreamingIdentifier.load(model_path)
    expected = np.concatenate([stream.feed(clip[:100]), stream.feed(clip[100:260])])
    stream.reset()
    buffer = clip[:100].copy()
    stream.feed(buffer)
    buffer[:] = 0
    np.testing.assert_array_equal(stream.feed(clip[100:260]), expected)


def test_streams_share_a_model_without_touching_each_other(
    model_path: Path, clip: np.ndarray
) -> None:
    model = OnnxModel(model_path)
    left, right = StreamingIdentifier(model), StreamingIdentifier(model)
    expected = np.concatenate([left.feed(clip[:8000]), left.feed(clip[8000:16000])])
    left.reset()
    mixed = [left.feed(clip[:8000])]
    right.feed(clip[16000:])
    mixed.append(left.feed(clip[8000:16000]))
    np.testing.assert_array_equal(np.concatenate(mixed), expected)


LIBRARY = """
import sys
from langid.streaming.streamer import StreamingIdentifier
StreamingIdentifier.load(sys.argv[1])
"""
COMMAND = """
import sys
from langid.commands.main import main
model, audio = sys.argv[1:]
assert main(["stream", f"model={model}", f"audio={audio}"]) == 0
assert main(["predict", f"model={model}", f"audio={audio}"]) == 0
"""


@pytest.mark.parametrize("program", [LIBRARY, COMMAND])
def test_streaming_needs_no_torch(program: str, model_path: Path, real_clips: list[Path]) -> None:
    heavy = ("torch", "torchaudio", "pytorch_lightning", "librosa", "pandas", "h5py", "onnx")
    check = f"assert not [name for name in {heavy} if name in sys.modules], sorted(sys.modules)"
    arguments = [model_path] if program is LIBRARY else [model_path, real_clips[0]]
    result = subprocess.run(
        [sys.executable, "-c", program + check, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert result.returncode == 0, result.stderr
