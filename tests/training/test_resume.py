"""Tests of langid/training/resume.py: what is left to do of the run in a folder."""

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from langid.errors import LangidError
from langid.training.resume import decisions, unfinished
from langid.training.run_record import RunRecord


def content(folder: Path) -> dict[Path, str]:
    """Return the files below a folder, and what is in them."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture
def folder(run_path: Path, tmp_path: Path) -> Path:
    """Return a copy of a finished run."""
    shutil.copytree(run_path, tmp_path / "run")
    return tmp_path / "run"


@pytest.fixture
def config(run_path: Path, folder: Path) -> dict[str, Any]:
    """Return the configuration of the run, asked for in the folder of the copy."""
    text = json.dumps(RunRecord.read(run_path).config)
    config: dict[str, Any] = json.loads(text.replace(str(run_path), str(folder)))
    return config


def begun(folder: Path) -> None:
    replace(RunRecord.read(folder), status="started").write(folder)


def last(folder: Path) -> Path:
    return folder / "checkpoints" / "last.ckpt"


@pytest.mark.parametrize(
    ("change", "left"),
    [
        (lambda folder: (folder / "run.json").unlink(), lambda folder: {"resume": None}),
        (lambda folder: None, lambda folder: None),
        (begun, lambda folder: {"resume": str(last(folder))}),
        (
            lambda folder: last(folder).with_name("best.ckpt").unlink(),
            lambda folder: {"resume": str(last(folder))},
        ),
        (
            lambda folder: begun(folder) or shutil.rmtree(last(folder).parent),
            lambda folder: {"resume": None},
        ),
    ],
    ids=["new", "finished", "begun", "no best.ckpt", "no epoch saved"],
)
def test_what_is_left_of_a_run_is_told_and_nothing_is_changed(
    folder: Path, config: dict[str, Any], change: Any, left: Any
) -> None:
    change(folder)
    before, asked, expected = content(folder), dict(config), left(folder)
    assert unfinished(folder, config) == (config | expected if expected else None)
    assert content(folder) == before and config == asked


def test_the_folder_of_a_run_that_saved_nothing_is_free_again(
    folder: Path, config: dict[str, Any]
) -> None:
    begun(folder)
    last(folder).unlink()
    assert unfinished(folder, config) == config | {"resume": None}
    assert not (folder / "checkpoints").exists()


def test_another_run_is_told_by_what_differs(folder: Path, config: dict[str, Any]) -> None:
    other = config | {"seed": 5, "optimizer": config["optimizer"] | {"lr": 0.5}}
    before = content(folder)
    with pytest.raises(LangidError, match=r"holds another run .*; choose another") as raised:
        unfinished(folder, other)
    for differs in ("seed: the run has 0, asked is 5", "optimizer.lr: the run has 0.001, asked is"):
        assert differs in str(raised.value)
    assert content(folder) == before


def test_the_way_a_run_is_carried_out_and_its_places_decide_nothing(
    config: dict[str, Any],
) -> None:
    moved = config | {"name": "other", "data": config["data"] | {"workers": 3}}
    assert decisions(moved) == decisions(config)
    assert decisions(config | {"seed": 1}) != decisions(config)


def test_a_damaged_record_is_told(folder: Path, config: dict[str, Any]) -> None:
    (folder / "run.json").write_text("{")
    with pytest.raises(LangidError, match=r"run\.json: not a record of langid train"):
        unfinished(folder, config)
