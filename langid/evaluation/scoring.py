"""Figures of merit of utterance posteriors, with intervals between speakers.

A figure is ``{value, low, high}``. With fewer than five speakers in all there is no interval, nor
of a class with fewer, nor of a mean over classes (balanced accuracy, macro F1) to which such a
class belongs: ``low`` and ``high`` are None, and ``reason`` says why. Where nobody knows who
speaks a recording stands for a speaker (see langid.corpora.splits.speaker_groups).
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from langid import metrics
from langid.evaluation.intervals import (
    MIN_SPEAKERS,
    Bounds,
    Ratios,
    by_group,
    of_differences,
    of_means,
    of_proportions,
    ratios,
)
from langid.evaluation.resampling import RESAMPLES, of_resamples

INTERVAL = (
    f"95 %, between speakers: of ece, eer, det and min_cavg a bootstrap of {RESAMPLES} resamples of"
    " speakers, of nll Student's of its logarithm, of all others Wilson's of as many answers as"
    f" their clips count; none below {MIN_SPEAKERS} speakers; a recording stands for an unknown"
    " speaker"
)
ALIKE = "the same in all resamples of speakers"
Figure = dict[str, Any]
ABSENT: Figure = {"value": None, "low": None, "high": None, "reason": "does not occur"}


def score(
    targets: np.ndarray, posteriors: np.ndarray, speakers: Sequence[str], classes: Sequence[str]
) -> dict[str, Any]:
    """Return all figures of ``metrics.of_posteriors`` as plain data, each with a 95 % interval.

    ``targets (units,)`` are class indices, ``posteriors (units, classes)`` sum to 1, ``speakers
    (units,)`` say who speaks. Of a class that does not occur recall and F1 are None.
    """
    predicted = posteriors.argmax(1)
    values = metrics.of_posteriors(targets, posteriors)
    right = (predicted == targets).astype(float)
    mean = _mean(values["support"])
    recall, precision = (ratios(speakers, of, right, mean) for of in (targets, predicted))
    # A clip counts half as what it is and half as what it is taken for: 2 right / (true + taken).
    both, halves = np.concatenate([targets, predicted]), np.full(2 * len(targets), 0.5)
    f1 = ratios(np.tile(speakers, 2), both, np.tile(right / 2, 2), mean, halves)
    few, few_of_one = few_speakers(recall), few_of_a_class(recall, classes)
    surprise = metrics.surprise(targets, posteriors)
    nll = ratios(speakers, targets, surprise, values["support"] / len(targets))
    bounds = {
        **_of_right(recall, values["support"], classes),
        "macro_f1": (of_proportions(f1), few_of_one),
        "nll": (of_means(nll), few),
    }
    of_classes = {"precision": precision, "recall": recall, "f1": f1}
    return {
        **{name: told(values[name], *of) for name, of in bounds.items()},
        "classes": _by_class(of_classes, values, classes),
        "confusion": values["confusion"].tolist(),
        "support": len(targets),
        "interval": INTERVAL,
    }


def score_right(
    targets: np.ndarray, right: np.ndarray, speakers: Sequence[str], classes: Sequence[str]
) -> dict[str, Figure]:
    """Return accuracy and balanced accuracy, with their intervals, of what is right.

    ``right (units,)`` may lie between 0 and 1: the share of several systems that are right.
    """
    support = np.bincount(targets, minlength=len(classes))
    recall = ratios(speakers, targets, right.astype(float), _mean(support))
    bounds = _of_right(recall, support, classes)
    return {name: told(of[0], of, reason) for name, (of, reason) in bounds.items()}


def frame_accuracy(
    targets: np.ndarray, speakers: Sequence[str], frames: np.ndarray, right_frames: np.ndarray
) -> Figure:
    """Return the share of speech frames whose most likely class is right, with its interval.

    ``frames (utterances,)`` count speech frames, ``right_frames (utterances,)`` those that are
    right. An utterance may be there several times. Without any speech there is no such share.
    """
    if not frames.any():
        return ABSENT | {"reason": "no frame of speech"}
    weight = np.bincount(targets, frames) / frames.sum()
    right = ratios(speakers, targets, right_frames, weight, frames)
    value = metrics.frame_accuracy(frames, right_frames)
    return told(value, of_proportions(right), few_speakers(right))


def paired_difference(
    targets: np.ndarray,
    predicted: np.ndarray,
    reference: np.ndarray,
    speakers: Sequence[str],
    classes: Sequence[str],
) -> dict[str, Figure]:
    """Return how much more often ``predicted`` is right than ``reference``, with 95 % intervals.

    All three are class indices ``(utterances,)``. Only utterances that one of them alone has right
    count, so that what makes utterances easy or hard for both does not widen the interval.
    """
    return difference_of_right(
        targets, predicted == targets, reference == targets, speakers, classes
    )


def difference_of_right(
    targets: np.ndarray,
    ours: np.ndarray,
    theirs: np.ndarray,
    speakers: Sequence[str],
    classes: Sequence[str],
) -> dict[str, Figure]:
    """Return what ``paired_difference`` does, of what is right, as ``score_right`` has it."""
    support = np.bincount(targets, minlength=len(classes))
    gain = ours.astype(float) - theirs
    better, worse = (
        ratios(speakers, targets, part.clip(min=0), _mean(support)) for part in (gain, -gain)
    )
    by_clips = (replace(part, weight=support / len(targets)) for part in (better, worse))
    bounds = {
        "accuracy": (of_differences(*by_clips), few_speakers(better)),
        "balanced_accuracy": (of_differences(better, worse), few_of_a_class(better, classes)),
    }
    return {name: told(of[0], of, reason) for name, (of, reason) in bounds.items()}


def _mean(support: np.ndarray) -> np.ndarray:
    """Return the weights of a mean over the classes that occur."""
    there = support > 0
    return np.asarray(there / there.sum())


def _of_right(
    recall: Ratios, support: np.ndarray, classes: Sequence[str]
) -> dict[str, tuple[Bounds, str]]:
    """Return accuracy and balanced accuracy, each with why there is no interval, or nothing."""
    by_clips = replace(recall, weight=support / support.sum())
    return {
        "accuracy": (of_proportions(by_clips), few_speakers(recall)),
        "balanced_accuracy": (of_proportions(recall), few_of_a_class(recall, classes)),
    }


def _by_class(
    of: Mapping[str, Ratios], values: Mapping[str, np.ndarray], classes: Sequence[str]
) -> dict[str, Any]:
    """Return the figures of each class; a precision needs speakers that were taken for it, too."""
    of_classes = {metric: by_group(some) for metric, some in of.items()}
    found: dict[str, Any] = {}
    for index, name in enumerate(classes):
        found[name] = {"support": int(values["support"][index])}
        few = few_speakers(of_classes["recall"][index])
        for metric, figures in of_classes.items():
            figure, reason = figures[index], few
            if metric == "precision" and not few and figure.units() < MIN_SPEAKERS:
                reason = f"{figure.units()} speakers taken for it"
            found[name][metric] = told(values[metric][index], of_proportions(figure), reason)
    return found


def few_speakers(of: Ratios) -> str:
    """Return why there is no interval, or nothing."""
    speakers = of.units()
    return f"{speakers} speaker{'s' * (speakers != 1)}" if speakers < MIN_SPEAKERS else ""


def few_of_a_class(of: Ratios, classes: Sequence[str]) -> str:
    """Return for which class there is no interval and why, or nothing."""
    held = {name: one for name, one in zip(classes, by_group(of), strict=True) if one.units()}
    few = [f"{name}: {few_speakers(one)}" for name, one in held.items() if few_speakers(one)]
    first, *others = few or [""]
    more = f", and {len(others)} more class{'es' * (len(others) > 1)} below {MIN_SPEAKERS}"
    return first + more * bool(others)


def told(value: Any, bounds: Bounds, reason: str) -> Figure:
    """Return a figure as plain data; one that is not a number is of a class that is not there."""
    there = np.isfinite(value)
    if reason or not there:
        return ABSENT | ({"value": float(value), "reason": reason} if there else {})
    value, (_, low, high) = float(value), bounds
    return {"value": value, "low": min(low, value), "high": max(high, value)}


def scaled(bounds: Bounds, factor: float) -> Bounds:
    """Return a figure and its interval so many times as large."""
    value, low, high = bounds
    return value * factor, low * factor, high * factor


def resampled(value: float, drawn: np.ndarray | None, reason: str, most: float = 1.0) -> Figure:
    """Return a figure with the interval of what resamples have ``drawn``; ``reason`` as in told.

    It lies between 0 and ``most``.
    """
    bounds = None if drawn is None else of_resamples(value, drawn, most)
    return told(value, bounds or (value, value, value), reason if bounds else reason or ALIKE)
