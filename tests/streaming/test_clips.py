"""Tests of langid/streaming/clips.py; that it says what langid evaluate says: test_long_utterances.

Processes are in tests/commands/test_predict.py.
"""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from langid.audio.full_scale import in_16_bits
from langid.data.pieces import HELD_OUT_S
from langid.export.windowed import export_offline, utterance_posteriors
from langid.streaming.clips import PIECE_S, decide
from langid.streaming.streamer import StreamingIdentifier
from langid.training.identifier import LanguageIdentifier

from ..conftest import Once
from ..export.test_windowed import whole_utterance


@pytest.fixture(scope="module")
def identifier(clips: list[np.ndarray]) -> LanguageIdentifier:
    return whole_utterance("probes.LinearProbe", "mask", clips[0])


@pytest.fixture(scope="module")
def path(identifier: LanguageIdentifier, clips: list[np.ndarray], once: Once) -> Path:
    def export(folder: Path) -> None:
        export_offline(identifier, folder / "model.onnx", [clips[0][:16000]], 1.0, 0.5)

    return once("clips-probe", export) / "model.onnx"


def written(samples: np.ndarray, path: Path) -> Path:
    soundfile.write(path, samples, 16000, subtype="FLOAT")
    return path


def test_a_clip_is_heard_at_once(
    path: Path, identifier: LanguageIdentifier, clips: list[np.ndarray], tmp_path: Path
) -> None:
    stream = StreamingIdentifier.load(path)
    samples = np.pad(in_16_bits(clips[1][: 5 * 16000 - 30]), (0, 30), "edge")
    decision = decide(stream, written(samples[:-30], tmp_path / "clip.wav"))
    expected = utterance_posteriors(identifier, samples)
    np.testing.assert_allclose(list(decision.posteriors.values()), expected, rtol=0, atol=1e-4)
    speech = identifier.posteriors(torch.from_numpy(samples)[None])[1]
    assert decision.speech_s == decision.decided_after_s == pytest.approx(int(speech.sum()) / 100)
    assert (decision.heard_s, decision.no_speech) == (5.0, False)
    assert decision.label == stream.classes[expected.argmax()]


def test_of_a_long_clip_each_piece_counts_by_its_speech(
    path: Path, identifier: LanguageIdentifier, clips: list[np.ndarray], tmp_path: Path
) -> None:
    samples = in_16_bits(np.resize(np.concatenate(clips[:6]), 45 * 16000))
    decision = decide(StreamingIdentifier.load(path), written(samples, tmp_path / "long.wav"))
    pieces = [samples[: 30 * 16000], samples[30 * 16000 :]]
    said = [utterance_posteriors(identifier, piece) for piece in pieces]
    spoken = [identifier.posteriors(torch.from_numpy(piece)[None])[1].sum() for piece in pieces]
    expected = np.average(said, axis=0, weights=np.array(spoken))
    np.testing.assert_allclose(list(decision.posteriors.values()), expected, rtol=0, atol=1e-4)
    assert decision.heard_s == 45.0


def test_silence_is_no_language_and_settings_hold(
    path: Path, clips: list[np.ndarray], tmp_path: Path
) -> None:
    silent = written(np.zeros(16000, np.float32), tmp_path / "silent.wav")
    decision = decide(StreamingIdentifier.load(path), silent)
    assert (decision.label, decision.no_speech, decision.decided_after_s) == (None, True, None)
    spoken = written(clips[0][:48000], tmp_path / "spoken.wav")
    strict = StreamingIdentifier.load(path, unknown_below=1.0, languages=["Hindi", "English"])
    decision = decide(strict, spoken)
    assert (decision.label, list(decision.posteriors)) == ("unknown", ["English", "Hindi"])


def test_pieces_are_those_of_evaluation() -> None:
    assert PIECE_S == HELD_OUT_S
