"""Tests of langid/runs/finished.py on a record; its errors: tests/commands/test_compare.py."""

from pathlib import Path
from typing import Any

import pytest

from langid.errors import LangidError
from langid.runs.finished import choices, find_runs, read_record


def configuration(output: str, **changed: Any) -> dict[str, Any]:
    return {
        "name": "gru",
        "output": output,
        "store": "s.h5",
        "resume": None,
        "seed": changed.get("seed", 0),
        "optimizer": {"lr": changed.get("lr", 0.1)},
        "callbacks": {
            "best": {"dirpath": f"{output}/checkpoints"},
            "step_seed": {"seed": changed.get("seed", 0)},
        },
        "logger": {"save_dir": output},
    }


def test_names_and_places_are_no_choices() -> None:
    config = configuration("/a/run")
    moved = configuration("/b/other") | {"name": "b", "store": "t.h5", "resume": "/b/last.ckpt"}
    assert choices(config) == choices(moved)
    assert choices(configuration("/a/run", lr=0.2)) == choices(config) | {"optimizer.lr": 0.2}
    assert choices(configuration("/a/run", seed=1)) == choices(config) | {"seed": 1}


def test_how_a_run_is_carried_out_is_no_choice() -> None:
    config = configuration("/a/run") | {"data": {"batch_size": 8}}
    runtime = {"accelerator": "cpu", "devices": 1, "num_nodes": 1, "enable_progress_bar": False}
    other = config | {"data": {"batch_size": 8, "workers": 4}, "trainer": runtime, "logger": None}
    assert choices(other) == choices(config)
    other["trainer"] = runtime | {"precision": "64-true"}
    assert choices(other) == choices(config) | {"trainer.precision": "64-true"}
    assert choices(config | {"data": {"batch_size": 4}}) != choices(config)


def test_a_run_is_found_once(run_path: Path) -> None:
    folders = [run_path.parent, run_path, run_path.parent]
    assert find_runs(folders) == ([run_path], {})
    assert read_record(run_path)["status"] == "finished"


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


def test_no_folder_at_all() -> None:
    with pytest.raises(LangidError, match="needs folders of runs"):
        find_runs([])
