"""Figures of merit of utterance posteriors, with intervals from a bootstrap over speakers."""

from collections.abc import Sequence
from typing import Any

import numpy as np

RESAMPLES = 2000
LEVEL = 0.95


def of_confusion(confusion: np.ndarray) -> dict[str, np.ndarray]:
    """Return metrics of confusion matrices ``(..., true, predicted)``.

    ``accuracy``, ``balanced_accuracy`` (mean recall over classes that occur) and ``macro_f1`` have
    the leading axes; ``precision``, ``recall``, ``f1`` and ``support`` one value per class. A
    precision without predictions is 0, a recall of a class that does not occur is NaN.
    """
    right = np.diagonal(confusion, axis1=-2, axis2=-1).astype(float)
    support = confusion.sum(-1)
    predicted = confusion.sum(-2)
    with np.errstate(invalid="ignore", divide="ignore"):
        recall = np.where(support > 0, right / support, np.nan)
        precision = np.where(predicted > 0, right / predicted, 0.0)
        f1 = np.where(support > 0, 2 * right / (support + predicted), np.nan)
        accuracy = right.sum(-1) / confusion.sum((-2, -1))
    return {
        "accuracy": accuracy,
        "balanced_accuracy": np.nanmean(recall, -1),
        "macro_f1": np.nanmean(f1, -1),
        "precision": precision,
        "recall": recall,
        "f1": f1,
        "support": support,
    }


def score(
    targets: np.ndarray,
    posteriors: np.ndarray,
    speakers: Sequence[str],
    classes: Sequence[str],
    seed: int = 0,
) -> dict[str, Any]:
    """Return all figures of a part as plain data, each with a 95 % interval.

    ``targets (utterances,)`` are class indices, ``posteriors (utterances, classes)`` sum to 1, and
    ``speakers`` are the units that the bootstrap draws, with replacement, within each class
    (Efron & Tibshirani 1993, percentile intervals). ``nll`` is in nats per utterance.
    """
    count = len(classes)
    unit, language = _units(speakers, targets)
    cells = targets * count + posteriors.argmax(1)
    per_unit = _confusion_per_unit(unit, len(language), cells, count)
    nll = -np.log(np.clip(posteriors[np.arange(len(targets)), targets], 1e-12, None))
    nll_per_unit = np.bincount(unit, nll, minlength=len(language))

    drawn = _draw(language, seed)
    resampled = (drawn @ per_unit).reshape(-1, count, count)
    confusion = per_unit.sum(0).reshape(count, count)
    values, spread = of_confusion(confusion), of_confusion(resampled)
    values["nll"] = nll.mean()
    spread["nll"] = (drawn @ nll_per_unit) / resampled.sum((1, 2))

    overall = ("accuracy", "balanced_accuracy", "macro_f1", "nll")
    report: dict[str, Any] = {name: _with_interval(values[name], spread[name]) for name in overall}
    report["classes"] = {
        name: {
            metric: _with_interval(values[metric][index], spread[metric][:, index])
            for metric in ("precision", "recall", "f1")
        }
        | {"support": int(values["support"][index])}
        for index, name in enumerate(classes)
    }
    report["confusion"] = confusion.astype(int).tolist()
    report["support"] = len(targets)
    report["interval"] = f"95 %, bootstrap over speakers within classes, {RESAMPLES} resamples"
    return report


def frame_accuracy(
    targets: np.ndarray,
    speakers: Sequence[str],
    frames: np.ndarray,
    right_frames: np.ndarray,
    seed: int = 0,
) -> dict[str, float]:
    """Return the share of speech frames whose most likely class is right, with its interval.

    ``frames (utterances,)`` count speech frames, ``right_frames (utterances,)`` those that are
    right; speakers are drawn as ``score`` draws them.
    """
    unit, language = _units(speakers, targets)
    heard, right = (np.bincount(unit, counts) for counts in (frames, right_frames))
    drawn = _draw(language, seed)
    return _with_interval(right.sum() / heard.sum(), (drawn @ right) / (drawn @ heard))


def share_right(
    targets: np.ndarray, speakers: Sequence[str], right: np.ndarray, seed: int = 0
) -> dict[str, float]:
    """Return the share of ``right (utterances,) bool``, with its interval.

    Speakers are drawn as ``score`` draws them; an utterance may be there several times.
    """
    return frame_accuracy(targets, speakers, np.ones(len(right)), np.asarray(right, float), seed)


def paired_difference(
    targets: np.ndarray,
    predicted: np.ndarray,
    reference: np.ndarray,
    speakers: Sequence[str],
    classes: int,
    seed: int = 0,
) -> dict[str, dict[str, float]]:
    """Return how much more often ``predicted`` is right than ``reference``, with 95 % intervals.

    All three are class indices ``(utterances,)``. Each resample scores both on the same speakers,
    drawn as ``score`` draws them (paired bootstrap, Bisani & Ney 2004), so that what makes the
    utterances easy or hard for both does not widen the interval.
    """
    unit, language = _units(speakers, targets)
    drawn = _draw(language, seed)
    values, spreads = [], []
    for answers in (predicted, reference):
        per_unit = _confusion_per_unit(unit, len(language), targets * classes + answers, classes)
        values.append(of_confusion(per_unit.sum(0).reshape(classes, classes)))
        spreads.append(of_confusion((drawn @ per_unit).reshape(-1, classes, classes)))
    return {
        name: _with_interval(values[0][name] - values[1][name], spreads[0][name] - spreads[1][name])
        for name in ("accuracy", "balanced_accuracy")
    }


def _confusion_per_unit(
    unit: np.ndarray, units: int, cells: np.ndarray, classes: int
) -> np.ndarray:
    """Return the confusion matrix of each unit, flat: ``(units, classes * classes)``."""
    per_unit = np.zeros((units, classes * classes))
    np.add.at(per_unit, (unit, cells), 1)
    return per_unit


def _units(speakers: Sequence[str], targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return each utterance's speaker as a number, and each speaker's main class."""
    _, unit = np.unique(np.asarray(speakers, dtype=str), return_inverse=True)
    counts = np.zeros((unit.max() + 1, targets.max() + 1))
    np.add.at(counts, (unit, targets), 1)
    return unit, counts.argmax(1)


def _draw(language: np.ndarray, seed: int) -> np.ndarray:
    """Return how often each speaker is drawn, ``(resamples, speakers)``."""
    generator = np.random.default_rng(seed)
    drawn = np.zeros((RESAMPLES, len(language)))
    for index in np.unique(language):
        members = np.flatnonzero(language == index)
        shares = np.full(len(members), 1 / len(members))
        drawn[:, members] = generator.multinomial(len(members), shares, size=RESAMPLES)
    return drawn


def _with_interval(value: Any, spread: np.ndarray) -> dict[str, float]:
    tail = (1 - LEVEL) / 2
    finite = spread[np.isfinite(spread)]
    low, high = np.quantile(finite, [tail, 1 - tail]) if len(finite) else (np.nan, np.nan)
    return {"value": float(value), "low": float(low), "high": float(high)}
