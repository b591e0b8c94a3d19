"""The soak of MultiStream, for half a minute of many streams, and that it would see a fault."""

import importlib
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from langid.audio.decode import read_audio
from langid.export.windowed import export_offline
from langid.streaming.multi_stream import MultiStream
from langid.streaming.onnx_model import OnnxModel

from ..export.test_windowed import whole_utterance

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def soak(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("soak")


@pytest.fixture
def sound(real_clips: list[Path]) -> np.ndarray:
    """Return some seconds of real speech of three languages."""
    return np.concatenate([read_audio(path, 16000) for path in real_clips[::12]])


def test_every_stream_equals_its_lone_run(soak: Any, stream_path: Path, sound: np.ndarray) -> None:
    model = OnnxModel(stream_path)
    tally = soak.run(soak.Soak(model, sound), 30.0, fast=True)
    assert tally.difference <= soak.DIFFERENCE_LIMIT
    assert tally.frames * model.metadata["hop_samples"] > 10_000 * 160
    assert min(tally.ended, tally.resets, tally.gaps, tally.refused) > 5
    assert len(tally.resident_mb) > 10


def test_cross_talk_is_seen(
    soak: Any, model_path: Path, sound: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stream that begins on a row where another was, and hears what that one left."""
    begin = MultiStream._begin

    def unclean(streams: MultiStream, stream: Any) -> None:
        states = [array[stream.row].copy() for array in streams._states]
        begin(streams, stream)
        for array, state in zip(streams._states, states, strict=True):
            array[stream.row] = state

    monkeypatch.setattr(MultiStream, "_begin", unclean)
    tally = soak.run(soak.Soak(OnnxModel(model_path), sound), 10.0, fast=True)
    assert tally.difference > soak.DIFFERENCE_LIMIT


def test_a_model_that_hears_a_window(
    soak: Any,
    sound: np.ndarray,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / "model.onnx"
    export_offline(whole_utterance("cnn.CNN", "mask", sound), path, [sound[:16000]], 1.0, 0.5)
    monkeypatch.setattr(sys, "argv", ["soak.py", "--fast", "--seconds=5", f"--model={path}"])
    soak.main()  # how much memory grows in so short a time says nothing
    difference, _ = capsys.readouterr().out.splitlines()[-1].split("; ")
    assert difference.startswith("largest difference from lone runs ")
    assert difference.endswith(": holds)")


def test_a_model_that_is_none_is_named(
    soak: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["soak.py", "--model=absent.onnx"])
    assert soak.main() == 2
    expected = "soak.py: model=absent.onnx: no such file; langid export writes one\n"
    assert capsys.readouterr() == ("", expected)
