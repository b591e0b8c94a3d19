"""How well languages that were never trained on are told from those that were."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from langid import metrics
from langid.corpora.part_counts import clips_and_speakers
from langid.corpora.splits import speaker_groups
from langid.evaluation.checkpoints import UNKNOWN
from langid.evaluation.intervals import MIN_SPEAKERS
from langid.evaluation.predictions import Predictions
from langid.evaluation.resampling import Resamples
from langid.evaluation.scoring import Figure, frame_accuracy, resampled
from langid.evaluation.threshold import may_be_answered

KNOWN = 1
NEVER = -1.0  # the score of what no threshold answers
EDGES = np.linspace(0, 1, 21)  # of the histograms of scores


def open_set(
    predictions: Predictions,
    unknown: pd.DataFrame,
    store: Path,
    chosen_on: Predictions | None = None,
) -> dict[str, Any]:
    """Return ``auroc`` and ``false_acceptance`` as figures, and of what ``clips`` they are.

    The score of an utterance is its highest posterior, as ``unknown_below`` has it, but for that of
    a class ``unknown`` that was made of yet other languages (``task.merge``). ``auroc`` is
    how often a known utterance has a higher one than an ``unknown`` one; ``false_acceptance`` the
    share of the unknown ones that are answered where ACCEPTED of the known ones are. ``histogram``
    counts the scores of both between its ``edges``. ``threshold`` is ``unknown_below``, by which
    ACCEPTED of the known utterances of ``chosen_on``, the validation part, are ``answered`` (or as
    many as can be), and the shares of the known and the unknown ones that are answered by it, as
    figures; None without that part. Answered is what ``langid predict`` answers: where there is
    speech, the class ``unknown`` is not the most likely one, and the score reaches the threshold.
    """
    tables = [unknown, _known(predictions)]
    each = [_scores(table, predictions.classes) for table in tables]
    scores = np.concatenate(each)
    speakers = np.concatenate([speaker_groups(table) for table in tables])
    known = np.repeat([0, KNOWN], [len(table) for table in tables])
    errors = metrics.detection_curve(scores, known == KNOWN)
    few = _few(known, speakers)
    drawn = None if few else Resamples(known, speakers.tolist(), 2).detection_errors(scores, KNOWN)
    heard = unknown.drop_duplicates("utterance_id")  # by one checkpoint, or by several
    return {
        "store": str(store),
        **clips_and_speakers(heard),
        "labels": heard["label"].value_counts().to_dict(),
        "auroc": _figure(metrics.area_under_curve, errors, drawn, few),
        "false_acceptance": _figure(metrics.false_acceptance, errors, drawn, few),
        "accepted": metrics.ACCEPTED,
        "histogram": {
            "edges": EDGES.tolist(),
            **{
                name: np.histogram(own, EDGES)[0].tolist()
                for name, own in zip(("unknown", "known"), each, strict=True)
            },
        },
        "threshold": None if chosen_on is None else _threshold(chosen_on, tables),
    }


def _known(predictions: Predictions) -> pd.DataFrame:
    table = predictions.table
    return table[table[predictions.column] != UNKNOWN]


def _scores(table: pd.DataFrame, classes: Sequence[str]) -> np.ndarray:
    columns = [f"p({name})" for name in classes if name != UNKNOWN]
    return np.asarray(table[columns].to_numpy(float).max(1))


def _threshold(chosen_on: Predictions, tables: Sequence[pd.DataFrame]) -> dict[str, Any]:
    """Return the threshold that validation chooses, and the shares that it answers."""
    validation, *tested = (
        np.where(may_be_answered(table), _scores(table, chosen_on.classes), NEVER)
        for table in (_known(chosen_on), *tables)
    )
    chosen = np.sort(validation)[int((1 - metrics.ACCEPTED) * len(validation) + 1e-9)]
    below = max(float(chosen), 0.0)
    answered = [
        frame_accuracy(
            np.zeros(len(own), int), speaker_groups(table).tolist(), np.ones(len(own)),
            (own >= below).astype(float),
        )
        for table, own in zip(tables, tested, strict=True)
    ]  # fmt: skip
    return {
        "unknown_below": below,
        "answered": float((validation >= below).mean()),
        "unknown": answered[0],
        "known": answered[1],
    }


def _figure(of: Any, errors: Any, drawn: Any, few: str) -> Figure:
    return resampled(float(of(*errors)), None if drawn is None else of(*drawn), few)


def _few(known: np.ndarray, speakers: np.ndarray) -> str:
    """Return why there is no interval, or nothing."""
    told: Sequence[str] = ("unknown", "known")
    for number, name in enumerate(told):
        count = len(set(speakers[known == number]))
        if count < MIN_SPEAKERS:
            return f"{name}: {count} speaker{'s' * (count != 1)}"
    return ""
