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


def test_versions_are_known() -> None:
    held = versions()
    assert {"python", "langid-speech", "torch", "numpy", "h5py"} <= set(held)
    assert all(held.values())
