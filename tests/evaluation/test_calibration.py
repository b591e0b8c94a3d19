"""Tests of langid/evaluation/calibration.py."""

import numpy as np
import pytest
import torch
from torchmetrics.functional.classification import multiclass_calibration_error

from langid.evaluation.calibration import calibration
from langid.metrics import CALIBRATION_BINS

from ..test_metrics import drawn


def names(count: int, each: int = 2) -> list[str]:
    return [f"s{number // each}" for number in range(count)]


def test_the_error_is_that_of_torchmetrics_and_lies_in_its_interval() -> None:
    targets, posteriors = drawn(4)
    found = calibration(targets, posteriors, names(600))
    expected = multiclass_calibration_error(
        torch.from_numpy(posteriors), torch.from_numpy(targets), 4, CALIBRATION_BINS
    )
    assert found["ece"]["value"] == pytest.approx(float(expected), abs=1e-6)
    for name in ("ece", "brier"):
        assert 0 <= found[name]["low"] < found[name]["value"] < found[name]["high"]


def test_bins_by_hand() -> None:
    confidence = np.repeat([0.61, 0.65, 0.99], 8)  # two bins of fifteen
    posteriors = np.column_stack([confidence, 1 - confidence])
    targets = np.tile([0, 0, 0, 1], 6)
    found = calibration(targets, posteriors, names(24))
    first, second = found["reliability"]
    assert (first["from"], first["to"]) == (pytest.approx(9 / 15), pytest.approx(10 / 15))
    assert (first["units"], second["units"]) == (16, 8)
    assert first["confidence"] == pytest.approx(0.63)
    assert first["accuracy"]["value"] == pytest.approx(3 / 4)
    assert first["accuracy"]["low"] < 3 / 4 < first["accuracy"]["high"]
    assert found["ece"]["value"] == pytest.approx((16 * (0.75 - 0.63) + 8 * (0.99 - 0.75)) / 24)


def test_where_all_is_right_and_sure_intervals_are_open_or_none() -> None:
    targets = np.repeat([0, 1], 20)
    found = calibration(targets, np.eye(2)[targets], names(40))
    assert found["brier"]["value"] == 0 and 0 < found["brier"]["high"] < 1
    assert found["ece"] == {"value": 0, "low": None, "high": None,
                            "reason": "the same in all resamples of speakers"}  # fmt: skip


def test_of_few_speakers_there_is_no_interval() -> None:
    targets, posteriors = drawn(3, 40)
    found = calibration(targets, posteriors, names(40, 10))
    for name in ("ece", "brier"):
        assert found[name]["low"] is None and found[name]["reason"] == "4 speakers"
