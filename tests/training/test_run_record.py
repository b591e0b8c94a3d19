"""Tests of langid/training/run_record.py."""

import json
from pathlib import Path

import pytest

from langid.training.run_record import versions, write_record


def test_a_record_is_replaced_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    write_record(path, {"language": "中文"})
    assert "中文" in path.read_text(encoding="utf-8")
    with pytest.raises(TypeError):
        write_record(path, {"bad": object()})
    assert json.loads(path.read_text(encoding="utf-8")) == {"language": "中文"}
    assert list(tmp_path.iterdir()) == [path]


def test_rows_of_numbers_are_lines_and_text_stays_as_it_is(tmp_path: Path) -> None:
    record = {"confusion": [[1, -2], [3.5, 4e-7]], "text": "[\n  1,\n  2\n]", "empty": []}
    write_record(tmp_path / "report.json", record)
    text = (tmp_path / "report.json").read_text(encoding="utf-8")
    assert json.loads(text) == record
    assert "    [1, -2],\n    [3.5, 4e-07]\n" in text


def test_versions_are_known() -> None:
    held = versions()
    assert {"python", "langid-speech", "torch", "numpy", "h5py"} <= set(held)
    assert all(held.values())
