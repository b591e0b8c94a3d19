"""Tests of langid/training/resume.py: the states of a folder, seen without touching it."""

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from langid.errors import LangidError
from langid.training.resume import State, decisions, prepare_resume, state_of
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


@pytest.mark.parametrize(
    ("state", "change"),
    [
        (State.NEW, lambda folder: (folder / "run.json").unlink()),
        (State.FINISHED, lambda folder: None),
        (State.RESUMABLE, begun),
        (State.RESUMABLE, lambda folder: (folder / "checkpoints" / "best.ckpt").unlink()),
        (State.UNSAVED, lambda folder: begun(folder) or shutil.rmtree(folder / "checkpoints")),
    ],
    ids=["new", "finished", "begun", "no best.ckpt", "no epoch saved"],
)
def test_the_state_is_told_and_nothing_is_changed(
    folder: Path, config: dict[str, Any], state: State, change: Any
) -> None:
    change(folder)
    before, asked = content(folder), dict(config)
    held = state_of(folder, config)
    assert (held.state, held.differs) == (state, ())
    assert content(folder) == before and config == asked
    resumed = str(folder / "checkpoints" / "last.ckpt") if state is State.RESUMABLE else None
    assert prepare_resume(held) == resumed
    assert content(folder) == before


def test_the_folder_of_a_run_that_saved_nothing_is_free_again(
    folder: Path, config: dict[str, Any]
) -> None:
    begun(folder)
    (folder / "checkpoints" / "last.ckpt").unlink()
    held = state_of(folder, config)
    assert held.state is State.UNSAVED and (folder / "checkpoints").is_dir()
    assert prepare_resume(held) is None
    assert not (folder / "checkpoints").exists()


def test_another_run_is_told_by_what_differs(folder: Path, config: dict[str, Any]) -> None:
    other = config | {"seed": 5, "optimizer": config["optimizer"] | {"lr": 0.5}}
    before = content(folder)
    held = state_of(folder, other)
    assert held.state is State.OTHER
    assert set(held.differs) == {
        "seed: the run has 0, asked is 5", "optimizer.lr: the run has 0.001, asked is 0.5"
    }  # fmt: skip
    with pytest.raises(LangidError, match=r"holds another run \(.*seed: .*; choose another output"):
        prepare_resume(held)
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
        state_of(folder, config)
