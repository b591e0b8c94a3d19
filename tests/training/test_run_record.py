"""Tests of langid/training/run_record.py."""

import json
from pathlib import Path
from typing import Any

import pytest

from langid.errors import LangidError
from langid.training.run_record import RunRecord, choices, write_record


def test_a_record_is_replaced_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    write_record(path, {"language": "中文"})
    assert "中文" in path.read_text(encoding="utf-8")
    with pytest.raises(TypeError):
        write_record(path, {"bad": object()})
    assert json.loads(path.read_text(encoding="utf-8")) == {"language": "中文"}
    assert list(tmp_path.iterdir()) == [path]


def test_rows_of_numbers_are_lines_and_text_stays_as_it_is(tmp_path: Path) -> None:
    record = {
        "confusion": [[1, -2], [3.5, 4e-7], [None, 0]],
        "text": "[\n  1,\n  2\n]",
        "empty": [],
    }
    write_record(tmp_path / "report.json", record)
    text = (tmp_path / "report.json").read_text(encoding="utf-8")
    assert json.loads(text) == record
    assert "    [1, -2],\n    [3.5, 4e-07],\n    [null, 0]\n" in text


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


def test_the_record_of_a_run_is_read_as_it_was_written(run_path: Path, tmp_path: Path) -> None:
    record = RunRecord.read(run_path)
    assert (record.status, record.epochs, record.best["epoch"] < 2) == ("finished", 2, True)
    record.write(tmp_path)
    assert (tmp_path / "run.json").read_text() == (run_path / "run.json").read_text()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{", "Expecting property name"),
        ("[]", "not written by langid train"),
        ('{"schema": "langid-checkpoint-3"}', "its description has no versions, .*status"),
    ],
)
def test_a_damaged_or_foreign_record_is_refused(tmp_path: Path, content: str, reason: str) -> None:
    (tmp_path / "run.json").write_text(content)
    with pytest.raises(LangidError, match=rf"run\.json: not a record of langid train \({reason}"):
        RunRecord.read(tmp_path)
