"""Tests of langid/evaluation/detection.py; the points: tests/test_metrics.py."""

import numpy as np
import pytest

from langid.evaluation.detection import FALSE_ALARMS, detection
from langid.evaluation.resampling import Resamples
from langid.metrics import (
    DetectionCosts,
    detection_cost,
    detection_curve,
    detection_scores,
    misses_at,
)

from ..test_metrics import LANGUAGES, LIKELY, drawn
from .test_calibration import names

CLASSES = ["English", "Hindi", "Mandarin"]


def test_every_figure_lies_in_an_interval_that_is_the_same_each_time() -> None:
    targets, posteriors = drawn(3)
    found, again = (
        detection(targets, posteriors, names(600), CLASSES, DetectionCosts()) for _ in range(2)
    )
    assert found == again
    assert set(found) == {"eer", "eers", "cavg", "min_cavg", "cavg_costs", "det"}
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
    assert found["det"]["miss"]["Mandarin"]["reason"] == "does not occur"
    few = found["det"]["miss"]["English"]
    assert (few["low"], few["high"], few["reason"]) == (None, None, "4 speakers")
    assert len(few["value"]) == len(FALSE_ALARMS) and np.isfinite(few["value"]).all()
    assert found["cavg"]["reason"] == "English: 4 speakers, and 1 more class below 5"


def test_where_one_class_alone_occurs_nothing_can_be_told_apart() -> None:
    held = LANGUAGES == 2
    found = detection(LANGUAGES[held], LIKELY[held], names(5), CLASSES, DetectionCosts())
    nothing = {"value": None, "low": None, "high": None, "reason": "one class alone occurs"}
    assert all(found[name] == nothing for name in ("eer", "cavg", "min_cavg"))
    assert found["eers"] == {"Mandarin": nothing}
    absent = nothing | {"reason": "does not occur"}
    assert found["det"]["miss"] == {"English": absent, "Hindi": absent, "Mandarin": nothing}


def test_where_nothing_is_wrong_no_interval_is_a_point() -> None:
    targets = np.tile([0, 1, 2], 20)
    found = detection(targets, np.eye(3)[targets], names(60, 3), CLASSES, DetectionCosts())
    assert found["eer"]["value"] == found["cavg"]["value"] == 0
    assert found["eer"]["low"] is None and found["eer"]["reason"].startswith("the same in all")
    assert 0 < found["cavg"]["high"] < 0.3
    misses = found["det"]["miss"]["Hindi"]
    assert set(misses["value"]) == {0} and misses["low"] is misses["high"] is None
    assert misses["reason"].startswith("the same in all")
    # Posteriors that are no more than nearly sure leave rounding errors, which are no interval.
    sure = 0.98 * np.eye(3)[targets] + 0.01 * np.random.default_rng(0).dirichlet([1, 1, 1], 60)
    found = detection(targets, sure / sure.sum(1)[:, None], names(60, 3), CLASSES, DetectionCosts())
    assert found["min_cavg"]["low"] is None
    assert f"{found['cavg']['low']:.3f}" == "0.000"  # and not -0.000


def test_the_band_of_a_curve_is_that_of_the_curves_of_resamples_one_by_one() -> None:
    """In a plain loop: the clips of each drawn speaker as often as it was drawn."""
    targets, posteriors = drawn(3, 150)
    speakers = names(150, 3)
    det = detection(targets, posteriors, speakers, CLASSES, DetectionCosts())["det"]
    assert det["false_alarm"] == FALSE_ALARMS.tolist()
    scores, own = detection_scores(posteriors)[:, 1], targets == 1
    whole = misses_at(FALSE_ALARMS, *detection_curve(scores, own))
    resamples = Resamples(targets, speakers, 3)
    misses = []
    for often in resamples.weight[resamples.cell].astype(int).T:
        clips = np.repeat(np.arange(150), often)
        misses.append(misses_at(FALSE_ALARMS, *detection_curve(scores[clips], own[clips])))
    ends = np.quantile(misses, [0.025, 0.975], axis=0)
    found = det["miss"]["Hindi"]
    assert found["value"] == pytest.approx(whole) and "reason" not in found
    seen = np.ptp(misses, axis=0) > 0  # elsewhere resamples are alike, and there is no band
    assert [low is not None for low in found["low"]] == seen.tolist() and seen.mean() > 0.8
    for end, expected in zip(("low", "high"), ends, strict=True):
        here = np.array(found[end], float)[seen]
        bound = np.minimum if end == "low" else np.maximum
        assert here == pytest.approx(bound(expected, whole)[seen], abs=0.02)  # 200 thresholds
        assert (np.diff(here) <= 0).all()  # as misses do where more alarms are false
    middle = np.searchsorted(FALSE_ALARMS, 0.1)
    assert (
        found["low"][middle] < whole[middle] - 0.03 < whole[middle] + 0.03 < found["high"][middle]
    )


def test_resamples_without_a_class_or_without_any_other_leave_no_hole() -> None:
    targets, posteriors = drawn(2, 30)
    speakers = [f"s{number % 5}" if one else "other" for number, one in enumerate(targets)]
    with np.errstate(all="raise"):
        det = detection(targets, posteriors, speakers, CLASSES[:2], DetectionCosts())["det"]
    assert det["miss"]["English"]["reason"] == "1 speaker"
    ends = np.array([det["miss"]["Hindi"][end] for end in ("low", "value", "high")], float)
    held = ends[:, np.isfinite(ends).all(0)]
    assert held.shape[1] > 10 and (np.diff(held, axis=0) >= 0).all()
