"""Figures of merit of a confusion matrix: those of training's validation and of every report."""

import numpy as np


def confusion_of(targets: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """Return how often each class was taken for which, ``(true, predicted)``.

    ``targets (units,)`` and ``predicted (units,)`` are class indices.
    """
    counts = np.bincount(targets * classes + predicted, minlength=classes * classes)
    return counts.reshape(classes, classes)


def of_confusion(confusion: np.ndarray) -> dict[str, np.ndarray]:
    """Return the figures of a confusion matrix ``(true, predicted)``.

    ``precision``, ``recall``, ``f1`` and ``support`` have a value per class; ``accuracy``,
    ``balanced_accuracy`` and ``macro_f1`` are single values, the last two means over the classes
    that occur. Of a class that does not occur recall and F1 are NaN, though it may be predicted,
    which then counts against the others; a precision without predictions is 0.
    """
    right = np.diagonal(confusion).astype(float)
    support, predicted = confusion.sum(1), confusion.sum(0)
    with np.errstate(invalid="ignore", divide="ignore"):
        recall = np.where(support > 0, right / support, np.nan)
        precision = np.where(predicted > 0, right / predicted, 0.0)
        f1 = np.where(support > 0, 2 * right / (support + predicted), np.nan)
    return {
        "accuracy": right.sum() / confusion.sum(),
        "balanced_accuracy": np.nanmean(recall),
        "macro_f1": np.nanmean(f1),
        "precision": precision,
        "recall": recall,
        "f1": f1,
        "support": support,
    }
