"""Detectors of other libraries: their frames on hops, against the libraries themselves."""

import importlib.util
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import soxr
import torch
from webrtcvad import Vad

from langid.audio.decode import read_audio
from langid.audio.full_scale import in_16_bits
from langid.errors import LangidError
from langid.signal import frame_detectors
from langid.signal.frame_detectors import FrameDetector, SileroDetector, WebRTCDetector

HOP, RATE = 160, 16000
DETECTORS = [SileroDetector, WebRTCDetector]


@pytest.fixture
def clip(real_clips: list[Path]) -> np.ndarray:
    """Return five seconds: a real clip between two seconds of silence, and a part of a hop."""
    spoken, silence = read_audio(real_clips[3], RATE)[: 3 * RATE], np.zeros(RATE, np.float32)
    return in_16_bits(np.concatenate([silence, spoken, silence[:-70]]))


def on(samples: np.ndarray, detector: FrameDetector) -> np.ndarray:
    return detector(torch.from_numpy(samples)[None])[0].numpy()


class Told(FrameDetector):
    """Says of frames what it was told."""

    def __init__(self, hop_samples: int, sample_rate: int, rate: int, frame_samples: int):
        super().__init__(hop_samples, sample_rate)
        self.rate, self.frame_samples = rate, frame_samples

    def frames(self, framed: np.ndarray) -> np.ndarray:
        return framed[:, 0] > 0


# Of frames of 32 ms at 16 kHz, speech in the second and fourth: which hops are.
SPOKEN = [0, 1, 0, 1, 0]
HOPS = [
    # From 32 to 64 and from 96 to 128 ms: 8 ms of the hop from 30, 4 of that from 60.
    (16000, 160, 2560, [0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 1, 1, 1, 0, 0, 0]),
    (16000, 512, 2560, [0, 1, 0, 1, 0]),
    (16000, 1024, 2560, [1, 1, 0]),  # exactly half is speech
    (16000, 1025, 2560, [0, 0, 0]),  # a little less
    (16000, 256, 2560, [0, 0, 1, 1, 0, 0, 1, 1, 0, 0]),
    (16000, 160, 1040, [0, 0, 0, 1, 1, 1, 1]),  # 5 ms are left, of which 4 are speech
    (8000, 80, 1280, [0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 1, 1, 1, 0, 0, 0]),
    (44100, 441, 7056, [0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 1, 1, 1, 0, 0, 0]),
]


@pytest.mark.parametrize(("sample_rate", "hop", "count", "expected"), HOPS)
def test_a_hop_is_speech_where_half_of_it_is_in_frames_of_speech(
    sample_rate: int, hop: int, count: int, expected: list[int]
) -> None:
    detector = Told(hop, sample_rate, 16000, 512)
    frames = np.array(SPOKEN, bool)[: -(-count * 16000 // sample_rate // 512)]
    assert ((detector.of_hops(frames, count) >= 0.5) == expected).all()


@pytest.mark.parametrize(("sample_rate", "hop"), [(8000, 80), (16000, 123), (44100, 441)])
@pytest.mark.parametrize(("rate", "frame"), [(16000, 512), (32000, 320), (8000, 240)])
def test_hops_are_what_counting_finds(sample_rate: int, hop: int, rate: int, frame: int) -> None:
    detector, count = Told(hop, sample_rate, rate, frame), sample_rate // 2
    frames = np.random.default_rng(0).random(-(-count * rate // sample_rate // frame) + 1) < 0.5
    # In units in which a sample of either rate is whole, one by one.
    units = frames.repeat(frame * sample_rate // 100)[: count * rate // 100]
    hops = np.split(units, np.arange(0, len(units), hop * rate // 100)[1:])
    expected = [2 * one.sum() >= len(one) for one in hops]
    assert ((detector.of_hops(frames, count) >= 0.5) == expected).all()


def silero_frames(samples: np.ndarray) -> np.ndarray:
    """Return the probabilities that Silero's own frame-by-frame network gives, ``(frames,)``."""
    found = importlib.util.find_spec("silero_vad")
    assert found is not None and found.origin is not None
    network = onnxruntime.InferenceSession(Path(found.origin).parent / "data" / "silero_vad.onnx")
    state, before = np.zeros((2, 1, 128), np.float32), np.zeros(64, np.float32)
    probabilities = []
    for frame in np.pad(samples, (0, -len(samples) % 512)).reshape(-1, 512):
        heard = np.concatenate([before, frame])[None]
        given = {"input": heard, "state": state, "sr": np.array(RATE)}
        probability, state = network.run(None, given)
        probabilities.append(float(probability[0, 0]))
        before = frame[-64:]
    return np.array(probabilities)


def test_silero_is_its_own_network(clip: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = silero_frames(clip)
    detector = SileroDetector(HOP, RATE)
    for block in (frame_detectors.BLOCK, 50):  # a call holds few frames, and the next goes on
        monkeypatch.setattr(frame_detectors, "BLOCK", block)
        np.testing.assert_allclose(
            detector.probabilities(detector.framed(clip)), expected, atol=1e-6
        )
    # The hop that ends with 320 ms is the last of ten frames.
    assert (on(clip, detector)[28:32] == (expected[9] >= 0.5)).all()
    stricter = on(clip, SileroDetector(HOP, RATE, threshold=0.95))
    assert 0 < stricter.sum() < on(clip, detector).sum()


@pytest.mark.parametrize("frame_ms", [10, 20, 30])
@pytest.mark.parametrize("aggressiveness", [0, 3])
def test_webrtc_is_its_own_detector(clip: np.ndarray, aggressiveness: int, frame_ms: int) -> None:
    detector = WebRTCDetector(HOP, RATE, aggressiveness, frame_ms)
    size = RATE * frame_ms // 1000
    steps = np.pad(clip * 32768, (0, -len(clip) % size)).astype(np.int16)
    own = Vad(aggressiveness)
    frames = [own.is_speech(frame.tobytes(), RATE) for frame in steps.reshape(-1, size)]
    expected = np.repeat(frames, frame_ms // 10)[: -(-len(clip) // HOP)]
    assert 0.2 < expected.mean() < 0.9
    assert np.array_equal(on(clip, detector), expected)


@pytest.mark.parametrize("detector", DETECTORS)
def test_speech_between_silence_is_marked(clip: np.ndarray, detector: Any) -> None:
    marks = on(clip, detector(HOP, RATE))
    assert marks.dtype == bool and marks.shape == (500,)
    assert not marks[:95].any() and marks[100:400].mean() > 0.5 and not marks[470:].any()


@pytest.mark.parametrize("rate", [8000, 11025, 22050, 44100, 48000])
@pytest.mark.parametrize("detector", DETECTORS)
def test_marks_are_much_the_same_at_any_rate(clip: np.ndarray, detector: Any, rate: int) -> None:
    marks = on(clip, detector(HOP, RATE))
    resampled = soxr.resample(clip, RATE, rate)
    other = detector(rate // 100, rate)
    assert (on(resampled, other)[: len(marks) - 5] == marks[:-5]).mean() > 0.85
    hops = on(resampled, detector(rate // 10, rate))
    assert len(hops) == -(-len(resampled) // (rate // 10))


@pytest.mark.parametrize(
    ("sample_rate", "rate"),
    [(4000, 8000), (8000, 8000), (11025, 8000), (22050, 16000), (44100, 32000), (96000, 48000)],
)
def test_webrtc_makes_up_no_high_frequencies(sample_rate: int, rate: int) -> None:
    detector = WebRTCDetector(HOP, sample_rate)
    assert (detector.rate, detector.frame_samples) == (rate, rate // 100)


@pytest.mark.parametrize("detector", DETECTORS)
def test_each_row_is_a_clip_of_its_own(clip: np.ndarray, detector: Any) -> None:
    both = torch.from_numpy(np.stack([clip, clip[::-1].copy()]))
    marks = detector(HOP, RATE)(both)
    assert marks.dtype == torch.bool
    assert np.array_equal(marks[0].numpy(), on(clip, detector(HOP, RATE)))
    assert np.array_equal(marks[1].numpy(), on(clip[::-1].copy(), detector(HOP, RATE)))


@pytest.mark.parametrize("detector", DETECTORS)
@pytest.mark.parametrize("count", [0, 1, HOP, HOP + 1])
def test_the_shortest_clips(detector: Any, count: int) -> None:
    assert detector(HOP, RATE)(torch.zeros(2, count)).shape == (2, -(-count // HOP))


@pytest.mark.parametrize("detector", DETECTORS)
def test_they_cannot_be_streamed(detector: Any) -> None:
    assert not detector.causal
    with pytest.raises(TypeError, match="is not causal and cannot be streamed"):
        detector(HOP, RATE).initial_state(1)


@pytest.mark.parametrize(
    ("detector", "setting", "told"),
    [
        (SileroDetector, {"threshold": 1}, r"detector\.threshold=1: accepted is between 0 and 1"),
        (WebRTCDetector, {"aggressiveness": 4}, r"aggressiveness=4: accepted are 0, 1, 2, 3"),
        (WebRTCDetector, {"aggressiveness": 2.0}, r"aggressiveness=2\.0: accepted are 0, 1, 2, 3"),
        (WebRTCDetector, {"frame_ms": 15}, r"detector\.frame_ms=15: accepted are 10, 20, 30"),
    ],
)
def test_settings_that_cannot_be_are_refused(
    detector: Any, setting: dict[str, Any], told: str
) -> None:
    with pytest.raises(ValueError, match=told):
        detector(HOP, RATE, **setting)


ABSENT = [(SileroDetector, "silero_vad", "silero"), (WebRTCDetector, "webrtcvad", "webrtc")]


@pytest.mark.parametrize(("detector", "module", "extra"), ABSENT)
def test_what_is_not_installed_is_named(
    detector: Any, module: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame_detectors._silero.cache_clear()
    monkeypatch.setitem(sys.modules, module, None)
    built = detector(HOP, RATE)  # which a store's marks or a checkpoint do not need
    with pytest.raises(LangidError, match=rf"pip install 'langid-speech\[{extra}\]'"):
        built(torch.zeros(1, RATE))


def test_a_release_without_the_network_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame_detectors._silero.cache_clear()
    (tmp_path / "silero_vad").mkdir()
    (tmp_path / "silero_vad" / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "silero_vad", raising=False)
    with pytest.raises(LangidError, match=r"silero-vad has no silero_vad_16k_sequence\.onnx; run"):
        SileroDetector(HOP, RATE)(torch.zeros(1, RATE))
