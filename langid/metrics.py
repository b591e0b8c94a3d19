"""Figures of merit, each computed here alone: training's validation and every report have these.

Validation logs the point estimates; langid.evaluation.scoring sets intervals beside them.
"""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from langid.errors import LangidError

# What validation logs as val/NAME, and which end is the better one.
DIRECTIONS = {"loss": "min", "nll": "min", "accuracy": "max", "balanced_accuracy": "max",
              "macro_f1": "max", "frame_accuracy": "max"}  # fmt: skip

ACCEPTED = 0.95  # of what is known, where it is asked how much of what is not is accepted too
CALIBRATION_BINS = 15  # of equal width, as Guo et al. (ICML 2017) have them


@dataclass(frozen=True)
class DetectionCosts:
    """What NIST's language recognition evaluations set for Cavg.

    ``p_target`` is how probable it is beforehand that a class is the one asked for, ``c_miss`` and
    ``c_false_alarm`` what it costs to miss it and to hear it in another. Raises LangidError for
    what no cost can be made of.
    """

    p_target: float = 0.5
    c_miss: float = 1.0
    c_false_alarm: float = 1.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value, most = getattr(self, field.name), 1 if field.name == "p_target" else np.inf
            if isinstance(value, bool) or not isinstance(value, int | float):
                value = np.nan
            if not 0 < value < most:
                end = " below 1" if field.name == "p_target" else ""
                raise LangidError(
                    f"cavg.{field.name}={getattr(self, field.name)}: accepted are numbers above"
                    f" 0{end}"
                )

    @property
    def miss(self) -> float:
        """The weight of a share of missed units."""
        return self.p_target * self.c_miss

    @property
    def false_alarm(self) -> float:
        """The weight of a share of false alarms."""
        return (1 - self.p_target) * self.c_false_alarm

    @property
    def threshold(self) -> float:
        """The log likelihood ratio from which on a class is detected, as Bayes has it."""
        return float(np.log(self.false_alarm / self.miss))


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
    """Return the share of ``frames (units,)`` of speech whose most likely class is right.

    NaN where there is no speech.
    """
    return float(right_frames.sum() / frames.sum()) if frames.any() else float("nan")


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


def brier(targets: np.ndarray, posteriors: np.ndarray) -> np.ndarray:
    """Return the squared distance of each unit's posteriors from the truth, 0 to 2, ``(units,)``.

    Their mean is the Brier score as Brier (1950) has it, over all classes.
    """
    of_target = posteriors[np.arange(len(targets)), targets]
    return np.asarray((posteriors**2).sum(1) - 2 * of_target + 1)


def calibration_bin(confidence: np.ndarray) -> np.ndarray:
    """Return in which of CALIBRATION_BINS each ``confidence (units,)`` lies."""
    return np.asarray(confidence * CALIBRATION_BINS).astype(int).clip(0, CALIBRATION_BINS - 1)


def calibration_error(right: np.ndarray, confidence: np.ndarray, count: np.ndarray) -> np.ndarray:
    """Return the expected calibration error of sums over the units of each bin, ``(bins, ...)``.

    They are of what is right, of the posterior of what is said, and of units.
    """
    return np.asarray(np.abs(right - confidence).sum(0) / count.sum(0))


def detection_scores(posteriors: np.ndarray) -> np.ndarray:
    """Return the log likelihood ratio of each class against all others, ``(units, classes)``.

    Classes are taken to be equally probable in what ``posteriors (units, classes)`` stand on, as
    they are where training weighs them so.
    """
    ratio = np.clip(posteriors, 1e-12, None) / np.clip(1 - posteriors, 1e-12, None)
    return np.asarray(np.log(ratio * max(posteriors.shape[1] - 1, 1)))


def detection_errors(own: np.ndarray, others: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the shares of misses and of false alarms as a threshold rises.

    Both are ``(bins + 1, ...)``. ``own (bins, ...)`` counts units of the class whose score is in a
    bin, ``others (bins, ...)`` those of no such class; the higher a bin, the more they sound like
    it.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        miss, rejected = (
            np.concatenate([0 * of[:1], of.cumsum(0)]) / of.sum(0) for of in (own, others)
        )
    return miss, 1 - rejected


def detection_curve(scores: np.ndarray, own: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return ``detection_errors`` at every threshold that tells ``scores (units,)`` apart.

    ``own (units,) bool`` are the units of the class.
    """
    return detection_errors(*(_sums(scores, some.astype(float)) for some in (own, ~own)))


def area_under_curve(miss: np.ndarray, false_alarm: np.ndarray) -> np.ndarray:
    """Return the area under the receiver's curve of ``detection_errors``: 0.5 is chance."""
    return np.asarray(-np.trapezoid(1 - miss, false_alarm, axis=0))


def false_acceptance(miss: np.ndarray, false_alarm: np.ndarray) -> np.ndarray:
    """Return the false alarms at the highest threshold that ACCEPTED of the class reach."""
    last = (miss <= 1 - ACCEPTED + 1e-9).sum(0) - 1
    return np.asarray(np.take_along_axis(false_alarm, np.maximum(last, 0)[None], 0)[0])


def _sums(scores: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the sum of ``weights`` at each of the ``scores`` that there are, in rising order."""
    return np.bincount(np.unique(scores, return_inverse=True)[1], weights)


def equal_error_rate(miss: np.ndarray, false_alarm: np.ndarray) -> np.ndarray:
    """Return the rate at which ``detection_errors`` are equal, between thresholds a straight line.

    NaN where there is no unit of the class, or no other.
    """
    above = miss - false_alarm
    second = np.maximum((above >= 0).argmax(0), 1)[None]
    ends = [np.take_along_axis(of, second + step, 0)[0] for of in (above, miss) for step in (-1, 0)]
    before, after, low, high = ends
    with np.errstate(invalid="ignore"):
        return np.asarray(low + (high - low) * before / (before - after))


def misses_at(rates: np.ndarray, miss: np.ndarray, false_alarm: np.ndarray) -> np.ndarray:
    """Return the misses of ``detection_errors`` at ``rates`` of false alarms, ``(rates, ...)``.

    Between thresholds they lie on a straight line, and where several are at one rate they are the
    fewest (Fawcett, Pattern Recognition Letters 27, 2006, algorithm 3). NaN where there is no unit
    of the class, or no other.
    """
    misses, alarms = (
        np.ascontiguousarray(of[::-1].reshape(len(of), -1).T)
        for of in (miss + 0 * false_alarm, false_alarm)  # NaN where either is
    )
    found = [np.interp(rates, *curve) for curve in zip(alarms, misses, strict=True)]
    return np.transpose(found).reshape(len(rates), *miss.shape[1:])


def detection_cost(targets: np.ndarray, scores: np.ndarray, costs: DetectionCosts) -> np.ndarray:
    """Return what each unit costs at the threshold of ``costs``, ``(units,)``.

    ``targets (units,)`` are class indices, ``scores (units, classes)`` those of
    ``detection_scores``, of two classes or more. NIST's Cavg is the mean over classes of their
    units' mean cost.
    """
    detected = scores >= costs.threshold
    own = detected[np.arange(len(targets)), targets]
    false_alarms = (detected.sum(1) - own) / (scores.shape[1] - 1)
    return np.asarray(costs.miss * ~own + costs.false_alarm * false_alarms)


def cavg_by_threshold(trials: np.ndarray, costs: DetectionCosts) -> np.ndarray:
    """Return Cavg as one threshold for all classes rises, ``(bins + 1, ...)``.

    ``trials (bins, ...)`` sums in each bin of scores what rejecting it adds to Cavg: the weight of
    its units of the class that is asked for, less that of the others; with nothing rejected Cavg is
    the weight of a false alarm.
    """
    return costs.false_alarm + np.concatenate([0 * trials[:1], trials.cumsum(0)])


def least_cavg(targets: np.ndarray, scores: np.ndarray, costs: DetectionCosts) -> float:
    """Return Cavg at the one threshold for all classes that makes it lowest.

    ``targets (units,)`` are class indices, all of which occur; ``scores (units, classes)`` are
    those of ``detection_scores``.
    """
    classes = scores.shape[1]
    own = targets[:, None] == np.arange(classes)
    weights = np.where(own, costs.miss, -costs.false_alarm / (classes - 1))
    weights /= classes * np.bincount(targets, minlength=classes)[targets, None]
    trials = _sums(scores.ravel(), weights.ravel())
    return float(cavg_by_threshold(trials, costs).min())
