"""Whether posteriors are as right as they say: Brier score, calibration error, reliability bins."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from langid import metrics
from langid.evaluation.intervals import of_proportions, ratios
from langid.evaluation.resampling import Resamples
from langid.evaluation.scoring import few_speakers, frame_accuracy, resampled, scaled, told


def calibration(
    targets: np.ndarray, posteriors: np.ndarray, speakers: Sequence[str]
) -> dict[str, Any]:
    """Return ``brier`` and ``ece`` as figures, and the ``reliability`` that the latter sums up.

    ``targets (units,)`` are class indices, ``posteriors (units, classes)`` sum to 1. Of each bin of
    confidence, the posterior of what is said, that holds units, ``reliability`` has ``from``,
    ``to``, how many ``units``, their mean ``confidence``, and their ``accuracy`` as a figure.
    """
    confidence, right = posteriors.max(1), posteriors.argmax(1) == targets
    place = metrics.calibration_bin(confidence)
    sums = (np.bincount(place, of, metrics.CALIBRATION_BINS) for of in (right, confidence, None))
    error = float(metrics.calibration_error(*sums))
    squares, classes = metrics.brier(targets, posteriors), posteriors.shape[1]
    support = np.bincount(targets, minlength=classes)
    halves = ratios(speakers, targets, squares / 2, support / len(targets))
    few = few_speakers(halves)
    drawn = None
    if not few:
        drawn = Resamples(targets, speakers, classes).calibration_error(confidence, right)
    return {
        "brier": told(squares.mean(), scaled(of_proportions(halves), 2), few),
        "ece": resampled(error, drawn, few),
        "reliability": [
            _bin(number, place == number, confidence, right, targets, np.asarray(speakers))
            for number in np.unique(place).tolist()
        ],
    }


def _bin(
    number: int, held: np.ndarray, confidence: np.ndarray, right: np.ndarray, targets: np.ndarray,
    speakers: np.ndarray,
) -> dict[str, Any]:  # fmt: skip
    units = int(held.sum())
    counts = np.ones(units), right[held].astype(float)
    return {
        "from": number / metrics.CALIBRATION_BINS,
        "to": (number + 1) / metrics.CALIBRATION_BINS,
        "units": units,
        "confidence": float(confidence[held].mean()),
        "accuracy": frame_accuracy(targets[held], speakers[held].tolist(), *counts),
    }
