"""Many streams in one batch, each compared with its lone run."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import langid
from langid.audio.decode import read_audio
from langid.errors import LangidError
from langid.export.streaming_module import StreamingModule, TorchModel
from langid.streaming.multi_stream import MultiStream, RefusedSamples
from langid.streaming.onnx_model import OnnxModel
from langid.streaming.streamer import StreamingIdentifier


@pytest.fixture(scope="module")
def speech(real_clips: list[Path]) -> list[np.ndarray]:
    """Return a second of ten real clips of three languages, none a whole number of hops."""
    starts = range(8000, 9000, 100)
    return [
        read_audio(path, 16000)[start : start + 16033]
        for path, start in zip(real_clips[::4] + real_clips[1:2], starts, strict=True)
    ]


@pytest.fixture(params=["model_path", "strided_path", "torch"])
def model(request: pytest.FixtureRequest, checkpoint_path: Path) -> Any:
    if request.param == "torch":
        return TorchModel(StreamingModule(langid.load(checkpoint_path)))
    return OnnxModel(request.getfixturevalue(request.param))


def alone(model: Any, samples: np.ndarray, flush: bool = False, **settings: Any) -> Any:
    """Return the posteriors and the decision of a lone stream."""
    stream = StreamingIdentifier(model, **settings)
    heard = [stream.feed(samples), *([stream.flush()] if flush else [])]
    return np.concatenate(heard), stream.decision


def same(decision: Any, expected: Any) -> None:
    assert decision.posteriors == pytest.approx(expected.posteriors, abs=1e-5)
    for name in ("label", "status", "speech_s", "heard_s", "decided_after_s"):
        assert getattr(decision, name) == getattr(expected, name)


def test_streams_that_go_together_equal_lone_ones(model: Any, speech: list[np.ndarray]) -> None:
    streams = MultiStream(model, half_life_s=0.5)
    numbers = [streams.join() for _ in speech]
    heard: dict[int, list[np.ndarray]] = {number: [] for number in numbers}
    for start in range(0, 16033, 1000):
        chunks = {n: own[start : start + 1000] for n, own in zip(numbers, speech, strict=True)}
        for number, posteriors in streams.step(chunks).items():
            heard[number].append(posteriors)
    for number, posteriors in streams.flush(numbers).items():
        heard[number].append(posteriors)
    for number, own in zip(numbers, speech, strict=True):
        expected, decision = alone(model, own, flush=True, half_life_s=0.5)
        np.testing.assert_allclose(np.concatenate(heard[number]), expected, rtol=0, atol=1e-5)
        same(streams.decision(number), decision)


def test_joins_leaves_resets_gaps_and_other_lengths(
    stream_path: Path, speech: list[np.ndarray]
) -> None:
    """Forty streams of ten clips at random times: nobody hears anybody else."""
    model = OnnxModel(stream_path)
    streams, random = MultiStream(model), np.random.default_rng(0)
    clips: dict[int, int] = {}
    fed: dict[int, int] = {}
    heard: dict[int, list[np.ndarray]] = {}
    lone = [alone(model, own)[0] for own in speech]
    finished = 0

    def check(number: int) -> None:
        expected = lone[clips[number]][: fed[number] // streams.hop_samples]
        found = np.concatenate([np.zeros((0, 3), np.float32), *heard[number]])
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)

    for _ in range(120):
        if random.random() < 0.4 and len(clips) < 40:
            number = streams.join()
            assert number not in clips
            clips[number], fed[number], heard[number] = int(random.integers(10)), 0, []
        chunks = {}
        for number in random.permutation(list(clips)).tolist():
            if random.random() < 0.7:
                size = int(random.choice([0, 1, 160, 400, 1600, 1601]))
                chunks[number] = speech[clips[number]][fed[number] : fed[number] + size]
                fed[number] += len(chunks[number])
        posteriors = streams.step(chunks)
        assert list(posteriors) == list(chunks)
        for number, frames in posteriors.items():
            heard[number].append(frames)
        if clips and random.random() < 0.3:
            number = int(random.choice(list(clips)))
            check(number)
            finished += 1
            if random.random() < 0.5:
                streams.reset(number)
                fed[number], heard[number] = 0, []
            else:
                streams.leave(number)
                del clips[number]
        assert len(streams) == len(clips)
    for number in clips:
        check(number)
    assert finished > 10
    assert len(clips) > 8  # the first rows were full


def test_growth_keeps_what_is_remembered(model_path: Path, speech: list[np.ndarray]) -> None:
    model = OnnxModel(model_path)
    streams = MultiStream(model)
    first = streams.join()
    begun = streams.step({first: speech[0][:8000]})[first]
    for _ in range(40):
        streams.join()
    rest = streams.step({first: speech[0][8000:]})[first]
    expected, decision = alone(model, speech[0])
    np.testing.assert_allclose(np.concatenate([begun, rest]), expected, rtol=0, atol=1e-5)
    same(streams.decision(first), decision)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (np.array([0.1, np.nan]), "NaN or infinity"),
        (np.full(160, np.inf, np.float32), "NaN or infinity"),
        (np.zeros((2, 160), np.float32), r"shape \(2, 160\): expected one axis"),
        (np.zeros(160, np.int32), "type int32"),
        (np.full(160, 3e4), "divide"),
        (None, "expected"),
    ],
)
def test_a_bad_stream_harms_no_other(
    model_path: Path, speech: list[np.ndarray], bad: Any, message: str
) -> None:
    model = OnnxModel(model_path)
    streams = MultiStream(model)
    good, ill = streams.join(), streams.join()
    begun = streams.step({good: speech[0][:1000], ill: speech[1][:1000]})
    with pytest.raises(RefusedSamples, match=f"stream {ill}: .*{message}") as refused:
        streams.step({ill: bad, good: speech[0][1000:5000]})
    assert list(refused.value.refused) == [ill]
    assert list(refused.value.posteriors) == [good]
    rest = streams.step({good: speech[0][5000:], ill: speech[1][1000:]})
    parts = {
        good: [begun[good], refused.value.posteriors[good], rest[good]],
        ill: [begun[ill], rest[ill]],
    }
    for number, own in ((good, speech[0]), (ill, speech[1])):
        expected = alone(model, own)[0]
        np.testing.assert_allclose(np.concatenate(parts[number]), expected, rtol=0, atol=1e-5)


def test_a_stream_that_is_none_is_named(model_path: Path, speech: list[np.ndarray]) -> None:
    streams = MultiStream.load(model_path)
    number = streams.join()
    gone = streams.join()
    streams.leave(gone)
    for call in (streams.leave, streams.reset, streams.decision):
        with pytest.raises(LangidError, match=f"no stream {gone}: it has not joined, or it has"):
            call(gone)
    with pytest.raises(LangidError, match="no stream 99"):
        streams.flush([number, 99])
    with pytest.raises(RefusedSamples, match=f"stream {gone}: no stream {gone}") as refused:
        streams.step({gone: speech[0], number: speech[0]})
    assert len(refused.value.posteriors[number]) == 100
    assert streams.join() not in (number, gone)


def test_what_is_no_stream_number_or_no_mapping_is_named(model_path: Path) -> None:
    streams = MultiStream.load(model_path)
    number: Any = streams.join()
    blocks: Any = [np.zeros(160, np.float32)]
    for numbers in (number, None, [[number]]):
        with pytest.raises(LangidError, match=r"expected a list of .*flush\(\[number, "):
            streams.flush(numbers)
    with pytest.raises(LangidError, match=r"samples of type list: expected .* step\(\{number: "):
        streams.step(blocks)
    assert streams.decision(number).heard_s == 0


def test_streams_of_other_rates_are_resampled(model_path: Path, real_clips: list[Path]) -> None:
    model = OnnxModel(model_path)
    streams = MultiStream(model)
    telephone, wide = (read_audio(real_clips[0], rate)[:8000] for rate in (8000, 16000))
    numbers = [streams.join(sample_rate=8000), streams.join()]
    heard: list[list[np.ndarray]] = [[], []]
    for start in range(0, 8000, 500):
        chunk = slice(start, start + 500)
        step = streams.step({numbers[0]: telephone[chunk], numbers[1]: wide[chunk]})
        for own, number in zip(heard, numbers, strict=True):
            own.append(step[number])
    flushed = streams.flush(numbers)
    lone = StreamingIdentifier(model)
    expected = [lone.feed(telephone, sample_rate=8000), lone.flush()]
    found = np.concatenate([*heard[0], flushed[numbers[0]]])
    np.testing.assert_allclose(found, np.concatenate(expected), rtol=0, atol=1e-5)
    np.testing.assert_allclose(np.concatenate(heard[1]), alone(model, wide)[0], rtol=0, atol=1e-5)
    with pytest.raises(LangidError, match="sample_rate=0: expected a whole number of Hz"):
        streams.join(sample_rate=0)


def test_settings_are_those_of_single_streams(model_path: Path, speech: list[np.ndarray]) -> None:
    model = OnnxModel(model_path)
    settings: dict[str, Any] = {"decide_at": 0.99, "languages": ["Hindi", "Mandarin"]}
    streams = MultiStream(model, **settings)
    number = streams.join()
    streams.step({number: speech[0]})
    same(streams.decision(number), alone(model, speech[0], **settings)[1])
    assert streams.decision(number).status == "undecided"
    with pytest.raises(LangidError, match="no decision setting speed"):
        MultiStream(model, speed=1)


def test_every_kind_of_samples_is_heard_alike(model_path: Path, speech: list[np.ndarray]) -> None:
    """Whatever goes together in a step: 16-bit integers, floats of any width, lists, slices."""
    model = OnnxModel(model_path)
    integers = (speech[0] * 32767).astype(np.int16)
    floats = integers.astype(np.float32) / 32768
    big_endian = floats.astype(">f4")
    spaced = np.stack([floats, floats], 1)[:, 0]
    kinds: list[Any] = [integers, floats, floats.astype(float), floats.tolist(), big_endian, spaced]
    expected = alone(model, floats)[0]
    for together in ([0], [0, 0], [1, 1], [1, 4], [4, 1], [0, 1], [1, 5], range(6)):
        streams = MultiStream(model)
        chosen = {streams.join(): kinds[kind] for kind in together}
        for found in streams.step(chosen).values():
            np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


def test_nothing_at_all_is_no_step(model_path: Path) -> None:
    streams = MultiStream.load(model_path)
    assert streams.step({}) == {}
    number = streams.join()
    assert streams.step({number: np.zeros(0, np.float32)})[number].shape == (0, 3)
    assert streams.flush([]) == {}
    assert streams.decision(number).heard_s == 0


def test_what_is_answered_stays(model_path: Path, speech: list[np.ndarray]) -> None:
    """Posteriors are the caller's: neither later steps nor reused buffers change them."""
    streams = MultiStream.load(model_path)
    first, second = streams.join(), streams.join()
    buffer = speech[0][:1033].copy()
    answered = streams.step({first: buffer, second: speech[1][:1033]})
    kept = {number: frames.copy() for number, frames in answered.items()}
    buffer[:] = 1
    rest = streams.step({second: speech[1][1033:2000], first: speech[0][1033:2000]})
    for number, frames in kept.items():
        np.testing.assert_array_equal(answered[number], frames)
        assert answered[number].base is None  # and none of them keeps the others in memory
    expected = alone(streams.model, speech[0][:2000])[0]
    found = np.concatenate([answered[first], rest[first]])
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)
