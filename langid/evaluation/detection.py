"""Each class as a detector of its own: DET curves, equal error rates and NIST's Cavg."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from math import inf
from typing import Any

import numpy as np
from scipy.special import ndtr, ndtri

from langid import metrics
from langid.evaluation.intervals import by_group, of_proportions, ratios
from langid.evaluation.resampling import Resamples, band_of_resamples
from langid.evaluation.scoring import (
    ABSENT,
    ALIKE,
    Figure,
    few_of_a_class,
    few_speakers,
    resampled,
    scaled,
    told,
)

ONE_CLASS = "one class alone occurs"
# Rates that curves are told at, as far apart as normal deviates, the axes of DET curves.
FALSE_ALARMS = ndtr(np.linspace(ndtri(5e-4), ndtri(0.9), 60)).round(6)


def detection(
    targets: np.ndarray,
    posteriors: np.ndarray,
    speakers: Sequence[str],
    classes: Sequence[str],
    costs: metrics.DetectionCosts,
) -> dict[str, Any]:
    """Return ``eer``, ``cavg`` and ``min_cavg`` as figures, with the ``costs`` of the latter two.

    ``targets (units,)`` are class indices, ``posteriors (units, classes)`` sum to 1. ``eer`` is the
    mean over classes of their rates, ``eers`` has that of each. ``det`` has rates of
    ``false_alarm``, and by class the ``miss`` at these: a figure whose value, low and high are
    lists, with None for an end where all resamples are alike. Classes that do not occur are neither
    detected nor asked for; where one alone occurs no figure has a value.
    """
    held, index = np.unique(targets, return_inverse=True)
    found: dict[str, Any] = {"cavg_costs": asdict(costs)}
    if len(held) < 2:
        nothing = {"value": None, "low": None, "high": None, "reason": ONE_CLASS}
        figures = ("eer", "cavg", "min_cavg")
        of_class = {classes[held[0]]: nothing}
        found |= dict.fromkeys(figures, nothing) | {"eers": of_class}
        return found | {"det": _det(of_class, classes)}
    names, scores = [classes[one] for one in held], metrics.detection_scores(posteriors)[:, held]
    resamples = Resamples(index, speakers, len(held))
    mean, most = np.full(len(held), 1 / len(held)), costs.miss + costs.false_alarm
    cost = ratios(speakers, index, metrics.detection_cost(index, scores, costs) / most, mean)
    bounds, few = scaled(of_proportions(cost), most), few_of_a_class(cost, names)
    least = metrics.least_cavg(index, scores, costs)
    drawn = None if few else resamples.least_cost(scores, costs)
    found |= {"cavg": told(bounds[0], bounds, few), "min_cavg": resampled(least, drawn, few, inf)}
    few_of = [few_speakers(one) for one in by_group(cost)]
    rates = _rates(index, scores, names, few_of, few, resamples)
    rates["det"] = _det(rates.pop("misses"), classes)
    return found | rates


def _rates(
    index: np.ndarray, scores: np.ndarray, names: Sequence[str], few_of: Sequence[str], few: str,
    resamples: Resamples,
) -> dict[str, Any]:  # fmt: skip
    """Return ``eer``, ``eers``, ``misses``; ``few_of`` and ``few`` say why there is no interval."""
    values: list[float] = []
    drawn: list[Any] = []
    eers, misses = {}, {}
    for number, (name, reason) in enumerate(zip(names, few_of, strict=True)):
        of_class = scores[:, number]
        curve = metrics.detection_curve(of_class, index == number)
        values.append(float(metrics.equal_error_rate(*curve)))
        again = None if reason else resamples.detection_errors(of_class, number)
        drawn.append(None if again is None else metrics.equal_error_rate(*again))
        eers[name] = resampled(values[-1], drawn[-1], reason)
        misses[name] = _misses(curve, again, reason)
    means = None if few else _means(np.array(drawn))
    eer = resampled(float(np.mean(values)), means, few)
    return {"eer": eer, "eers": eers, "misses": misses}


def _misses(
    curve: tuple[np.ndarray, np.ndarray], drawn: tuple[np.ndarray, np.ndarray] | None, reason: str
) -> Figure:
    """Return the misses at FALSE_ALARMS as one figure of lists.

    Their band is that of ``band_of_resamples``.
    """
    values = metrics.misses_at(FALSE_ALARMS, *curve)
    band = None
    if drawn is not None:
        band = band_of_resamples(values, metrics.misses_at(FALSE_ALARMS, *drawn))
    if band is None:
        nothing = {"low": None, "high": None, "reason": reason or ALIKE}
        return {"value": values.tolist()} | nothing
    return {"value": values.tolist(), "low": band[0], "high": band[1]}


def _det(misses: Mapping[str, Figure], classes: Sequence[str]) -> dict[str, Any]:
    miss = {name: misses.get(name, ABSENT) for name in classes}
    return {"false_alarm": FALSE_ALARMS.tolist(), "miss": miss}


def _means(rates: np.ndarray) -> np.ndarray:
    """Return the mean over the classes that were drawn: ``rates (classes, resamples)``, or NaN."""
    drawn = np.isfinite(rates)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(drawn, rates, 0).sum(0) / drawn.sum(0))
