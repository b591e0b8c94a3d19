"""langid stream: one line per interval, then the verdict."""

import io
import json
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from langid.audio.decode import read_audio, read_blocks
from langid.commands import stream as command
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
    stream_path: Path, audio: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from langid.audio.decode import read_audio

    stream = StreamingIdentifier.load(stream_path)
    stream.feed(read_audio(audio, 16000))
    stream.flush()
    assert main(["stream", f"model={stream_path}", f"audio={audio}", "json=true"]) == 0
    verdict = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert verdict["speech_s"] == pytest.approx(stream.decision.speech_s)
    for name, value in stream.decision.posteriors.items():
        assert verdict["posteriors"][name] == pytest.approx(value, abs=1e-4)


@pytest.mark.parametrize("interval", ["0", "-1", "nan", "inf"])
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


class Stdin:
    """Standard input that holds some bytes."""

    def __init__(self, content: bytes):
        self.buffer = io.BytesIO(content)

    def isatty(self) -> bool:
        return False


class Terminal(Stdin):
    """Standard input into which nothing is piped."""

    def isatty(self) -> bool:
        return True


def test_standard_input_is_heard_as_the_file_is(
    model_path: Path,
    audio: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    arguments = [f"model={model_path}", "json=true"]
    assert main(["stream", *arguments, f"audio={audio}"]) == 0
    expected = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    samples, rate = soundfile.read(audio, dtype="int16")
    for content, extra in ((audio.read_bytes(), []), (samples.tobytes(), [f"rate={rate}"])):
        monkeypatch.setattr(sys, "stdin", Stdin(content))
        assert main(["stream", *arguments, "audio=-", *extra]) == 0
        heard = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert len(heard) == len(expected)
        for line, other in zip(heard, expected, strict=True):
            assert line.pop("posteriors") == pytest.approx(other["posteriors"], abs=1e-4)
            assert line["label"] == other["label"]
            assert line["heard_s"] == other["heard_s"]
    monkeypatch.setattr(sys, "stdin", Stdin(b""))
    assert main(["stream", *arguments, "audio=-"]) == 2
    assert "nothing came on standard input" in capsys.readouterr().err
    for stdin in (None, Terminal(b"")):
        monkeypatch.setattr(sys, "stdin", stdin)
        assert main(["stream", *arguments, "audio=-"]) == 2
        assert "nothing is piped into standard input" in capsys.readouterr().err
    for given in ("rate=8000", "raw=true"):
        assert main(["stream", *arguments, f"audio={audio}", given]) == 2
        assert f"{given}: is for raw PCM on standard input" in capsys.readouterr().err


def test_raw_samples_are_of_the_models_rate_where_no_other_is_said(
    model_path: Path,
    audio: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    content = np.round(read_audio(audio, 16000) * 32767).astype("<i2").tobytes()
    verdicts = []
    for given in (["raw=true"], ["raw=true", "rate=16000"], ["rate=16000"]):
        monkeypatch.setattr(sys, "stdin", Stdin(content))
        assert main(["stream", f"model={model_path}", "json=true", "audio=-", *given]) == 0
        verdicts.append(json.loads(capsys.readouterr().out.splitlines()[-1]))
    assert verdicts[0] == verdicts[1] == verdicts[2]
    assert verdicts[0]["heard_s"] == pytest.approx(len(content) / 32000, abs=0.01)
    monkeypatch.setattr(sys, "stdin", Stdin(bytes(32000)))
    assert main(["stream", f"model={model_path}", "audio=-"]) == 2
    assert "announced by raw=true or its rate" in capsys.readouterr().err


def test_a_pipe_of_another_program(model_path: Path, audio: Path, langid: Any) -> None:
    with audio.open("rb") as pipe:
        result = langid("stream", f"model={model_path}", "audio=-", stdin=pipe)
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines()[3].startswith("verdict: ")


def test_ctrl_c_ends_what_has_no_end_with_the_verdict(
    model_path: Path,
    audio: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    samples, rate = soundfile.read(audio, dtype="int16")

    class Interrupted(io.BytesIO):
        def read1(self, size: int | None = -1) -> bytes:
            content = super().read(3200)
            if not content:
                raise KeyboardInterrupt
            return content

    stdin = Stdin(b"")
    stdin.buffer = Interrupted(samples.tobytes())
    monkeypatch.setattr(sys, "stdin", stdin)
    assert main(["stream", f"model={model_path}", "audio=-", f"rate={rate}"]) == 0
    assert "\nverdict: " in capsys.readouterr().out


def test_an_interrupted_file_is_summed_up(
    model_path: Path,
    audio: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def interrupted(*arguments: Any) -> Iterator[np.ndarray]:
        yield next(read_blocks(*arguments))[:16000]
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "read_blocks", interrupted)
    picture = tmp_path / "clip.png"
    arguments = ["stream", f"model={model_path}", f"audio={audio}", f"plot={picture}", "json=true"]
    assert main(arguments) == 130
    captured = capsys.readouterr()
    verdict = json.loads(captured.out.splitlines()[-1])
    assert (verdict["kind"], verdict["heard_s"]) == ("verdict", 1.0)
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert captured.err == "langid: interrupted; finished work is kept\n"


def test_without_sounddevice_the_microphone_is_refused(
    model_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    assert main(["stream", f"model={model_path}", "audio=mic"]) == 2
    assert "pip install 'langid-speech[mic]'" in capsys.readouterr().err


def test_settings_of_the_decision(
    model_path: Path, audio: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["stream", f"model={model_path}", f"audio={audio}"]
    settings = ["languages=[Hindi,Mandarin]", "half_life_s=2", "decide_at=1.0"]
    assert main([*arguments, *settings, "json=true"]) == 0
    verdict = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert set(verdict["posteriors"]) == {"Hindi", "Mandarin"}
    assert (verdict["label"], verdict["status"]) == (None, "undecided")
    assert main([*arguments, "decide_at=1.0"]) == 0
    assert "verdict: (undecided) " in capsys.readouterr().out
    assert main([*arguments, "unknown_below=1.0"]) == 0
    assert "verdict: unknown " in capsys.readouterr().out
    for setting, message in (
        ("languages=[Thai]", "the model has no Thai; it knows English, Hindi, Mandarin"),
        ("decide_at=2", "decide_at=2: accepted are posteriors"),
        ("half_life_s=short", "half_life_s=short: accepted are seconds"),
    ):
        assert main([*arguments, setting]) == 2
        assert message in capsys.readouterr().err


def test_a_terminal_shows_bars_and_the_timeline(
    model_path: Path,
    audio: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich takes the output for a terminal's
    arguments = ["stream", f"model={model_path}", f"audio={audio}"]
    assert main(arguments) == 0
    shown = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", capsys.readouterr().out)
    for name in ("English", "Hindi", "Mandarin"):
        assert re.search(rf"{name} +[━╸╺]+ +0\.\d\d\d", shown)
    assert re.search(r"\w+   3\.2 s heard, \d\.\d s of speech", shown)
    assert re.search(r"0\.\d s undecided|0\.\d s \w+", shown)
    assert "verdict: " in shown
    assert main([*arguments, "json=true"]) == 0
    assert "\x1b" not in capsys.readouterr().out


def test_a_picture(
    model_path: Path, audio: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture, heard = tmp_path / "clip.png", shutil.copy(audio, tmp_path / "heard.png")
    arguments = ["stream", f"model={model_path}", f"audio={heard}", "json=true"]
    assert main([*arguments, f"plot={picture}"]) == 0
    assert picture.read_bytes().startswith(b"\x89PNG")
    capsys.readouterr()
    for plot, message in (
        (f"{tmp_path}/clip.gif", "expected a name that ends in .png"),
        (f"{picture}/clip.png", f"plot={picture}/clip.png: cannot be written"),
        (heard, f"plot={heard}: is the file of audio={heard}"),
    ):
        assert main([*arguments, f"plot={plot}"]) == 2
        captured = capsys.readouterr()
        assert captured.out == ""  # before any work
        assert message in captured.err
