"""Tests of langid/evaluation/confusion.py; how often intervals are right: test_intervals.py."""

import numpy as np
import pytest

from langid.evaluation.confusion import confusions
from langid.evaluation.scoring import score

from .test_calibration import names

CLASSES = ["English", "Hindi", "Mandarin"]


def test_pairs_by_hand_the_most_frequent_first() -> None:
    targets = np.repeat([0, 1], [10, 6])
    predicted = np.array([0] * 5 + [1] * 3 + [2] * 2 + [0] * 4 + [1] * 2)
    found = confusions(targets, predicted, names(16, 1), CLASSES)
    told = [
        (one["true"], one["predicted"], one["units"], one["share"]) for one in found["confused"]
    ]
    assert told == [
        ("Hindi", "English", 4, pytest.approx(4 / 6)),
        ("English", "Hindi", 3, 0.3),
        ("English", "Mandarin", 2, 0.2),
    ]
    assert found["confusion_rates"][0] == [0.5, 0.3, 0.2]
    assert found["confusion_rates"][2] == [None] * 3
    for pair in found["confused"]:
        assert 0 < pair["low"] < pair["share"] < pair["high"] < 1 and "reason" not in pair


def test_of_two_classes_the_interval_of_a_pair_is_that_of_recall_upside_down() -> None:
    generator = np.random.default_rng(0)
    targets = np.repeat([0, 1], 60)
    predicted = np.where(generator.random(120) < 0.3, 1 - targets, targets)
    speakers = names(120, 4)
    classes = score(targets, np.eye(2)[predicted], speakers, CLASSES[:2])["classes"]
    pairs = confusions(targets, predicted, speakers, CLASSES[:2])["confused"]
    assert len(pairs) == 2
    for pair in pairs:
        recall = classes[pair["true"]]["recall"]
        for end, other in (("share", "value"), ("low", "high"), ("high", "low")):
            assert pair[end] == pytest.approx(1 - recall[other], abs=1e-9)


def test_the_interval_is_that_of_a_plain_bootstrap_where_speakers_are_many() -> None:
    """Each speaker has a chance of his own to be misheard, so that clips are not independent."""
    generator = np.random.default_rng(0)
    chance = generator.beta(1, 3, 200).repeat(10)
    targets = np.repeat([0, 2], [2000, 200])
    predicted = targets.copy()
    predicted[:2000][generator.random(2000) < chance] = 1
    [pair] = confusions(targets, predicted, names(2200, 10), CLASSES)["confused"]
    taken = (predicted[:2000] == 1).reshape(200, 10).mean(1)
    drawn = taken[generator.integers(0, 200, (5000, 200))].mean(1)
    assert (pair["low"], pair["high"]) == pytest.approx(
        np.quantile(drawn, [0.025, 0.975]), abs=5e-3
    )
    by_clips = 2 * 1.96 * np.sqrt(pair["share"] * (1 - pair["share"]) / 2000)
    assert pair["high"] - pair["low"] > 1.4 * by_clips


def test_a_class_of_few_speakers_has_pairs_without_an_interval_and_says_why() -> None:
    targets = np.repeat([0, 1], [12, 12])
    predicted = 1 - targets
    speakers = names(12, 1) + [f"h{number % 4}" for number in range(12)]
    enough, few = confusions(targets, predicted, speakers, CLASSES)["confused"]
    assert enough["low"] < enough["share"] == enough["high"] == 1
    assert few == {"true": "Hindi", "predicted": "English", "units": 12, "share": 1,
                   "low": None, "high": None, "reason": "4 speakers"}  # fmt: skip


def test_where_nothing_is_confused_no_pair_is_named() -> None:
    targets = np.array([0, 1, 2])
    assert confusions(targets, targets, names(3), CLASSES)["confused"] == []
