"""Figures of merit, each computed here alone: training's validation and every report have these.

Validation logs the point estimates; langid.evaluation.scoring sets intervals beside them.
"""

from typing import Any

import numpy as np

from langid.errors import LangidError

# What validation logs as val/NAME, and which end is the better one.
DIRECTIONS = {"loss": "min", "nll": "min", "accuracy": "max", "balanced_accuracy": "max",
              "macro_f1": "max", "frame_accuracy": "max"}  # fmt: skip


def check_selection(select: str) -> None:
    """Raise LangidError for a figure that no best checkpoint can be chosen by."""
    accepted = {f"val/{name}": end for name, end in DIRECTIONS.items()}
    if select not in accepted:
        lowest, highest = (
            ", ".join(name for name, of in accepted.items() if of == end) for end in ("min", "max")
        )
        raise LangidError(
            f"select={select}: accepted are {lowest} (the lowest is best) and {highest} (the"
            " highest)"
        )


def direction(select: str) -> str:
    """Return ``min`` or ``max``, which end of a figure val/NAME is the better one.

    Of an unknown one ``min``: it is refused later, where the training is built.
    """
    return DIRECTIONS.get(str(select).removeprefix("val/"), "min")


def of_posteriors(targets: np.ndarray, posteriors: np.ndarray) -> dict[str, Any]:
    """Return the figures of ``of_confusion``, the ``confusion`` itself, and ``nll``.

    ``targets (units,)`` are class indices, ``posteriors (units, classes)`` sum to 1. ``nll`` is in
    nats per unit.
    """
    confusion = confusion_of(targets, posteriors.argmax(1), posteriors.shape[1])
    nll = surprise(targets, posteriors).mean()
    return of_confusion(confusion) | {"confusion": confusion, "nll": nll}


def frame_accuracy(frames: np.ndarray, right_frames: np.ndarray) -> float:
    """Return the share of ``frames (units,)`` of speech whose most likely class is right."""
    return float(right_frames.sum() / frames.sum())


def surprise(targets: np.ndarray, posteriors: np.ndarray) -> np.ndarray:
    """Return the negative log posterior of each unit's class in nats, ``(units,)``."""
    of_target = posteriors[np.arange(len(targets)), targets]
    return np.asarray(-np.log(np.clip(of_target, 1e-12, None)))


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
