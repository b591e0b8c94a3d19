"""Below which posterior a decision is better not made, chosen on validation data."""

from typing import Any

import numpy as np

from langid.errors import LangidError

ERROR_RATES = (0.01, 0.05, 0.1, 0.2, 0.3)  # the last two for networks that reach no other


def choose_threshold(confidences: np.ndarray, right: np.ndarray, error_rate: float) -> float:
    """Return the lowest confidence at and above which at most ``error_rate`` is wrong.

    ``confidences (decisions,)`` and ``right (decisions,) bool`` are of validation data. The choice
    is that of selective classification (El-Yaniv and Wiener, JMLR 2010): as few decisions as
    possible are rejected. Raises LangidError where no threshold gives the error rate.
    """
    confidences, right = np.asarray(confidences, np.float64), np.asarray(right, np.bool_)
    if confidences.ndim != 1 or confidences.shape != right.shape or not len(confidences):
        raise LangidError(
            f"confidences {confidences.shape} and right {right.shape}: expected one of each for"
            " every decision, and at least one"
        )
    if not np.isfinite(confidences).all():
        raise LangidError("confidences hold NaN or infinity: expected posteriors")
    if not 0 <= error_rate < 1:
        raise LangidError(f"error_rate={error_rate}: accepted are shares from 0 to below 1")
    order = np.argsort(-confidences, kind="stable")
    confidences = confidences[order]
    errors = np.cumsum(~right[order]) / np.arange(1, len(order) + 1)
    last_of_equal = np.append(confidences[:-1] > confidences[1:], True)
    kept = np.flatnonzero(last_of_equal & (errors <= error_rate))
    if not len(kept):
        raise LangidError(
            f"no threshold gives an error rate of {error_rate}: among the most confident decisions"
            f" {errors[last_of_equal].min():.3f} are wrong; accept a higher rate"
        )
    return float(confidences[kept[-1]])


def thresholds(targets: np.ndarray, posteriors: np.ndarray) -> dict[str, Any]:
    """Return thresholds for some error rates, and the share of decisions that each leaves.

    ``targets (units,)`` and ``posteriors (units, classes)`` are of validation data. Where no
    threshold gives a rate it stands as null.
    """
    confidences, right = posteriors.max(1), posteriors.argmax(1) == targets
    chosen: dict[str, Any] = {}
    for rate in ERROR_RATES:
        try:
            threshold = choose_threshold(confidences, right, rate)
        except LangidError:
            chosen[str(rate)] = None
            continue
        answered = float((confidences >= threshold).mean())
        chosen[str(rate)] = {"unknown_below": threshold, "answered": answered}
    return chosen
