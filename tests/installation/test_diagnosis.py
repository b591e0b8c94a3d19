"""The diagnosis as a whole: what it tells, what it keeps to itself, and what it asks of nobody."""

import socket
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from langid.installation import formats, packages
from langid.installation.diagnosis import diagnose


@pytest.fixture(autouse=True)
def _without_imports(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave it to test_packages to import them all, and let nothing reach the network."""
    monkeypatch.setattr(packages, "problem_of", lambda _: "")
    monkeypatch.setattr(socket.socket, "connect", lambda *_: pytest.fail("asked the network"))


def told(runs: Path) -> dict[str, str]:
    rows = [line.split(maxsplit=1) for line in diagnose(runs).text.splitlines()]
    return {name: value for name, value in rows if name != "extra"}


def test_folders_are_told_below_the_home_folder_and_no_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "secret_user"
    for number in range(10):
        (home / "speech" / f"corpus{number}").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("LANGID_DATA", str(home / "speech"))
    monkeypatch.setenv("LANGID_MODELS", str(home / "gone"))
    found = told(home / "runs" / "not" / "there")
    assert found["LANGID_DATA"].startswith("~/speech: corpus0, ")
    assert found["LANGID_DATA"].endswith("corpus7 and 2 more")
    assert found["LANGID_MODELS"] == "~/gone: cannot be read (No such file or directory)"
    assert "GiB for ~/runs/not/there" in " ".join(found.values())
    assert "secret_user" not in diagnose(home / "runs").text
    assert found["devices"].startswith("cpu (") and found["decodes"].startswith("WAV, FLAC, MP3")
    assert found["problem"] == "none" and not (home / "runs").exists()


def test_what_langid_needs_and_lacks_is_a_sentence_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packages, "requirements", dict)
    monkeypatch.setattr(formats, "reason_against", lambda name: "x" * (name == "MP3"))
    found = diagnose(tmp_path)
    assert len(found.problems) == 2 and "problem          none" not in found.text
    assert "langid-speech is not installed, Python finds its folder alone" in found.text
    assert "MP3 cannot be decoded (x): run pip install --force-reinstall soundfile" in found.text


def test_devices_are_told_by_name_and_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = f"built for CUDA {torch.version.cuda}" if torch.version.cuda else "built without CUDA"
    assert told(tmp_path)["devices"].endswith(f"; torch is {built}")
    card = SimpleNamespace(name="Some Card", total_memory=80 << 30)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: card)
    assert ", cuda:0 Some Card (80 GiB)" in told(tmp_path)["devices"]
