"""Files that a command will write, looked at before any work."""

from pathlib import Path

import pytest

from langid.commands.destination import destination
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
    assert destination("rttm", "~/clip.rttm") == tmp_path / "clip.rttm"


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
