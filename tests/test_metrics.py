"""Tests of langid/metrics.py; all figures beside scikit-learn's: evaluation/test_scoring.py."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.optimize import brentq
from sklearn.metrics import brier_score_loss, roc_curve  # type: ignore[import-untyped]

from langid.commands.main import main
from langid.errors import LangidError
from langid.metrics import (
    DetectionCosts,
    brier,
    confusion_of,
    detection_cost,
    detection_curve,
    detection_scores,
    direction,
    equal_error_rate,
    frame_accuracy,
    least_cavg,
    misses_at,
    of_confusion,
    of_posteriors,
)
from langid.training.checkpoint import read_checkpoint


def test_a_class_that_never_occurs_or_is_never_predicted() -> None:
    metrics = of_confusion(np.array([[4, 1, 0], [2, 3, 0], [0, 0, 0]]))
    assert np.isnan(metrics["recall"][2]) and np.isnan(metrics["f1"][2])
    assert metrics["precision"][2] == 0
    assert metrics["balanced_accuracy"] == pytest.approx((4 / 5 + 3 / 5) / 2)


def test_a_class_that_is_predicted_alone_counts_against_the_others() -> None:
    confusion = confusion_of(np.array([0, 0, 0, 1, 1]), np.array([0, 0, 2, 1, 1]), 3)
    assert confusion.tolist() == [[2, 0, 1], [0, 2, 0], [0, 0, 0]]
    metrics = of_confusion(confusion)
    assert metrics["accuracy"] == pytest.approx(4 / 5)
    assert metrics["balanced_accuracy"] == pytest.approx((2 / 3 + 1) / 2)  # 0.833, not 0.556
    assert metrics["macro_f1"] == pytest.approx((4 / 5 + 1) / 2)


def test_figures_of_posteriors_and_of_frames() -> None:
    figures = of_posteriors(np.array([0, 1]), np.array([[0.75, 0.25], [0.5, 0.5]]))
    assert figures["nll"] == pytest.approx(-np.log(0.75 * 0.5) / 2)
    assert figures["confusion"].tolist() == [[1, 0], [1, 0]]
    assert frame_accuracy(np.array([10, 30]), np.array([5, 15])) == pytest.approx(20 / 40)


def drawn(classes: int, units: int = 600) -> tuple[np.ndarray, np.ndarray]:
    """Return targets, and posteriors that are often right."""
    generator = np.random.default_rng(0)
    targets = generator.integers(0, classes, units)
    odds = np.exp(generator.normal(size=(units, classes)) + 1.5 * np.eye(classes)[targets])
    return targets, odds / odds.sum(1, keepdims=True)


def test_brier_is_that_of_scikit_learn() -> None:
    targets, posteriors = drawn(4)
    whole = brier_score_loss(targets, posteriors, scale_by_half=False)
    assert brier(targets, posteriors).mean() == pytest.approx(whole)
    assert brier(np.array([0, 1]), np.array([[1, 0], [1, 0]])).tolist() == [0, 2]


def test_equal_error_rate_is_where_scikit_learns_curve_meets_the_diagonal() -> None:
    targets, posteriors = drawn(3)
    for of in range(3):
        own, scores = targets == of, detection_scores(posteriors)[:, of]
        alarms, hits, _ = roc_curve(own, scores, drop_intermediate=False)
        expected = brentq(lambda at, x=alarms, y=hits: 1 - at - np.interp(at, x, y), 0, 1)
        found = equal_error_rate(*detection_curve(scores, own))
        assert found == pytest.approx(expected, abs=2e-3)  # on a step the crossing is a stretch
    apart = np.array([True, True, False, False])
    for order, rate in ((1, 0.0), (-1, 1.0)):
        scores = order * np.array([4.0, 3.0, 2.0, 1.0])
        assert equal_error_rate(*detection_curve(scores, apart)) == rate
    assert equal_error_rate(*detection_curve(np.zeros(4), apart)) == 0.5  # nothing is told apart


def test_misses_at_rates_of_false_alarms_by_hand() -> None:
    """Own scores 1, 3, 5, 7, others' 0, 2, 4, 6: without false alarms 7 alone is detected."""
    scores, own = np.arange(8.0), np.array([False, True] * 4)
    curve = detection_curve(scores, own)
    rates = np.array([0, 0.1, 0.25, 0.4, 0.5, 0.9])
    expected = np.array([3, 3, 2, 2, 1, 0]) / 4  # the curve is a flight of stairs
    assert misses_at(rates, *curve) == pytest.approx(expected)
    slope = np.array([0, 0.5, 1.0]), np.array([1, 0.2, 0])  # scores of both kinds are alike
    assert misses_at(rates[1:2], *slope) == pytest.approx([0.75])
    nobody = np.full(3, np.nan)
    lacking = (
        np.column_stack(of) for of in ((slope[0], nobody, slope[0]), (*slope[1:], slope[1], nobody))
    )
    found = misses_at(rates, *lacking)
    assert found.shape == (6, 3) and np.isnan(found[:, 1:]).all()
    assert found[:, 0] == pytest.approx(misses_at(rates, *slope))


# A worked example of NIST's formula: Cavg is the mean over languages L of
# p_target c_miss P_miss(L) + sum over L' of (1 - p_target) / (N - 1) c_false_alarm P_fa(L, L').
LANGUAGES = np.array([0, 0, 0, 0, 1, 1, 2, 2, 2, 2, 2])
LIKELY = np.array(  # of flat classes a language is detected from 1/3 on where both costs are 1
    [[0.5, 0.4, 0.1], [0.8, 0.1, 0.1], [0.3, 0.3, 0.4], [0.6, 0.2, 0.2], [0.4, 0.6, 0.0],
     [0.2, 0.7, 0.1], [0.1, 0.1, 0.8], [0.4, 0.4, 0.2], [0.0, 0.1, 0.9], [0.1, 0.3, 0.6],
     [0.25, 0.15, 0.6]]
)  # fmt: skip
MISS = (1 / 4, 0, 1 / 5)
FALSE_ALARM = ((0, 1 / 4, 1 / 4), (1 / 2, 0, 0), (1 / 5, 1 / 5, 0))  # of what is said, by what is


@pytest.mark.parametrize("costs", [DetectionCosts(), DetectionCosts(0.5, 3.0, 3.0)])
def test_cavg_is_nists_formula_on_a_worked_example(costs: DetectionCosts) -> None:
    expected = np.mean(
        [
            costs.p_target * costs.c_miss * MISS[spoken]
            + sum(
                (1 - costs.p_target) / 2 * costs.c_false_alarm * FALSE_ALARM[other][spoken]
                for other in range(3)
                if other != spoken
            )
            for spoken in range(3)
        ]
    )
    cost = detection_cost(LANGUAGES, detection_scores(LIKELY), costs)
    assert np.mean([cost[one == LANGUAGES].mean() for one in range(3)]) == pytest.approx(expected)


def test_a_rare_class_is_detected_from_a_higher_posterior_on() -> None:
    rare = DetectionCosts(p_target=0.1)
    assert np.exp(rare.threshold) == pytest.approx(9)  # beta of LRE 2017: a posterior of 9 / 11
    cost = detection_cost(LANGUAGES, detection_scores(LIKELY), rare)
    assert cost.tolist() == pytest.approx([0.1] * 8 + [0] + [0.1] * 2)  # misses, no false alarm


def test_the_lowest_cavg_is_that_of_the_best_threshold() -> None:
    targets, posteriors = drawn(3, 90)
    scores, costs = detection_scores(posteriors), DetectionCosts(0.3, 2.0, 1.0)
    found = []
    for threshold in [-np.inf, *np.unique(scores) + 1e-9]:
        said = scores > threshold
        rate = [[said[targets == spoken, of].mean() for spoken in range(3)] for of in range(3)]
        misses = sum(0.3 * 2.0 * (1 - rate[of][of]) for of in range(3))
        alarms = sum(
            0.7 / 2 * rate[of][other] for of in range(3) for other in range(3) if of != other
        )
        found.append((misses + alarms) / 3)
    assert least_cavg(targets, scores, costs) == pytest.approx(min(found))


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"p_target": 1.0}, "cavg.p_target=1.0: accepted are numbers above 0 below 1"),
        ({"c_miss": 0}, "cavg.c_miss=0: accepted are numbers above 0"),
        ({"c_false_alarm": "dear"}, "cavg.c_false_alarm=dear: accepted are numbers above 0"),
        ({"c_miss": float("nan")}, "cavg.c_miss=nan"),
    ],
)
def test_costs_that_are_none_are_refused(given: dict[str, Any], told: str) -> None:
    with pytest.raises(LangidError, match=told):
        DetectionCosts(**given)


def test_the_better_end_of_a_figure() -> None:
    ends = {name: direction(f"val/{name}") for name in ("loss", "nll", "accuracy", "macro_f1")}
    assert ends == {"loss": "min", "nll": "min", "accuracy": "max", "macro_f1": "max"}


@pytest.mark.parametrize("hindi", ["validation", "test"])
@pytest.mark.parametrize("model", ["gru", "cnn"])
def test_validation_logs_what_evaluate_reports(
    official: Callable[..., Path], tmp_path: Path, model: str, hindi: str
) -> None:
    """Without Hindi in the validation part, too."""
    store, run = official("train", hindi), tmp_path / "run"
    sizes = ["units=24", "dense=12"] if model == "gru" else ["channels=[4,4]", "dense=4"]
    parts = [f"model={model}", *(f"model.network.{size}" for size in sizes), "split=official"]
    limits = ["trainer.max_epochs=2", "trainer.accelerator=cpu", "data.batch_size=3"]
    assert main(["train", *parts, *limits, f"store={store}", f"output={run}"]) == 0
    best = run / "checkpoints" / "best.ckpt"
    arguments = [f"checkpoint={best}", f"store={store}", "part=validation"]
    assert main(["evaluate", *arguments, f"output={run / 'validation'}"]) == 0
    logged = read_checkpoint(best)["langid_validation"]
    report = json.loads((run / "validation" / "report.json").read_text())
    assert report["absent"] == ([] if hindi == "validation" else ["Hindi"])
    assert set(logged) - {"loss"} < set(report)
    for name in set(logged) - {"loss"}:  # of frames, weighted as in training: another thing
        assert report[name]["value"] == pytest.approx(logged[name], abs=1e-6), name
