"""Tests of langid/evaluation/scoring.py; how often intervals are right: test_intervals.py."""

import numpy as np
import pytest
from sklearn.metrics import (  # type: ignore[import-untyped]
    accuracy_score,
    balanced_accuracy_score,
    log_loss,
)
from sklearn.metrics import precision_recall_fscore_support as prf

from langid.evaluation.scoring import frame_accuracy, paired_difference, score

CLASSES = ["English", "Hindi", "Mandarin"]


def drawn(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return targets of uneven classes and posteriors that are often right."""
    generator = np.random.default_rng(seed)
    targets = generator.choice(3, count, p=[0.6, 0.1, 0.3])
    logits = generator.normal(size=(count, 3)) + 1.2 * np.eye(3)[targets]
    posteriors = np.exp(logits)
    return targets, posteriors / posteriors.sum(1, keepdims=True)


def test_a_small_case_by_hand() -> None:
    targets = np.array([0, 0, 0, 1, 1])
    posteriors = np.array([[0.9, 0.1], [0.8, 0.2], [0.4, 0.6], [0.3, 0.7], [0.5, 0.5]])
    report = score(targets, posteriors, list("aabcd"), ["x", "y"])
    assert report["confusion"] == [[2, 1], [1, 1]]
    assert report["accuracy"]["value"] == pytest.approx(3 / 5)
    assert report["balanced_accuracy"]["value"] == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert report["macro_f1"]["value"] == pytest.approx((2 / 3 + 1 / 2) / 2)
    nll = -np.log([0.9, 0.8, 0.4, 0.7, 0.5]).mean()
    assert report["nll"]["value"] == pytest.approx(nll)
    assert report["classes"]["y"]["precision"]["value"] == pytest.approx(1 / 2)
    assert report["classes"]["x"]["recall"]["value"] == pytest.approx(2 / 3)
    assert report["classes"]["x"]["support"] == 3


def test_figures_are_those_of_scikit_learn() -> None:
    targets, posteriors = drawn(400)
    predicted = posteriors.argmax(1)
    report = score(targets, posteriors, [str(i) for i in range(400)], CLASSES)
    assert report["accuracy"]["value"] == pytest.approx(accuracy_score(targets, predicted))
    balanced = balanced_accuracy_score(targets, predicted)
    assert report["balanced_accuracy"]["value"] == pytest.approx(balanced)
    assert report["nll"]["value"] == pytest.approx(log_loss(targets, posteriors))
    columns = zip(*prf(targets, predicted, labels=range(3)), strict=True)
    for name, (precision, recall, f1, support) in zip(CLASSES, columns, strict=True):
        figures = report["classes"][name]
        assert figures["precision"]["value"] == pytest.approx(precision)
        assert figures["recall"]["value"] == pytest.approx(recall)
        assert figures["f1"]["value"] == pytest.approx(f1)
        assert figures["support"] == support
    macro = prf(targets, predicted, average="macro")[2]
    assert report["macro_f1"]["value"] == pytest.approx(macro)


def test_a_class_that_never_occurs_is_in_no_mean_and_has_no_figures() -> None:
    targets = np.repeat([0, 1], 10)
    predicted = np.where(np.arange(20) % 5 == 0, 2, targets)  # a fifth is taken for what is absent
    speakers = [str(number) for number in range(20)]
    report = score(targets, np.eye(3)[predicted], speakers, CLASSES)
    assert report["balanced_accuracy"]["value"] == pytest.approx(4 / 5)
    assert report["macro_f1"]["value"] == pytest.approx(8 / 9)
    figures = report["classes"]["Mandarin"]
    assert figures["recall"] == {"value": None, "low": None, "high": None,
                                 "reason": "does not occur"}  # fmt: skip
    assert (figures["precision"]["value"], figures["support"]) == (0, 0)


def test_intervals_contain_the_value_and_are_the_same_each_time() -> None:
    targets, posteriors = drawn(120)
    speakers = [f"s{i // 2}" for i in range(120)]
    report = score(targets, posteriors, speakers, CLASSES)
    assert report == score(targets, posteriors, speakers, CLASSES)
    figures = [report[name] for name in ("accuracy", "balanced_accuracy", "macro_f1", "nll")]
    figures += [report["classes"][name][m] for name in CLASSES for m in ("recall", "precision")]
    for figure in figures:
        assert figure["low"] <= figure["value"] <= figure["high"]
        assert figure["low"] < figure["high"]


def test_intervals_are_wider_with_fewer_speakers() -> None:
    targets = np.repeat([0, 1, 2], 60)
    # of each speaker's clips all are right or all are wrong, as clips of one speaker are alike
    right = np.tile(np.repeat([True, False], 30), 3)
    predicted = np.where(right, targets, (targets + 1) % 3)
    posteriors = np.eye(3)[predicted] * 0.8 + 0.2 / 3

    def width(clips_each: int) -> float:
        speakers = [f"s{i // clips_each}" for i in range(180)]
        accuracy = score(targets, posteriors, speakers, CLASSES)["accuracy"]
        return float(accuracy["high"] - accuracy["low"])

    assert width(10) > 2 * width(1)


def test_a_speaker_of_two_languages_is_drawn_as_one() -> None:
    targets = np.array([0, 0, 1, 1])
    posteriors = np.array([[0.9, 0.1], [0.1, 0.9], [0.2, 0.8], [0.4, 0.6]])
    report = score(targets, posteriors, ["a", "b", "a", "c"], ["x", "y"])
    assert report["confusion"] == [[1, 1], [0, 2]]
    assert report["accuracy"]["value"] == pytest.approx(3 / 4)


def test_paired_differences_are_those_of_the_two_scores_and_zero_for_the_same() -> None:
    targets, posteriors = drawn(200)
    _, others = drawn(200, seed=1)
    speakers = [f"s{i // 2}" for i in range(200)]
    left, right = posteriors.argmax(1), others.argmax(1)
    difference = paired_difference(targets, left, right, speakers, CLASSES)
    scores = [score(targets, values, speakers, CLASSES) for values in (posteriors, others)]
    for name in ("accuracy", "balanced_accuracy"):
        expected = scores[0][name]["value"] - scores[1][name]["value"]
        assert difference[name]["value"] == pytest.approx(expected)
        assert difference[name]["low"] < expected < difference[name]["high"]
        same = paired_difference(targets, left, left, speakers, CLASSES)[name]
        # What does not differ here may on other speakers, hardly ever.
        assert same["value"] == 0 and -0.1 < same["low"] < 0 < same["high"] < 0.1
        assert same["low"] == -same["high"]


def test_paired_intervals_are_narrower_where_systems_fail_on_the_same_utterances() -> None:
    targets = np.repeat([0, 1, 2], 60)
    generator = np.random.default_rng(0)
    hard = generator.random(180) < 0.4
    wrong = np.where(hard, (targets + 1) % 3, targets)
    better = wrong.copy()
    better[np.flatnonzero(hard)[::6]] = targets[np.flatnonzero(hard)[::6]]
    speakers = [str(i) for i in range(180)]
    paired = paired_difference(targets, better, wrong, speakers, CLASSES)["accuracy"]
    single = score(targets, np.eye(3)[better] * 0.8 + 0.2 / 3, speakers, CLASSES)["accuracy"]
    assert paired["low"] > 0
    assert paired["high"] - paired["low"] < 0.7 * (single["high"] - single["low"])


def test_frame_accuracy_is_the_share_of_right_frames_and_its_interval_is_over_speakers() -> None:
    targets, speakers = np.array([0, 0, 1, 1]), list("aabb")
    frames, right = np.array([10, 30, 20, 40]), np.array([10, 0, 20, 10])
    figure = frame_accuracy(targets, speakers, frames, right)
    assert figure["value"] == pytest.approx(40 / 100)
    assert figure == {"value": 0.4, "low": None, "high": None, "reason": "2 speakers"}
    ten = [np.tile(values, 5) for values in (targets, frames, right)]
    each, pairs = (
        frame_accuracy(ten[0], [str(number // size) for number in range(20)], *ten[1:])
        for size in (1, 2)
    )
    for spread in (each, pairs):
        assert 0 < spread["low"] < 0.4 < spread["high"] < 1
    # Clips of a speaker make up for one another here, so that speakers differ less than clips do.
    assert pairs["high"] - pairs["low"] < each["high"] - each["low"]


def test_a_figure_of_fewer_than_five_speakers_has_no_interval_and_says_why() -> None:
    targets = np.repeat([0, 1, 2], [12, 12, 6])
    posteriors = np.eye(3)[targets] * 0.8 + 0.2 / 3
    speakers = [f"{target}-{number % 6}" for number, target in enumerate(targets)]
    speakers[12:24] = [f"1-{number % 4}" for number in range(12)]
    report = score(targets, posteriors, speakers, CLASSES)
    nothing = {"low": None, "high": None}
    for name in ("precision", "recall", "f1"):
        assert report["classes"]["Hindi"][name] == {"value": 1, "reason": "4 speakers", **nothing}
        assert 0.3 < report["classes"]["English"][name]["low"] < 1
    assert report["balanced_accuracy"] == {"value": 1, "reason": "Hindi: 4 speakers", **nothing}
    assert report["macro_f1"]["reason"] == "Hindi: 4 speakers"
    assert 0.6 < report["accuracy"]["low"] < report["accuracy"]["high"] == 1
    difference = paired_difference(targets, targets, targets, speakers, CLASSES)
    assert difference["balanced_accuracy"]["reason"] == "Hindi: 4 speakers"
    assert difference["accuracy"]["low"] < 0 < difference["accuracy"]["high"]
    few = score(targets[:4], posteriors[:4], speakers[:4], CLASSES)
    assert few["accuracy"]["low"] is None and few["accuracy"]["reason"] == "4 speakers"


@pytest.mark.parametrize("right", [0.0, 0.05, 0.5, 0.95, 1.0])
def test_no_proportion_has_an_interval_that_is_a_point(right: float) -> None:
    targets = np.repeat([0, 1, 2], 60)
    place = np.arange(180) % 20
    predicted = np.where(place < 20 * right, targets, (targets + 1) % 3)
    report = score(targets, np.eye(3)[predicted], [str(n // 6) for n in range(180)], CLASSES)
    figures = [report[name] for name in ("accuracy", "balanced_accuracy", "macro_f1")]
    figures += [report["classes"][name][m] for name in CLASSES for m in ("recall", "precision")]
    for figure in figures:
        assert 0 <= figure["low"] <= figure["value"] <= figure["high"] <= 1
        assert 0.02 < figure["high"] - figure["low"] < 0.75
