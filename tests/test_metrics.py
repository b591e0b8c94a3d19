"""Tests of langid/metrics.py; all figures beside scikit-learn's: evaluation/test_scoring.py."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from langid.commands.main import main
from langid.metrics import confusion_of, direction, frame_accuracy, of_confusion, of_posteriors
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
