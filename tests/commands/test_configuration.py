"""Paths and other texts on the command line that Hydra's own grammar does not read."""

import json
import shutil
from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from langid.commands.main import main
from langid.commands.text_keys import readable
from langid.typed import quoted

NAMES = ("café.mp3", "talk (1).mp3", "日本 #2.mp3", "it's=é.mp3", 'a"(b)\\c.mp3')


@pytest.mark.parametrize("command", ["predict", "stream", "segments"])
def test_files_of_any_name_are_heard(
    command: str,
    model_path: Path,
    real_clips: list[Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "modèle (2)").mkdir()
    model = shutil.copy(model_path, "modèle (2)/m.onnx")
    for name in NAMES:
        shutil.copy(real_clips[0], name)
        assert main([command, f"model={model}", f"audio={name}", "json=true"]) == 0
        assert json.loads(capsys.readouterr().out.splitlines()[-1])


def test_files_of_any_name_are_written(
    checkpoint_path: Path, real_clips: list[Path], tmp_path: Path
) -> None:
    audio = shutil.copy(real_clips[0], tmp_path / "café.mp3")
    output = tmp_path / "modèle (2).onnx"
    files = [f"checkpoint={checkpoint_path}", f"output={output}", f"audio={audio}"]
    assert main(["export", *files]) == 0
    assert output.is_file()


@pytest.mark.parametrize(
    "argument",
    [
        "audio=clip.wav", "audio=talk 1.wav", "audio=", "audio='café.wav'", 'audio="café.wav"',
        "audio=[café.wav]", "audio={é: 1}", "audio=é,ü", "audio=${model}é", "seed=choice(1)",
        "seed=1", "store", "~audio", "+audio=clip.wav",
    ],
)  # fmt: skip
def test_what_is_no_plain_text_stays_as_it_is(argument: str) -> None:
    assert readable("predict", argument) == argument


@pytest.mark.parametrize("text", [*NAMES, "", "é\\", "\\'", '\\"', "a, [b]"])
def test_what_is_quoted_is_read_back(text: str) -> None:
    (override,) = OverridesParser.create().parse_overrides([f"audio={quoted(text)}"])
    assert override.value() == text


def test_what_cannot_be_read_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", "model=m.onnx", "audio=[café.wav]"]) == 2
    message = capsys.readouterr().err
    assert message.startswith("langid: audio=[café.wav]: expected KEY=VALUE; a text in a list")
    assert len(message.splitlines()) == 1
