"""Each class as a detector of its own: equal error rates and NIST's Cavg."""

from collections.abc import Sequence
from dataclasses import asdict
from math import inf
from typing import Any

import numpy as np

from langid import metrics
from langid.evaluation.intervals import by_group, of_proportions, ratios
from langid.evaluation.resampling import Resamples
from langid.evaluation.scoring import (
    few_of_a_class,
    few_speakers,
    resampled,
    scaled,
    told,
)

ONE_CLASS = "one class alone occurs"


def detection(
    targets: np.ndarray,
    posteriors: np.ndarray,
    speakers: Sequence[str],
    classes: Sequence[str],
    costs: metrics.DetectionCosts,
) -> dict[str, Any]:
    """Return ``eer``, ``cavg`` and ``min_cavg`` as figures, with the ``costs`` of the latter two.

    ``targets (units,)`` are class indices, ``posteriors (units, classes)`` sum to 1. ``eer`` is the
    mean over classes of their rates, ``eers`` has that of each. Classes that do not occur are
    neither detected nor asked for; where one alone occurs no figure has a value.
    """
    held, index = np.unique(targets, return_inverse=True)
    found: dict[str, Any] = {"cavg_costs": asdict(costs)}
    if len(held) < 2:
        nothing = {"value": None, "low": None, "high": None, "reason": ONE_CLASS}
        figures = ("eer", "cavg", "min_cavg")
        return found | dict.fromkeys(figures, nothing) | {"eers": {classes[held[0]]: nothing}}
    names, scores = [classes[one] for one in held], metrics.detection_scores(posteriors)[:, held]
    resamples = Resamples(index, speakers, len(held))
    mean, most = np.full(len(held), 1 / len(held)), costs.miss + costs.false_alarm
    cost = ratios(speakers, index, metrics.detection_cost(index, scores, costs) / most, mean)
    bounds, few = scaled(of_proportions(cost), most), few_of_a_class(cost, names)
    least = metrics.least_cavg(index, scores, costs)
    drawn = None if few else resamples.least_cost(scores, costs)
    found |= {"cavg": told(bounds[0], bounds, few), "min_cavg": resampled(least, drawn, few, inf)}
    few_of = [few_speakers(one) for one in by_group(cost)]
    return found | _rates(index, scores, names, few_of, few, resamples)


def _rates(
    index: np.ndarray, scores: np.ndarray, names: Sequence[str], few_of: Sequence[str], few: str,
    resamples: Resamples,
) -> dict[str, Any]:  # fmt: skip
    """Return ``eer`` and ``eers``; ``few_of`` and ``few`` say why there is no interval."""
    values: list[float] = []
    drawn: list[Any] = []
    eers = {}
    for number, (name, reason) in enumerate(zip(names, few_of, strict=True)):
        of_class = scores[:, number]
        curve = metrics.detection_curve(of_class, index == number)
        values.append(float(metrics.equal_error_rate(*curve)))
        drawn.append(None if reason else resamples.equal_error_rate(of_class, number))
        eers[name] = resampled(values[-1], drawn[-1], reason)
    means = None if few else _means(np.array(drawn))
    return {"eer": resampled(float(np.mean(values)), means, few), "eers": eers}


def _means(rates: np.ndarray) -> np.ndarray:
    """Return the mean over the classes that were drawn: ``rates (classes, resamples)``, or NaN."""
    drawn = np.isfinite(rates)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(drawn, rates, 0).sum(0) / drawn.sum(0))
