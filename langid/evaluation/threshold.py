"""Below which posterior a decision is better not made, chosen on validation data."""

from math import floor
from typing import Any

import numpy as np
import pandas as pd

from langid.streaming.decision import UNKNOWN

ERROR_RATES = (0.01, 0.05, 0.1, 0.2, 0.3)  # the last two for networks that reach no other


def choose_threshold(confidences: np.ndarray, right: np.ndarray, error_rate: float) -> float | None:
    """Return the lowest confidence at and above which at most ``error_rate`` is wrong, or None.

    ``confidences (decisions,)`` and ``right (decisions,) bool`` are of validation data. The choice
    is that of selective classification (El-Yaniv and Wiener, JMLR 2010): as few decisions as
    possible are rejected.
    """
    order = np.argsort(-confidences, kind="stable")
    confidences = confidences[order]
    errors = np.cumsum(~right[order]) / np.arange(1, len(order) + 1)
    last_of_equal = np.append(confidences[:-1] > confidences[1:], True)
    kept = np.flatnonzero(last_of_equal & (errors <= error_rate))
    return float(confidences[kept[-1]]) if len(kept) else None


def may_be_answered(table: pd.DataFrame) -> np.ndarray:
    """Return which units ``langid predict`` answers where their posterior is high, ``(units,)``.

    ``table`` is that of Predictions. Where nobody speaks, or the most likely class is ``unknown``,
    there is no answer.
    """
    return np.asarray(~table["no_speech"] & (table["predicted"] != UNKNOWN))


def thresholds(targets: np.ndarray, posteriors: np.ndarray, may: np.ndarray) -> dict[str, Any]:
    """Return thresholds for some error rates, and the share of units that each answers.

    ``targets (units,)`` and ``posteriors (units, classes)`` are of validation data, and of those
    that ``may (units,) bool`` be answered decisions are made. Where no threshold gives a rate it
    stands as null.
    """
    confidences, right = posteriors[may].max(1), posteriors[may].argmax(1) == targets[may]
    chosen: dict[str, Any] = dict.fromkeys(map(str, ERROR_RATES))
    for rate in ERROR_RATES:
        if (threshold := choose_threshold(confidences, right, rate)) is not None:
            answered = float((confidences >= threshold).sum() / len(may))
            chosen[str(rate)] = {"unknown_below": threshold, "answered": answered}
    return chosen


def threshold_text(below: float) -> str:
    """Return a threshold with six digits, rounded down: it is a posterior that still answers."""
    return f"{floor(below * 1e6) / 1e6:.6f}"
