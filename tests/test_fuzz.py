"""A few of the mutated clips and tables of experiments/faults/fuzz.py."""

import importlib
import os
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")


@pytest.fixture
def fuzz(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "experiments" / "faults"))
    return importlib.import_module("fuzz")


def test_mutated_clips_are_read_or_named_with_the_reason(fuzz: Any, data_root: Path) -> None:
    fuzz.prepared([], fuzz.good_clip(data_root))
    found, _, wrong = fuzz.fuzz_clips(data_root, 60)
    assert not wrong
    assert set(found) == {mutation.__name__ for mutation in fuzz.OF_CLIPS}
    assert found["renamed"]["read"] == 4
    assert found["noise"]["skipped"] == 4


def test_mutated_tables_are_read_or_refused_in_one_line(fuzz: Any, data_root: Path) -> None:
    fuzz.prepared([], fuzz.good_clip(data_root))
    found, _, wrong = fuzz.fuzz_tables(data_root, 48)
    assert not wrong
    assert found["line_repeated"]["read"] == 4
    assert found["noise"]["refused"] == 4


def test_crashes_and_hangs_are_seen(fuzz: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fuzz, "LIMIT_S", 1)
    assert fuzz.outcome(lambda: os.kill(os.getpid(), 9)) == "crash 9"
    assert fuzz.outcome(lambda: [None for _ in iter(int, 1)]) == "hang"
    assert fuzz.outcome(lambda: 1 // 0).startswith("traceback: ")
