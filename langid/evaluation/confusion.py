"""What is taken for what: rates, and the pairs of classes that are most often confused."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from langid import metrics
from langid.evaluation.intervals import of_proportions, ratios
from langid.evaluation.scoring import Figure, few_speakers, told

CONFUSED = 10  # pairs of classes that are named


def confusions(
    targets: np.ndarray, predicted: np.ndarray, speakers: Sequence[str], classes: Sequence[str]
) -> dict[str, Any]:
    """Return what is said of the confusion matrix beside its counts.

    ``targets (units,)`` and ``predicted (units,)`` are class indices. ``confusion_rates`` are
    shares of the true class, None of one that does not occur; ``confused`` the pairs of classes of
    which the one is most often taken for the other: ``units``, their ``share`` of the true class,
    and its interval as that of a figure, ``low`` and ``high``, or None and a ``reason``.
    """
    counts = metrics.confusion_of(targets, predicted, len(classes))
    support = counts.sum(1, keepdims=True)
    rates = counts / np.maximum(support, 1)
    wrong = np.where(np.eye(len(counts), dtype=bool), 0, counts)
    order = np.argsort(-wrong, axis=None, kind="stable")[:CONFUSED]
    confused = []
    for true, taken in (divmod(int(place), len(counts)) for place in order if wrong.flat[place]):
        own = targets == true
        share = _share(predicted[own] == taken, np.asarray(speakers)[own])
        confused.append(
            {"true": classes[true], "predicted": classes[taken],
             "units": int(counts[true, taken]), "share": share.pop("value"), **share}
        )  # fmt: skip
    return {
        "confusion_rates": [
            row.round(6).tolist() if there else [None] * len(row)
            for row, there in zip(rates, support[:, 0], strict=True)
        ],
        "confused": confused,
    }


def _share(taken: np.ndarray, speakers: np.ndarray) -> Figure:
    """Return how many units of a class are ``taken (units,) bool`` for another, as a figure."""
    of_class = ratios(speakers, np.zeros(len(taken), int), taken.astype(float), np.ones(1))
    return told(taken.mean(), of_proportions(of_class), few_speakers(of_class))
