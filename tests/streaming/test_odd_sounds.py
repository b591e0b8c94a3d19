"""Silence, offsets, gates and noise through an exported file: the same as offline PyTorch says."""

import numpy as np
import pytest
import torch

from langid.streaming.streamer import StreamingIdentifier

from ..conftest import Exported

RATE = 16000


def noise(seconds: float, level_db: float, seed: int = 0) -> np.ndarray:
    """Return white noise of a level in dB of full scale, ``(samples,)``."""
    white = np.random.default_rng(seed).standard_normal(int(seconds * RATE))
    return (white * 10 ** (level_db / 20)).astype(np.float32)


def heard(
    stream: StreamingIdentifier, samples: np.ndarray, chunk: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return posteriors and speech of samples that are fed in chunks."""
    stream.reset()
    posteriors, speech = [], []
    for start in range(0, len(samples), chunk):
        posteriors.append(stream.feed(samples[start : start + chunk]))
        speech.append(stream.speech)
    return (
        np.concatenate([*posteriors, stream.flush()]),
        np.concatenate([*speech, stream.speech]),
    )


def check_parity(exported: Exported, stream: StreamingIdentifier, samples: np.ndarray) -> None:
    """Compare frame by frame and in longer chunks with PyTorch on the whole; leave the stream."""
    expected, marked = exported.identifier.posteriors(torch.from_numpy(samples)[None])
    for chunk in (1000, 160):
        posteriors, speech = heard(stream, samples, chunk)
        np.testing.assert_array_equal(speech, marked[0].numpy())
        np.testing.assert_allclose(posteriors, expected[0].numpy(), rtol=0, atol=1e-4)


ROOM = noise(4, -50)
ZEROS = np.zeros(800, np.float32)
SILENT = {
    "zeros": np.zeros(RATE, np.float32),
    "10 ms of zeros, then noise": np.concatenate([ZEROS[:160], ROOM]),
    "50 ms of zeros, then noise": np.concatenate([ZEROS, ROOM]),
    "a mute in the middle": np.concatenate([ROOM, np.zeros(1500, np.float32), ROOM]),
    "a gate": ROOM * (np.arange(len(ROOM)) // 4000 % 2),
    "dither, then noise": np.concatenate([noise(0.5, -93).round(5), ROOM]),
    "an offset of 0.1": np.full(RATE + 50, 0.1, np.float32),
    "white noise at -20 dB": noise(3, -20),
    "white noise at -5 dB": noise(3, -5).clip(-1, 1),
    "noise with an offset of 0.05": ROOM[:-50] + np.float32(0.05),
}


@pytest.mark.parametrize("name", SILENT)
def test_what_is_no_speech_is_decided_on_by_nobody(exported: Exported, name: str) -> None:
    stream, samples = StreamingIdentifier.load(exported.path), SILENT[name]
    check_parity(exported, stream, samples.astype(np.float32))
    assert stream.decision.label is None and stream.decision.speech_s == 0


@pytest.mark.parametrize("offset", [0.02, 0.05, 0.1])
def test_speech_with_an_offset_is_the_same_speech(
    exported: Exported, clips: list[np.ndarray], offset: float
) -> None:
    stream = StreamingIdentifier.load(exported.path)
    clip = clips[0][16000:32450]  # from within a word to a hop that is not full
    posteriors, speech = heard(stream, clip, 160)
    moved = clip + np.float32(offset)
    found, marked = heard(stream, moved, 160)
    assert speech.sum() > 50
    np.testing.assert_array_equal(marked, speech)
    np.testing.assert_allclose(found, posteriors, rtol=0, atol=1e-3)
    check_parity(exported, stream, moved)


def test_speech_that_was_muted_is_heard_as_offline(
    exported: Exported, clips: list[np.ndarray]
) -> None:
    stream, clip = StreamingIdentifier.load(exported.path), clips[5].copy()
    clip[20000:20070] = 0
    clip[24000:26500] = 0
    clip[30000:45000] = 0
    check_parity(exported, stream, clip)
    assert 0 < stream.decision.speech_s < len(clip) / RATE
