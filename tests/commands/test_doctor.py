"""langid doctor: one block, and an exit code that says whether something is missing."""

import subprocess
import sys
from pathlib import Path

import pytest

import langid
from langid.commands.main import main
from langid.installation import packages


def test_it_prints_one_block_and_ends_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(packages, "problem_of", lambda _: "")
    assert main(["doctor"]) == 0
    captured = capsys.readouterr()
    assert captured.out.startswith(f"langid           {langid.__version__}, Python 3.")
    assert captured.out.endswith("problem          none\n") and captured.err == ""
    assert "torch " in captured.out and list(tmp_path.iterdir()) == []


def test_it_ends_with_1_where_something_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def problem(requirement: object) -> str:
        return "numpy is not installed" * str(requirement).startswith("numpy")

    monkeypatch.setattr(packages, "problem_of", problem)
    assert main(["doctor", "output=2024_11"]) == 1
    shown = capsys.readouterr().out
    assert "for 2024_11\n" in shown and shown.endswith("problem          numpy is not installed\n")


def test_it_works_where_libraries_are_missing(tmp_path: Path) -> None:
    program = """
import sys
absent = ("soundfile", "soxr", "torch")
sys.modules.update(dict.fromkeys(absent))
from langid.commands.main import main
from langid.installation import packages
known = packages.requirements()[""]
packages.requirements = lambda: {"": [one for one in known if one.name in absent]}
sys.exit(main(["doctor"]))
"""
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1, done.stderr
    lines = done.stdout.splitlines()
    told = [line for line in lines if line.startswith("problem ") and "pip install '" in line]
    assert len(told) == 3 and all("halted; None in sys.modules" in line for line in told)
