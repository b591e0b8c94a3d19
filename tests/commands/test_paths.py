"""Files that a command will write, looked at before any work."""

from pathlib import Path

import pytest
from omegaconf import ListConfig

from langid.commands.paths import destination
from langid.errors import LangidError


def test_the_folder_of_a_file_is_made_and_nothing_in_it(tmp_path: Path) -> None:
    path = tmp_path / "pictures" / "clip.PNG"
    assert destination("plot", path, ".png") == path
    assert path.parent.is_dir()
    assert not list(path.parent.iterdir())


def test_the_home_folder_may_be_written_as_a_tilde(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert destination("rttm", "~/clip.rttm", ".rttm") == tmp_path / "clip.rttm"


def test_what_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for name, reason in (
        ("clip.gif", r"plot=.*clip\.gif: expected a name that ends in \.png, plot=.*clip\.png"),
        ("", r"is a folder; expected a file, plot=.*/NAME\.png"),
        ("file/clip.png", r"cannot be written \(.+\); choose another plot=PATH"),
    ):
        with pytest.raises(LangidError, match=reason):
            destination("plot", tmp_path / name, ".png")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_the_other_files_of_a_command_are_not_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    audio = tmp_path / "clip.rttm"
    audio.write_text("speech")
    (tmp_path / "link.rttm").symlink_to(audio)
    for value in ("clip.rttm", "./clip.rttm", tmp_path / "link.rttm"):
        with pytest.raises(LangidError, match=r"rttm=.*: is the file of audio=.*clip\.rttm, which"):
            destination("rttm", value, ".rttm", plot=None, audio=audio)
    with pytest.raises(LangidError, match=r"output=clip\.rttm: is the file of audio=clip\.rttm"):
        destination("output", "clip.rttm", ".rttm", audio=ListConfig(["a.wav", "clip.rttm"]))
    assert destination("rttm", "new.rttm", ".rttm", plot=None, audio=audio) == Path("new.rttm")
    assert audio.read_text() == "speech"
