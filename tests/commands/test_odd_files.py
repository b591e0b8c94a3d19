"""Files that are joined, of unknown length, damaged or no sound: all commands say the same."""

import io
import json
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from langid.commands.main import main
from langid.corpora.manifest import COLUMNS, read_rows, write_table

RATE = 16000
SECONDS = 3.2


def encoded(samples: np.ndarray, kind: str, subtype: str | None = None, rate: int = RATE) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=kind, subtype=subtype)
    return file.getvalue()


@pytest.fixture(scope="module")
def heard(real_clips: list[Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return files of the same 3.2 s of speech, each with an oddity."""
    clip, rate = soundfile.read(real_clips[0])
    speech = np.asarray(clip)[rate :: rate // RATE][: round(SECONDS * RATE)]
    halves = np.split(speech, 2)
    wav = encoded(speech, "WAV")
    at = wav.index(b"data") + 4
    flac = bytearray(encoded(speech, "FLAC"))
    flac[21] &= 0xF0
    flac[22:26] = bytes(4)
    contents = {
        "plain.wav": wav,
        "joined.mp3": b"".join(encoded(half, "MP3") for half in halves),
        "rates.ogg": encoded(halves[0], "OGG")
        + encoded(np.repeat(halves[1], 3), "OGG", rate=48000),
        "joined.opus": b"".join(encoded(half, "OGG", "OPUS") for half in halves),
        "joined.flac": b"".join(encoded(half, "FLAC") for half in halves),
        "killed recorder.wav": wav[:at] + struct.pack("<I", 0) + wav[at + 4 :],
        "unknown.flac": bytes(flac),
        "cancel.flac": encoded(np.stack([speech, -speech], 1), "FLAC"),
        "float.wav": encoded(speech / np.abs(speech).max() * 1.5, "WAV", "FLOAT"),
        "named.mp3": wav,
    }
    return written(tmp_path_factory.mktemp("heard"), contents)


def written(folder: Path, contents: dict[str, bytes]) -> dict[str, Path]:
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return {name: folder / name for name in contents}


REFUSED = {
    "scale.wav": "samples reach 3.277e+04: expected floats of full scale 1",
    "none.wav": "holds no samples",
    "page.mp3": "cannot be decoded (it is text (HTML), not audio)",
    "voice.m4a": "(it is MP4 (M4A), which libsndfile does not decode); convert it: ffmpeg -i ",
    "cut.flac": "cannot be decoded (FLAC, damaged or cut: flac decoder lost sync)",
}


@pytest.fixture(scope="module")
def refused(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    noise = 0.1 * np.random.default_rng(0).normal(size=2 * RATE)
    flac = encoded(noise, "FLAC")
    contents = {
        "scale.wav": encoded(32768 * np.sin(np.arange(2 * RATE)), "WAV", "FLOAT"),
        "none.wav": encoded(np.zeros(0), "WAV"),
        "page.mp3": b"<!DOCTYPE html>\n<html><body>Not found</body></html>\n",
        "voice.m4a": b"\0\0\0\x20ftypM4A \0\0\0\0" + bytes(2000),
        "cut.flac": flac[: len(flac) // 2],
    }
    assert list(contents) == list(REFUSED)
    return written(tmp_path_factory.mktemp("refused"), contents)


def test_prepare_keeps_what_can_be_heard_and_names_the_rest(
    heard: dict[str, Path], refused: dict[str, Path], tmp_path: Path
) -> None:
    files = heard | refused
    row = dict.fromkeys(COLUMNS, "") | {"language": "English", "corpus": "odd"}
    rows = [row | {"utterance_id": name, "path": str(path)} for name, path in files.items()]
    write_table(rows, COLUMNS, tmp_path / "odd.tsv")
    corpus = ["corpus=manifest", f"corpus.path={tmp_path}/odd.tsv"]
    assert main(["prepare", *corpus, f"store={tmp_path}/a.h5", "workers=1"]) == 0
    header, kept = read_rows(tmp_path / "a.manifest.tsv")
    seconds = {line[0]: float(line[header.index("duration_s")]) for line in kept}
    assert list(seconds) == list(heard)
    assert all(abs(duration - SECONDS) < 0.01 for duration in seconds.values()), seconds
    header, left_out = read_rows(tmp_path / "a.skipped.tsv")
    reasons = {Path(line[1]).name: line[header.index("reason")] for line in left_out}
    assert list(reasons) == list(REFUSED)
    assert all(REFUSED[name] in reason for name, reason in reasons.items())


def test_predict_stream_and_segments_hear_the_same(
    heard: dict[str, Path], model_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    def lines(command: str, path: Path) -> list[dict[str, object]]:
        assert main([command, f"model={model_path}", f"audio='{path}'", "json=true"]) == 0
        captured = capfd.readouterr()
        assert captured.err == ""
        return [json.loads(line) for line in captured.out.splitlines()]

    (plain,) = lines("predict", heard["plain.wav"])
    parts = lines("segments", heard["plain.wav"])
    for path in heard.values():
        (predicted,), verdict = lines("predict", path), lines("stream", path)[-1]
        found = lines("segments", path)
        for decision in (predicted, verdict):
            assert decision["heard_s"] == pytest.approx(SECONDS, abs=0.011)
            assert decision["label"] == plain["label"]
            assert decision["speech_s"] == pytest.approx(plain["speech_s"], abs=0.15)
        assert [part["label"] for part in found] == [part["label"] for part in parts]
        assert found[-1]["end_s"] == pytest.approx(parts[-1]["end_s"], abs=0.15)


def test_predict_stream_and_segments_refuse_the_same(
    refused: dict[str, Path], model_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for name, path in refused.items():
        for command, code in (("predict", 1), ("stream", 2), ("segments", 2)):
            assert main([command, f"model={model_path}", f"audio={path}"]) == code
            captured = capfd.readouterr()
            assert captured.out == ""
            assert captured.err.startswith(f"langid: {path}: ")
            assert REFUSED[name] in captured.err
            assert len(captured.err.splitlines()) == 1
