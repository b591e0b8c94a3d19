"""Tests of langid/runs/curves.py on a real run."""

import json
from pathlib import Path

import pytest

from langid.runs.curves import curves_of


def test_the_curves_of_a_run(run_path: Path) -> None:
    curves = curves_of(run_path)
    assert set(curves) == {
        "balanced accuracy, validation", "loss, validation", "loss, training"
    }  # fmt: skip
    best = json.loads((run_path / "run.json").read_text())["best"]
    epochs, values = curves["balanced accuracy, validation"]
    assert epochs.tolist() == list(range(len(epochs)))
    assert values[int(best["epoch"])] == pytest.approx(best["balanced_accuracy"], abs=1e-6)


def test_a_run_without_events_has_none(tmp_path: Path) -> None:
    assert curves_of(tmp_path) == {}
