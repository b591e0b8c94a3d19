"""Tests of langid/runs/finished.py on a record; its errors: tests/commands/test_compare.py."""

import shutil
from pathlib import Path

import pytest

from langid.errors import LangidError
from langid.runs.finished import find_runs
from langid.training.run_record import RunRecord


def test_a_run_is_found_once(run_path: Path) -> None:
    folders = [run_path.parent, run_path, run_path.parent]
    assert find_runs(folders) == ([run_path], {})
    assert RunRecord.read(run_path).status == "finished"


def test_runs_behind_links_are_found_once_and_hidden_ones_are_not(
    run_path: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "runs"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "linked").symlink_to(run_path)
    (folder / "latest").symlink_to(folder / "deep" / "linked")
    (folder / "up").symlink_to(tmp_path)
    (folder / "gone").symlink_to(tmp_path / "gone")
    (folder / ".hidden").symlink_to(run_path)
    found, left_out = find_runs([folder])
    assert len(found) == 1 and found[0].resolve() == run_path.resolve()
    assert left_out == {
        folder / "deep" / "linked": f"the same folder as {folder}/latest",
        folder / "up": f"leads up to {tmp_path}",
        folder / "gone": "a link that leads nowhere",
    }


def test_what_a_run_began_with_is_no_run_to_compare(run_path: Path, tmp_path: Path) -> None:
    run = tmp_path / "runs" / "stream"
    shutil.copytree(run_path, run)
    shutil.copytree(run_path, run / "sounds")
    for folder in (run.parent, run):
        assert find_runs([folder]) == ([run], {run / "sounds": f"what {run} began with"})


def test_no_folder_at_all() -> None:
    with pytest.raises(LangidError, match="needs folders of runs"):
        find_runs([])
