"""langid stream: one line per interval, then the verdict."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from langid.commands.main import main
from langid.streaming.streamer import StreamingIdentifier


@pytest.fixture(scope="module")
def audio(real_clips: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return 3.205 s of real speech."""
    samples, rate = soundfile.read(real_clips[1])
    path = tmp_path_factory.mktemp("audio") / "speech.wav"
    soundfile.write(path, np.asarray(samples)[: round(3.205 * rate)], rate)
    return path


def test_a_line_per_second_then_the_verdict(
    model_path: Path, audio: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["stream", f"model={model_path}", f"audio={audio}"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[:3]] == ["1.00", "2.00", "3.00"]
    assert lines[3].startswith("verdict: ")
    assert all(name in line for name in ("English", "Hindi", "Mandarin") for line in lines[:4])
    assert lines[4].startswith("real-time factor ")
    assert len(lines) == 5


@pytest.mark.parametrize("interval_s", [0.05, 0.25, 1.0])
def test_lines_of_json(
    model_path: Path, audio: Path, interval_s: float, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [f"model={model_path}", f"audio={audio}", f"interval_s={interval_s}", "json=true"]
    assert main(["stream", *arguments]) == 0
    *intervals, verdict = map(json.loads, capsys.readouterr().out.splitlines())
    expected = np.arange(1, int(3.205 / interval_s + 1e-9) + 1) * interval_s
    np.testing.assert_allclose([line["heard_s"] for line in intervals], expected)
    assert {line["kind"] for line in intervals} == {"interval"}
    assert verdict["kind"] == "verdict"
    assert verdict["heard_s"] == pytest.approx(3.21)  # the last hop is filled with zeros
    assert sum(verdict["posteriors"].values()) == pytest.approx(1, abs=1e-5)
    assert verdict["label"] == max(verdict["posteriors"], key=verdict["posteriors"].get)


def test_the_verdict_is_that_of_the_library(
    model_path: Path, audio: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from langid.signal.audio import read_audio

    stream = StreamingIdentifier.load(model_path)
    stream.feed(read_audio(audio, 16000))
    stream.flush()
    assert main(["stream", f"model={model_path}", f"audio={audio}", "json=true"]) == 0
    verdict = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert verdict["speech_s"] == pytest.approx(stream.decision.speech_s)
    for name, value in stream.decision.posteriors.items():
        assert verdict["posteriors"][name] == pytest.approx(value, abs=1e-4)


@pytest.mark.parametrize("interval", ["0", "-1", "nan"])
def test_an_interval_that_is_none_is_refused(
    model_path: Path, audio: Path, interval: str, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [f"model={model_path}", f"audio={audio}", f"interval_s={interval}"]
    assert main(["stream", *arguments]) == 2
    assert "accepted are numbers above 0" in capsys.readouterr().err


def test_bad_audio_and_bad_models_are_named(
    model_path: Path, audio: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = tmp_path / "text.wav"
    text.write_text("no audio")
    assert main(["stream", f"model={model_path}", f"audio={text}"]) == 2
    assert "text.wav: cannot be decoded" in capsys.readouterr().err
    assert main(["stream", f"model={audio}", f"audio={audio}"]) == 2
    assert "speech.wav: not a whole ONNX file" in capsys.readouterr().err
