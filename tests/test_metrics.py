"""Tests of langid/metrics.py; all figures beside scikit-learn's: evaluation/test_metrics.py."""

import numpy as np
import pytest

from langid.metrics import confusion_of, of_confusion


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
