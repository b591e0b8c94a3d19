"""Tests of langid/evaluation/resampling.py: what all resamples have at once, one by one."""

import numpy as np
import pytest

from langid import metrics
from langid.evaluation.resampling import (
    RESAMPLES,
    Resamples,
    band_of_resamples,
    of_resamples,
)

from ..test_metrics import drawn


def test_figures_of_resamples_are_those_of_their_clips() -> None:
    """In a plain loop: the clips of each drawn speaker as often as it was drawn."""
    targets, posteriors = drawn(3, 90)
    unit = np.arange(90) // 3
    resamples = Resamples(targets, unit.astype(str).tolist(), 3)
    assert resamples.weight.shape[1] == RESAMPLES
    scores, costs = metrics.detection_scores(posteriors), metrics.DetectionCosts()
    right = posteriors.argmax(1) == targets
    errors = resamples.calibration_error(posteriors.max(1), right)
    rates = metrics.equal_error_rate(*resamples.detection_errors(scores[:, 1], 1))
    least = resamples.least_cost(scores, costs)
    for number in range(0, 1000, 97):
        often = resamples.weight[resamples.cell, number].astype(int)
        assert often.sum() > 0 and len(set(often[unit == 4])) == 1
        clips = np.repeat(np.arange(90), often)
        place = metrics.calibration_bin(posteriors.max(1)[clips])
        sums = (np.bincount(place, of[clips], 15) for of in (right, posteriors.max(1), right < 2))
        assert errors[number] == pytest.approx(metrics.calibration_error(*sums))
        own = targets[clips] == 1
        rate = metrics.equal_error_rate(*metrics.detection_curve(scores[clips, 1], own))
        assert rates[number] == pytest.approx(float(rate), abs=0.01)  # between 200 thresholds
        cost = metrics.least_cavg(targets[clips], scores[clips], costs)
        assert least[number] == pytest.approx(cost, abs=0.01)


def test_resamples_that_lie_above_the_figure_are_moved_back() -> None:
    drawn = np.linspace(0.3, 0.5, 1001)
    value, low, high = of_resamples(0.2, drawn, 1.0) or (0, 0, 0)
    assert (value, low, high) == pytest.approx((0.2, 0.105, 0.295))
    assert (of_resamples(0.95, drawn, 1.0) or (0, 0, 0))[2] == 1
    assert (of_resamples(0.01, drawn, 1.0) or (0, 1, 0))[1] == 0
    assert of_resamples(0.2, np.full(10, 0.2), 1.0) is None
    assert of_resamples(0.2, np.full(10, np.nan), 1.0) is None


def test_a_band_is_of_each_point_by_itself_and_holds_its_curve() -> None:
    spread = np.linspace(0, 0.4, 1001)
    drawn = np.array([0.5 + spread, 0.4 * np.ones(1001), spread])
    drawn[:, 500] = np.nan  # a resample without the class
    low, high = band_of_resamples(np.array([0.7, 0.4, 0.45]), drawn) or ([], [])
    assert low == [pytest.approx(0.51, abs=1e-3), None, pytest.approx(0.01, abs=1e-3)]
    assert high == [pytest.approx(0.89, abs=1e-3), None, 0.45]
    for alike in (np.zeros((3, 9)), np.full((3, 9), np.nan)):
        assert band_of_resamples(np.zeros(3), alike) is None
