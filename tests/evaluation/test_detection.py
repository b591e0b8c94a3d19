"""Tests of langid/evaluation/detection.py; the points: tests/test_metrics.py."""

import numpy as np
import pytest

from langid.evaluation.detection import detection
from langid.metrics import DetectionCosts, detection_cost, detection_scores

from ..test_metrics import LANGUAGES, LIKELY, drawn
from .test_calibration import names

CLASSES = ["English", "Hindi", "Mandarin"]


def test_every_figure_lies_in_an_interval_that_is_the_same_each_time() -> None:
    targets, posteriors = drawn(3)
    found, again = (
        detection(targets, posteriors, names(600), CLASSES, DetectionCosts()) for _ in range(2)
    )
    assert found == again
    figures = [found[name] for name in ("eer", "cavg", "min_cavg")] + list(found["eers"].values())
    for figure in figures:
        assert 0 < figure["low"] < figure["value"] < figure["high"] < 1
        assert figure["high"] - figure["low"] < 0.15
    assert found["eer"]["value"] == pytest.approx(np.mean([f["value"] for f in figures[3:]]))
    assert found["min_cavg"]["value"] <= found["cavg"]["value"]
    assert found["cavg_costs"] == {"p_target": 0.5, "c_miss": 1.0, "c_false_alarm": 1.0}


def test_intervals_are_wider_where_clips_of_a_speaker_are_alike() -> None:
    targets, posteriors = drawn(3, 300)
    thrice = [np.repeat(of, 3, axis=0) for of in (targets, posteriors)]
    alone, alike = (
        detection(*of, names(len(of[0]), each), CLASSES, DetectionCosts())
        for of, each in ((thrice, 1), (thrice, 3))
    )
    for name in ("eer", "cavg", "min_cavg"):
        assert alone[name]["value"] == alike[name]["value"]
        widths = [of[name]["high"] - of[name]["low"] for of in (alone, alike)]
        assert widths[1] > 1.4 * widths[0]


def test_a_class_that_does_not_occur_is_neither_asked_for_nor_detected() -> None:
    costs, held = DetectionCosts(), LANGUAGES < 2
    found = detection(LANGUAGES[held], LIKELY[held], names(6, 1), CLASSES, costs)
    scores = detection_scores(LIKELY[held])[:, :2]
    cost = detection_cost(LANGUAGES[held], scores, costs)
    assert found["cavg"]["value"] == pytest.approx((cost[:4].mean() + cost[4:].mean()) / 2)
    assert set(found["eers"]) == {"English", "Hindi"}
    assert found["cavg"]["reason"] == "English: 4 speakers, and 1 more class below 5"


def test_where_one_class_alone_occurs_nothing_can_be_told_apart() -> None:
    held = LANGUAGES == 2
    found = detection(LANGUAGES[held], LIKELY[held], names(5), CLASSES, DetectionCosts())
    nothing = {"value": None, "low": None, "high": None, "reason": "one class alone occurs"}
    assert all(found[name] == nothing for name in ("eer", "cavg", "min_cavg"))
    assert found["eers"] == {"Mandarin": nothing}


def test_where_nothing_is_wrong_no_interval_is_a_point() -> None:
    targets = np.tile([0, 1, 2], 20)
    found = detection(targets, np.eye(3)[targets], names(60, 3), CLASSES, DetectionCosts())
    assert found["eer"]["value"] == found["cavg"]["value"] == 0
    assert found["eer"]["low"] is None and found["eer"]["reason"].startswith("the same in all")
    assert 0 < found["cavg"]["high"] < 0.3
    # Posteriors that are no more than nearly sure leave rounding errors, which are no interval.
    sure = 0.98 * np.eye(3)[targets] + 0.01 * np.random.default_rng(0).dirichlet([1, 1, 1], 60)
    found = detection(targets, sure / sure.sum(1)[:, None], names(60, 3), CLASSES, DetectionCosts())
    assert found["min_cavg"]["low"] is None
    assert f"{found['cavg']['low']:.3f}" == "0.000"  # and not -0.000
