"""langid predict: a line per file; bad files do not stop the others."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from langid.audio.decode import read_audio
from langid.commands.main import main
from langid.streaming.streamer import StreamingIdentifier


@pytest.fixture(scope="module")
def files(real_clips: list[Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("files")
    speech = read_audio(real_clips[0], 8000)
    paths = {
        name: folder / f"{name}.wav"
        for name in ("text", "empty", "nan", "loud", "stereo", "silent", "none")
    }
    paths["text"].write_text("this is no audio")
    paths["empty"].write_bytes(b"")
    soundfile.write(paths["nan"], np.full(16000, np.nan), 16000, subtype="FLOAT")
    soundfile.write(paths["loud"], np.full(16000, 1e20), 16000, subtype="FLOAT")
    soundfile.write(paths["stereo"], np.stack([speech, speech], 1), 8000)
    soundfile.write(paths["silent"], np.zeros(16000), 16000)
    soundfile.write(paths["none"], np.zeros(0), 16000)
    return paths | {"absent": folder / "absent.wav", "real": real_clips[0]}


def run(model: Path, *paths: Path, json_lines: bool = False) -> int:
    audio = ",".join(map(str, paths))
    extra = ["json=true"] if json_lines else []
    return main(["predict", f"model={model}", f"audio=[{audio}]", *extra])


def test_bad_files_are_reported_and_the_others_heard(
    model_path: Path, files: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    bad = [files[name] for name in ("text", "empty", "nan", "loud", "none", "absent")]
    assert run(model_path, files["real"], *bad, files["stereo"]) == 1
    captured = capsys.readouterr()
    labels = [line.split("\t") for line in captured.out.splitlines()]
    assert [Path(path) for _, _, path in labels] == [files["real"], files["stereo"]]
    assert all(label in ("English", "Hindi", "Mandarin") for label, _, _ in labels)
    reasons = captured.err.splitlines()
    assert [line.count(str(path)) for line, path in zip(reasons, bad, strict=True)] == [1] * 6
    for line, reason in zip(
        reasons,
        ("is text", "0 bytes", "not finite", "full scale 1", "holds no samples", "no such file"),
        strict=True,
    ):
        assert reason in line


def test_good_files_exit_with_0_and_json_holds_the_posteriors(
    model_path: Path, files: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    names = ("real", "stereo", "silent")
    assert run(model_path, *(files[name] for name in names), json_lines=True) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["audio"] for line in lines] == [str(files[name]) for name in names]
    for line in lines[:2]:
        assert sum(line["posteriors"].values()) == pytest.approx(1, abs=1e-5)
        assert line["label"] == max(line["posteriors"], key=line["posteriors"].get)
    for line in lines[2:]:  # nobody spoke
        assert line["label"] is None
        assert line["speech_s"] == 0


def test_a_file_is_heard_alike_whatever_came_before(
    model_path: Path, files: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(model_path, files["real"]) == 0
    alone = capsys.readouterr().out
    assert run(model_path, files["loud"], files["stereo"], files["real"]) == 1
    assert capsys.readouterr().out.splitlines()[-1] == alone.strip()


def test_a_single_path_and_an_empty_list(
    model_path: Path, files: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["predict", f"model={model_path}", f"audio={files['real']}"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 1
    assert main(["predict", f"model={model_path}", "audio=[]"]) == 2
    assert "expected a file, or a list of files" in capsys.readouterr().err


def test_a_file_may_be_unknown_undecided_or_without_speech(
    model_path: Path, files: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [f"model={model_path}", f"audio=[{files['real']},{files['silent']}]"]
    assert main(["predict", *arguments, "unknown_below=1.0", "languages=[Hindi,English]"]) == 0
    rows = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert [label for label, _, _ in rows] == ["unknown", "no speech"]
    assert all("Mandarin" not in shares for _, shares, _ in rows)
    assert main(["predict", *arguments, "unknown_below=1.0", "json=true"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(line["label"], line["status"]) for line in lines] == [
        ("unknown", "unknown"),
        (None, "undecided"),
    ]
    assert main(["predict", *arguments, "unknown_below=2"]) == 2
    assert "unknown_below=2: accepted are posteriors" in capsys.readouterr().err


def test_a_model_may_leave_a_file_undecided(
    model_path: Path,
    files: dict[str, Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    load = StreamingIdentifier.load

    def cautious(path: Path, **settings: Any) -> StreamingIdentifier:
        model = load(path).model
        model.metadata["decision"] = {"decide_at": 1.0}
        return StreamingIdentifier(model, **settings)

    monkeypatch.setattr(StreamingIdentifier, "load", cautious)
    assert run(model_path, files["real"]) == 0
    assert capsys.readouterr().out.startswith("undecided\t")


@pytest.mark.parametrize("name", ["café 中文.wav", "talk (1).wav", "it's = #2 %20.wav"])
def test_files_may_have_any_name(
    model_path: Path,
    files: dict[str, Path],
    name: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / name
    path.write_bytes(files["stereo"].read_bytes())
    assert main(["predict", f"model={model_path}", f"audio={path}"]) == 0
    assert capsys.readouterr().out.endswith(f"\t{path}\n")


@pytest.mark.parametrize(
    ("audio", "message"),
    [
        ("-", "audio=-: only langid stream hears standard input; expected a file"),
        ("mic", "audio=mic: only langid stream hears a microphone; expected a file (./mic where"),
        ("", "audio=: expected a file"),
    ],
)
def test_what_is_no_file_is_named(
    model_path: Path, audio: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for command in ("predict", "segments"):
        assert main([command, f"model={model_path}", f"audio={audio}"]) in (1, 2)
        assert f"langid: {message}" in capsys.readouterr().err


def test_of_a_folder_all_audio_files_are_heard(
    model_path: Path, real_clips: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "clips" / "below").mkdir(parents=True)
    names = ("clips/b.mp3", "clips/below/a.MP3", "last.mp3")
    for name, clip in zip(names, real_clips, strict=False):
        (tmp_path / name).write_bytes(clip.read_bytes())
    (tmp_path / "clips" / "notes.txt").write_text("no sound")
    (tmp_path / "clips" / ".hidden.mp3").write_bytes(b"")
    assert run(model_path, tmp_path / "clips", tmp_path / "last.mp3") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("\t")[2] for line in lines] == [str(tmp_path / name) for name in names]
    (tmp_path / "empty").mkdir()
    assert run(model_path, tmp_path / "empty") == 2
    assert "empty: no audio file below this folder; libsndfile reads" in capsys.readouterr().err


def test_processes_say_the_same_in_the_same_order(
    model_path: Path, files: dict[str, Path], capfd: pytest.CaptureFixture[str]
) -> None:
    paths = [files[name] for name in ("stereo", "text", "real", "silent", "absent", "real")]
    arguments = [f"model={model_path}", f"audio=[{','.join(map(str, paths))}]", "json=true"]
    arguments += ["languages=[Hindi,English]", "unknown_below=1.0", "half_life_s=2"]
    assert main(["predict", *arguments, "workers=1"]) == 1
    alone = capfd.readouterr()
    assert main(["predict", *arguments, "workers=2"]) == 1
    assert capfd.readouterr() == alone
    assert len(alone.out.splitlines()) == 4 and len(alone.err.splitlines()) == 2
    assert main(["predict", *arguments, "workers=0"]) == 2
    assert "workers=0: accepted are 1 and more" in capfd.readouterr().err


@contextlib.contextmanager
def many_files(model: Path, clip: Path, folder: Path) -> Iterator["subprocess.Popen[str]"]:
    """Let two processes hear more than a test has time for, in a session of their own."""
    for number in range(3000):
        (folder / f"{number:04d}.mp3").symlink_to(clip)
    command = [sys.executable, "-m", "langid", "predict", f"model={model}"]
    command += [f"audio={folder}", "workers=2"]
    pipes: Any = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, start_new_session=True, **pipes) as process:
        yield process


def test_interrupted_it_ends_with_what_it_has_said(
    model_path: Path, files: dict[str, Path], tmp_path: Path
) -> None:
    with many_files(model_path, files["real"], tmp_path) as process:
        assert process.stdout is not None and process.stderr is not None
        first = "".join(process.stdout.readline() for _ in range(100))  # both are at work
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does, to the workers too
        rest = process.stdout.read()  # communicate() would miss what was read ahead of the lines
        errors = process.stderr.read()
    assert process.returncode == 130
    assert errors == "langid: interrupted; finished work is kept\n"
    heard = [line.split("\t")[2] for line in (first + rest).splitlines()]
    assert heard == [f"{tmp_path}/{number:04d}.mp3" for number in range(len(heard))]
    assert len(heard) < 3000


def test_a_process_that_is_ended_from_outside_is_told(
    model_path: Path, files: dict[str, Path], tmp_path: Path
) -> None:
    with many_files(model_path, files["real"], tmp_path) as process:
        assert process.stdout is not None
        process.stdout.readline()
        worker = next(
            int(path.parent.name)
            for path in Path("/proc").glob("[0-9]*/cmdline")
            if b"LokyProcess" in path.read_bytes()
            and os.getsid(int(path.parent.name)) == process.pid
        )
        os.kill(worker, signal.SIGKILL)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "langid: a process was ended from outside" in errors and "workers=1" in errors


def test_settings_of_the_decision(
    model_path: Path, files: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["predict", f"model={model_path}", f"audio={files['real']}", "json=true"]
    assert main([*arguments, "decide_at=1.0", "half_life_s=2"]) == 0
    decision = json.loads(capsys.readouterr().out)
    assert (decision["label"], decision["status"]) == (None, "undecided")
    assert decision["heard_s"] == round(decision["heard_s"], 6)
