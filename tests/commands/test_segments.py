"""langid segments: the timeline of concatenated real clips."""

import itertools
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

import langid
from langid.audio.decode import read_audio
from langid.commands.main import main
from langid.export.streaming_module import StreamingModule, TorchModel
from langid.streaming.segments import Segmenter
from langid.streaming.streamer import StreamingIdentifier

RATE = 16000


@pytest.fixture(scope="module")
def clips(real_clips: list[Path]) -> list[np.ndarray]:
    """Return three seconds each of six clips, two of each of three languages."""
    chosen: list[np.ndarray] = []
    for first in (0, 12, 24):
        clips = (read_audio(path, RATE)[RATE // 2 :] for path in real_clips[first : first + 12])
        long = (clip[: 3 * RATE] for clip in clips if len(clip) > 3 * RATE)
        chosen += itertools.islice(long, 2)
    assert len(chosen) == 6
    return chosen


@pytest.fixture(scope="module")
def meeting(clips: list[np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a recording of the clips with two seconds of silence after each."""
    path = tmp_path_factory.mktemp("meeting") / "a meeting.wav"
    soundfile.write(path, np.concatenate([np.pad(clip, (0, 2 * RATE)) for clip in clips]), RATE)
    return path


@pytest.fixture(scope="module")
def trained_on_the_clips(checkpoint_path: Path, clips: list[np.ndarray]) -> TorchModel:
    """Return a network that knows these very clips, so that it is known what it should hear."""
    identifier = langid.load(checkpoint_path)
    features, speech = identifier.front_end(torch.from_numpy(np.stack(clips)))
    languages = torch.arange(3).repeat_interleave(2)[:, None].expand_as(speech)
    # Pieces of half a second: short ones are learned in seconds.
    features, speech, languages = (
        tensor.reshape(36, 50, *tensor.shape[2:]) for tensor in (features, speech, languages)
    )
    lengths = torch.full((36,), 50)
    optimizer = torch.optim.Adam(identifier.network.parameters(), 0.01)
    for _ in range(50):
        optimizer.zero_grad()
        logits = identifier(features, lengths)
        torch.nn.functional.cross_entropy(logits[speech], languages[speech]).backward()
        optimizer.step()
    return TorchModel(StreamingModule(identifier))


def run(model: Path, audio: Path, *extra: str) -> int:
    return main(["segments", f"model={model}", f"audio='{audio}'", *extra])


def json_lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_table_json_and_rttm_say_the_same(
    model_path: Path, meeting: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(model_path, meeting, "json=true", f"rttm={tmp_path}/new/meeting.rttm") == 0
    found = json_lines(capsys.readouterr().out)
    assert len(found) >= 6  # the pauses part what the languages do not
    assert run(model_path, meeting) == 0
    header, *rows = capsys.readouterr().out.splitlines()
    assert header.split() == ["start", "end", "speech", "label", "confidence"]
    lines = (tmp_path / "new" / "meeting.rttm").read_text().splitlines()
    assert len(lines) == len(found)
    for segment, row, line in zip(found, rows, lines, strict=False):
        assert list(segment) == ["start_s", "end_s", "label", "confidence", "speech_s"]
        start, end, speech, language, confidence = row.split()
        fields = line.split()
        assert fields[:3] == ["SPEAKER", "a_meeting", "1"]
        assert len(fields) == 10
        assert language == fields[7] == segment["label"]
        assert float(start) == pytest.approx(segment["start_s"], abs=0.005)
        assert float(end) == pytest.approx(segment["end_s"], abs=0.005)
        assert float(speech) == pytest.approx(segment["speech_s"], abs=0.005)
        assert float(confidence) == pytest.approx(segment["confidence"], abs=0.0006)
        assert float(fields[3]) == pytest.approx(segment["start_s"])
        assert float(fields[4]) == pytest.approx(segment["end_s"] - segment["start_s"])
    totals = rows[len(found) :]
    for language in {segment["label"] for segment in found}:
        own = [segment["speech_s"] for segment in found if segment["label"] == language]
        expected = f"{language}: {sum(own):.2f} s of speech in {len(own)} segments"
        assert expected in totals


def test_one_is_a_segment(
    model_path: Path, real_clips: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(model_path, real_clips[0], "languages=[Hindi]", "pause_s=99") == 0
    assert capsys.readouterr().out.splitlines()[-1].endswith(" s of speech in 1 segment")


def test_segments_are_in_order_in_the_clips_and_not_in_the_pauses(
    model_path: Path, meeting: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(model_path, meeting, "json=true") == 0
    found = json_lines(capsys.readouterr().out)
    end = 0.0
    for segment in found:
        assert end <= segment["start_s"] < segment["end_s"]
        assert 0 < segment["speech_s"] <= segment["end_s"] - segment["start_s"] + 1e-6
        assert segment["label"] in ("English", "Hindi", "Mandarin")
        assert 0 < segment["confidence"] <= 1
        end = segment["end_s"]
        place, last = segment["start_s"] % 5, segment["end_s"] % 5
        assert place < last <= 3.3  # the detector holds on for a moment after speech
    stream = StreamingIdentifier.load(model_path)
    stream.feed(read_audio(meeting, RATE))
    assert sum(segment["speech_s"] for segment in found) == pytest.approx(stream.decision.speech_s)


def test_changes_of_language_are_found_where_clips_meet(
    trained_on_the_clips: TorchModel,
    clips: list[np.ndarray],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """English, Mandarin, English, Hindi without pauses between: boundaries at 6, 12 and 15 s."""
    recording = np.concatenate([clips[number] for number in (0, 1, 4, 5, 0, 2, 3)])
    soundfile.write(tmp_path / "clips.wav", recording, RATE)
    stream = StreamingIdentifier(trained_on_the_clips)
    monkeypatch.setattr(StreamingIdentifier, "load", lambda path: stream)
    assert run(tmp_path / "not.onnx", tmp_path / "clips.wav", "json=true", "pause_s=3") == 0
    found = json_lines(capsys.readouterr().out)
    assert [part["label"] for part in found] == ["English", "Mandarin", "English", "Hindi"]
    stream.reset()
    stream.feed(recording)
    spoken_s = np.flatnonzero(stream.speech) / 100
    for before, after, boundary_s in zip(found, found[1:], (6, 12, 15), strict=False):
        # The network itself takes half a second to believe another language.
        assert before["end_s"] == pytest.approx(spoken_s[spoken_s < boundary_s][-1], abs=0.8)
        assert after["start_s"] == pytest.approx(spoken_s[spoken_s >= boundary_s][0], abs=0.8)


def test_segments_are_those_of_the_library(
    stream_path: Path, meeting: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings: dict[str, Any] = {"half_life_s": 0.3, "min_duration_s": 0.5, "pause_s": 0.2}
    extra = [f"{name}={value}" for name, value in settings.items()]
    assert run(stream_path, meeting, "json=true", "languages=[Hindi,English]", *extra) == 0
    found = json_lines(capsys.readouterr().out)
    stream = StreamingIdentifier.load(stream_path)
    segmenter = Segmenter(stream.classes, stream.hop_s, **settings, languages=["English", "Hindi"])
    posteriors = stream.feed(read_audio(meeting, RATE))
    expected = [*segmenter.process(posteriors, stream.speech), *segmenter.finish()]
    assert {segment["label"] for segment in found} <= {"English", "Hindi"}
    assert len(found) == len(expected)
    for segment, other in zip(found, expected, strict=True):
        assert segment["label"] == other.label
        for name in ("start_s", "end_s", "confidence"):
            assert segment[name] == pytest.approx(getattr(other, name), abs=1e-4)


def test_a_picture(
    model_path: Path, meeting: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(model_path, meeting, f"plot={tmp_path}/meeting.png") == 0
    assert (tmp_path / "meeting.png").read_bytes().startswith(b"\x89PNG")
    capsys.readouterr()
    assert run(model_path, meeting, f"plot={tmp_path}/meeting.txt") == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "expected a name that ends in .png" in captured.err


def test_silence_has_no_segments(
    model_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    soundfile.write(tmp_path / "silent.wav", np.zeros(2 * RATE), RATE)
    assert run(model_path, tmp_path / "silent.wav") == 0
    assert capsys.readouterr().out == "no speech in 2.00 s\n"


def test_absent_audio_prints_nothing_but_its_name(
    model_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(model_path, tmp_path / "absent.wav") == 2
    assert capsys.readouterr() == ("", f"langid: {tmp_path}/absent.wav: no such file\n")


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("min_duration_s=0", "min_duration_s=0: accepted are seconds above 0"),
        ("half_life_s=inf", "half_life_s=inf: accepted are seconds above 0"),
        ("pause_s=long", "pause_s=long: expected a number"),
        ("languages=[Thai]", "the model has no Thai; it knows English, Hindi, Mandarin"),
        ("languages=Hindi", "languages=Hindi: expected a list of the model's classes"),
        ("rttm=/dev/null/a.rttm", "rttm=/dev/null/a.rttm: cannot be written"),
        ("rttm=/dev", "rttm=/dev: is a folder; expected a file"),
        ("rttm=a.wav", "rttm=a.wav: expected a name that ends in .rttm, rttm=a.rttm"),
        ("plot=/dev/null/a.png", "plot=/dev/null/a.png: cannot be written"),
    ],
)
def test_bad_settings_are_named(
    model_path: Path, meeting: Path, setting: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(model_path, meeting, setting) == 2
    captured = capsys.readouterr()
    assert captured.out == ""  # before any work
    assert message in captured.err


def test_the_recording_is_not_overwritten(
    model_path: Path, meeting: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = meeting.read_bytes()
    for key in ("rttm", "plot"):
        audio = tmp_path / f"meeting.{key.replace('plot', 'png')}"
        audio.write_bytes(content)
        assert run(model_path, audio, f"{key}={audio}") == 2
        captured = capsys.readouterr()
        assert captured.out == ""
        assert f"{key}={audio}: is the file of audio={audio}" in captured.err
        assert audio.read_bytes() == content


def test_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["segments", "--help"]) == 0
    text = capsys.readouterr().out
    assert text.count("\n  langid segments ") == 2
    for key in ("model", "audio", "half_life_s", "min_duration_s", "pause_s", "rttm", "plot"):
        assert f"\n  {key} " in text


WITHOUT_TORCH = """
import sys
from langid.commands.main import main
assert main(["segments", *sys.argv[1:]]) == 0
assert not {"torch", "pandas", "matplotlib"} & set(sys.modules)
"""


def test_segments_need_no_torch(model_path: Path, meeting: Path) -> None:
    command = [sys.executable, "-c", WITHOUT_TORCH, f"model={model_path}", f"audio='{meeting}'"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr
