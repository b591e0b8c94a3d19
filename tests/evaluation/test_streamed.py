"""Tests of langid/evaluation/streamed.py: real clips through an exported model."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
import torch

import langid as package
from langid.audio.decode import read_audio
from langid.audio.full_scale import in_16_bits
from langid.errors import LangidError
from langid.evaluation.streamed import (
    ROUNDS,
    STREAM_S,
    Streamed,
    StreamedClip,
    deal,
    join,
    stream_clips,
)
from langid.streaming.streamer import StreamingIdentifier


@pytest.fixture(scope="module")
def stream(model_path: Path) -> StreamingIdentifier:
    return StreamingIdentifier.load(model_path)


def whole_hops(path: Path) -> np.ndarray:
    samples = in_16_bits(read_audio(path, 16000))
    return np.pad(samples, (0, -len(samples) % 160), mode="edge")


def test_from_a_reset_a_clip_is_heard_as_offline(
    stream: StreamingIdentifier, checkpoint_path: Path, real_clips: list[Path]
) -> None:
    identifier = package.load(checkpoint_path)
    clips = real_clips[::12]
    heard = list(stream_clips(stream, list(map(str, clips)), [[0], [1], [2]]))
    assert len(heard) == 3
    for clip, path in zip(heard, clips, strict=True):
        posteriors, speech = identifier.posteriors(torch.from_numpy(whole_hops(path))[None])
        expected = posteriors[0, speech[0]].numpy()
        np.testing.assert_allclose(clip.posteriors, expected, atol=1e-4)
        assert clip.since_s == 0
        np.testing.assert_allclose(clip.after_s, (np.flatnonzero(speech[0]) + 1) / 100)


def test_without_a_reset_clips_are_heard_as_one_recording(
    stream: StreamingIdentifier, checkpoint_path: Path, real_clips: list[Path], tmp_path: Path
) -> None:
    seconds = [whole_hops(path)[16000:31984] for path in real_clips[::12]]  # of speech
    paths = [str(tmp_path / f"{number}.wav") for number in range(3)]
    for path, samples in zip(paths, seconds, strict=True):
        soundfile.write(path, samples, 16000, subtype="FLOAT")
    heard = list(stream_clips(stream, paths, [[2, 0, 1]]))
    assert len(heard) == 3
    filled = [np.pad(seconds[number], (0, 16), mode="edge") for number in (2, 0, 1)]
    identifier = package.load(checkpoint_path)
    posteriors, speech = identifier.posteriors(torch.from_numpy(np.concatenate(filled))[None])
    for place, clip in enumerate(heard):
        assert clip.since_s == place
        frames = slice(100 * place, 100 * place + 100)
        expected = posteriors[0, frames][speech[0, frames]].numpy()
        np.testing.assert_allclose(clip.posteriors, expected, atol=1e-4)
    (alone,) = stream_clips(stream, paths, [[1]])
    assert speech[0, 200] and np.abs(heard[2].posteriors[0] - alone.posteriors[0]).max() > 1e-3


def test_a_clip_without_speech_counts_with_all_its_frames(
    stream: StreamingIdentifier, tmp_path: Path
) -> None:
    soundfile.write(tmp_path / "silent.wav", np.zeros(8000), 16000)
    (clip,) = stream_clips(stream, [str(tmp_path / "silent.wav")], [[0]])
    assert clip.posteriors.shape == (50, 3)


def test_a_clip_that_has_gone_is_named(stream: StreamingIdentifier, tmp_path: Path) -> None:
    with pytest.raises(LangidError, match=r"streaming=true hears the clips again.*gone.wav"):
        list(stream_clips(stream, [str(tmp_path / "gone.wav")], [[0]]))


def test_clips_are_dealt_into_streams_of_one_group() -> None:
    generator = np.random.default_rng(0)
    seconds, groups = generator.uniform(2, 9, 200), generator.integers(0, 3, 200)
    streams = deal(seconds, groups)
    dealt = [number for numbers in streams for number in numbers]
    assert sorted(dealt) == sorted(list(range(200)) * ROUNDS)
    assert all(len(set(groups[numbers])) == 1 for numbers in streams)
    lengths = np.array([seconds[numbers].sum() for numbers in streams])
    assert lengths.max() < STREAM_S + 18
    assert (lengths > STREAM_S - 18).sum() >= len(streams) - 3 * ROUNDS  # but for the last ones
    assert deal(seconds, groups) == streams
    (first, *others) = deal(seconds, np.zeros(200, int))
    assert first != sorted(first) and others[0] != first


def test_clips_of_a_stream_are_joined() -> None:
    clips = [
        StreamedClip(since_s, np.full((2, 3), number), np.array([0.1, 0.3]))
        for number, since_s in ((4, 0.0), (2, 1.5), (7, 0.0))
    ]
    table = pd.DataFrame({"target": [0, 0, 1], "speaker": ["a", "a", "b"]})
    joined = join(Streamed(clips, table, 0.01), [[4, 2], [7]])
    both, alone = joined.clips
    assert joined.table["speaker"].tolist() == ["a", "b"] and len(alone.posteriors) == 2
    assert both.posteriors[:, 0].tolist() == [4, 4, 2, 2]
    np.testing.assert_allclose(both.after_s, [0.1, 0.3, 1.6, 1.8])


def test_of_cumulative_answers_the_last_frame_is_the_clips() -> None:
    frames = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]])
    clip = StreamedClip(0.0, frames, np.arange(1, 4) / 100)
    table = pd.DataFrame({"target": [1], "speaker": ["a"]})
    mean, last = (Streamed([clip], table, 0.01, cumulative=of) for of in (False, True))
    np.testing.assert_allclose(mean.means, [[1.7 / 3, 1.3 / 3]])
    np.testing.assert_allclose(last.means, [[0.6, 0.4]])
    np.testing.assert_allclose(mean.running(clip)[1], [0.55, 0.45])
    np.testing.assert_allclose(last.running(clip), frames)
