"""One stream: feed, flush, reset, decision, and what it refuses."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import langid
from langid.audio.decode import read_audio
from langid.errors import LangidError
from langid.export.streaming_module import StreamingModule, TorchModel
from langid.streaming import onnx_model
from langid.streaming.onnx_model import OnnxModel, OnnxStepper
from langid.streaming.streamer import StreamingIdentifier


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


def test_flush_repeats_the_last_sample(stream: StreamingIdentifier, clip: np.ndarray) -> None:
    stream.feed(clip)
    flushed = stream.flush()
    stream.reset()
    padded = np.pad(clip, (0, -len(clip) % 160), mode="edge")
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


def test_what_is_answered_is_the_callers(model_path: Path, clip: np.ndarray) -> None:
    stream = StreamingIdentifier.load(model_path)
    stream.feed(clip)
    expected = stream.decision
    stream.reset()
    stream.feed(clip)[:] = 0
    stream.speech[:] = False
    assert stream.decision == expected


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


def pieces(samples: np.ndarray, sizes: list[int]) -> list[np.ndarray]:
    """Return the samples cut into chunks of those sizes, in turns."""
    cuts = np.cumsum(sizes * (len(samples) // sum(sizes) + 1))
    return np.split(samples, cuts[cuts < len(samples)])


SETTINGS = [{}, {"half_life_s": 0.4}, {"decide_at": 0.34, "languages": ["Hindi", "Mandarin"]}]


@pytest.mark.parametrize("settings", SETTINGS)
def test_chunks_change_no_decision(
    model_path: Path, clip: np.ndarray, settings: dict[str, Any]
) -> None:
    stream = StreamingIdentifier.load(model_path, **settings)
    decisions = []
    for sizes in ([160], [37, 1000], [1600], [len(clip)]):
        stream.reset()
        for piece in pieces(clip, sizes):
            stream.feed(piece)
        stream.flush()
        decisions.append(stream.decision)
    for other in decisions[1:]:
        assert other.label == decisions[0].label is not None
        assert other.decided_after_s == decisions[0].decided_after_s
        assert other.posteriors == pytest.approx(decisions[0].posteriors, abs=1e-5)


def test_settings_of_the_model_hold_where_none_are_given(
    model_path: Path, clip: np.ndarray
) -> None:
    model = OnnxModel(model_path)
    model.metadata["decision"] = {"languages": ["Hindi", "Mandarin"], "unknown_below": 0.99}
    stream = StreamingIdentifier(model, unknown_below=0.0)
    stream.feed(clip)
    assert set(stream.decision.posteriors) == {"Hindi", "Mandarin"}
    assert stream.decision.status == "decided"
    with pytest.raises(LangidError, match="no decision setting threshold; accepted are half_life"):
        StreamingIdentifier(model, threshold=0.5)
    with pytest.raises(LangidError, match="the model has no Thai; it knows English, Hindi, Man"):
        StreamingIdentifier(model, languages=["Thai"])


@pytest.fixture(scope="module")
def telephone(real_clips: list[Path]) -> np.ndarray:
    """Return a second and a half of real speech at 8 kHz."""
    return read_audio(real_clips[0], 8000)[4000:16017]


def test_another_rate_is_resampled_and_chunks_change_nothing(
    model_path: Path, telephone: np.ndarray
) -> None:
    import soxr

    stream = StreamingIdentifier.load(model_path)
    expected = [stream.feed(soxr.resample(telephone, 8000, 16000)), stream.flush()]
    for sizes in ([1, 7, 500], [80], [len(telephone)]):
        stream.reset()
        heard = [stream.feed(piece, sample_rate=8000) for piece in pieces(telephone, sizes)]
        heard.append(stream.flush())
        np.testing.assert_allclose(np.concatenate(heard), np.concatenate(expected), atol=1e-5)
    assert stream.decision.heard_s == pytest.approx(1.51)


def test_the_rate_of_a_stream_cannot_change(model_path: Path, telephone: np.ndarray) -> None:
    stream = StreamingIdentifier.load(model_path)
    stream.feed(telephone, sample_rate=8000)
    for rate in (16000, None):
        with pytest.raises(LangidError, match=r"sample_rate=16000: this stream has 8000 Hz; .*re"):
            stream.feed(telephone, sample_rate=rate)
    expected = [stream.feed(telephone[:800], sample_rate=8000), stream.flush()]
    stream.reset()
    stream.feed(telephone, sample_rate=8000)
    after = [stream.feed(telephone[:800], sample_rate=8000), stream.flush()]
    np.testing.assert_array_equal(np.concatenate(expected), np.concatenate(after))
    stream.reset()
    stream.feed(telephone, sample_rate=16000)
    with pytest.raises(LangidError, match="this stream has 16000 Hz"):
        stream.feed(telephone, sample_rate=8000)


@pytest.mark.parametrize("rate", [0, -8000, 44100.5, np.nan, np.inf, "8k"])
def test_a_rate_that_is_none_is_named(model_path: Path, rate: Any) -> None:
    stream = StreamingIdentifier.load(model_path)
    with pytest.raises(LangidError, match=f"sample_rate={rate}: expected a whole number of Hz"):
        stream.feed(np.zeros(160, np.float32), sample_rate=rate)
    assert stream.feed(np.zeros(160, np.float32)).shape == (1, 3)


@pytest.mark.parametrize("settings", SETTINGS)
def test_a_saved_state_goes_on_exactly(
    stream: StreamingIdentifier, clip: np.ndarray, tmp_path: Path, settings: dict[str, Any]
) -> None:
    first = StreamingIdentifier(stream.model, **settings)
    first.feed(clip[:10123])
    np.savez(tmp_path / "state.npz", **first.state)
    expected = [first.feed(clip[10123:20000]), first.feed(clip[20000:]), first.flush()]
    second = StreamingIdentifier(stream.model, **settings)
    second.feed(clip[5000:9000])  # what it heard before must not matter
    with np.load(tmp_path / "state.npz", allow_pickle=False) as state:
        second.state = state
    heard = [second.feed(clip[10123:20000]), second.feed(clip[20000:]), second.flush()]
    np.testing.assert_array_equal(np.concatenate(heard), np.concatenate(expected))
    assert second.decision == first.decision


RESUMED = """
import sys
import numpy as np
from langid.streaming.streamer import StreamingIdentifier
model, state, samples, result = sys.argv[1:]
stream = StreamingIdentifier.load(model, half_life_s=0.4)
stream.state = np.load(state, allow_pickle=False)
heard = stream.feed(np.load(samples))
np.savez(result, heard=heard, shares=list(stream.decision.posteriors.values()))
"""


def test_a_saved_state_goes_on_in_another_process(
    model_path: Path, clip: np.ndarray, tmp_path: Path
) -> None:
    stream = StreamingIdentifier.load(model_path, half_life_s=0.4)
    stream.feed(clip[:10123])
    state, samples, result = (tmp_path / name for name in ("a.npz", "b.npy", "c.npz"))
    np.savez(state, **stream.state)
    np.save(samples, clip[10123:])
    command = [sys.executable, "-c", RESUMED, *map(str, (model_path, state, samples, result))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    with np.load(result) as after:
        np.testing.assert_array_equal(after["heard"], stream.feed(clip[10123:]))
        assert after["shares"].tolist() == list(stream.decision.posteriors.values())


def test_a_state_that_does_not_fit_is_refused(model_path: Path, clip: np.ndarray) -> None:
    stream = StreamingIdentifier.load(model_path)
    stream.feed(clip[:10123])
    state, decision = stream.state, stream.decision
    other = StreamingIdentifier.load(model_path, languages=["Hindi", "Mandarin"]).state
    nan = np.full_like(state["state_0"], np.nan)
    for wrong, message in (
        (None, "state of type NoneType: expected the mapping that .state of a stream is"),
        ({k: v for k, v in state.items() if k != "total"}, "total is missing"),
        (state | {"state_99": np.zeros(5)}, "state_99 is not known"),
        (state | {"model": "f00d"}, "state: made with model f00d, this stream has"),
        (other, r'made with settings .*"languages": \["Hindi", "Mandarin"\]}, this stream has'),
        (state | {"total": np.zeros(5)}, r"total has type float64 and shape \(5,\), this stream's"),
        (state | {"total": [[1], [2, 3]]}, "total is no array"),
        (state | {"frames": "many"}, "frames has type <U4"),
        (state | {"decided": 3}, "decided holds 3, accepted are -1 to 2; use one that .state gave"),
        (state | {"frames": -1}, "frames holds -1, accepted are 0 to"),
        (state | {"sample_rate": 5}, "state: sample_rate=5: expected a whole number of Hz"),
        (state | {"state_0": nan}, "state_0 holds nan, accepted are"),
        (state | {"pending": np.zeros(160, np.float32)}, r"pending has type .* shape \(160,\)"),
    ):
        with pytest.raises(LangidError, match=message):
            stream.state = wrong  # type: ignore[assignment]
        assert stream.decision == decision  # all stayed as it was
    stream.state = state | {"pending": np.zeros(159, np.float32)}


def test_a_long_call_is_heard_in_parts(
    model_path: Path, clip: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = StreamingIdentifier.load(model_path)
    expected, speech = stream.feed(clip), stream.speech
    monkeypatch.setattr(onnx_model, "AT_ONCE", 30)
    shapes: list[tuple[int, ...]] = []
    bind = OnnxStepper._bind

    def counted(self: OnnxStepper, shape: tuple[int, ...]) -> Any:
        shapes.append(shape)
        return bind(self, shape)

    monkeypatch.setattr(OnnxStepper, "_bind", counted)
    stream.reset()
    np.testing.assert_allclose(stream.feed(clip), expected, rtol=0, atol=1e-6)
    np.testing.assert_array_equal(stream.speech, speech)
    assert max(shapes) == (1, 30 * 160)
    stream.reset()
    shapes.clear()
    cuts = [*range(320, 4800, 800), *range(800, 4800, 800), 4800]  # two hops and three, in turns
    pieces = [stream.feed(part) for part in np.split(clip[:5600], sorted(cuts))]
    np.testing.assert_allclose(np.concatenate(pieces), expected[:35], rtol=0, atol=1e-6)
    assert shapes == [(1, 320), (1, 480), (1, 800)]  # both stay prepared


def test_the_state_of_a_resampled_stream_waits_for_its_end(
    model_path: Path, telephone: np.ndarray
) -> None:
    stream = StreamingIdentifier.load(model_path)
    stream.feed(telephone, sample_rate=8000)
    with pytest.raises(LangidError, match=r"stream at 8000 Hz cannot be saved .*call flush\(\)"):
        _ = stream.state
    stream.flush()
    saved = stream.state
    expected = stream.feed(telephone, sample_rate=8000)
    stream.state = saved
    with pytest.raises(LangidError, match="this stream has 8000 Hz"):
        stream.feed(telephone)
    np.testing.assert_array_equal(stream.feed(telephone, sample_rate=8000), expected)
