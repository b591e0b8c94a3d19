"""Accuracy against the seconds of speech that are heard, offline."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from langid.corpora.splits import speaker_groups
from langid.errors import LangidError
from langid.evaluation.predictions import Predictions
from langid.evaluation.scoring import frame_accuracy


def by_seconds(
    seconds: Sequence[Any], predict: Callable[[Any], Predictions], whole: Predictions
) -> dict[str, Any]:
    """Return ``by_seconds``: the accuracy where of each clip so many seconds alone are heard.

    They are heard from the first speech on; a shorter clip counts with what it has. ``predict``
    returns the predictions of some seconds. Where they cannot be had, the list is empty and
    ``not_by_seconds`` says why. Raises LangidError for what are no seconds.
    """
    if whole.heard_s is not None:
        return {"by_seconds": [], "not_by_seconds": f"heard_s={whole.heard_s:g} of each alone"}
    rows: list[dict[str, Any]] = []
    for number in seconds:
        if isinstance(number, bool) or not isinstance(number, int | float) or not number > 0:
            raise LangidError(f"seconds={list(seconds)}: accepted are numbers above 0")
    for number in sorted(seconds):
        try:
            heard = predict(number)
        except LangidError as error:  # of features that have heard what follows
            return {"by_seconds": [], "not_by_seconds": str(error)}
        right = (heard.posteriors.argmax(1) == heard.targets).astype(float)
        speakers = speaker_groups(heard.table).tolist()
        accuracy = frame_accuracy(heard.targets, speakers, np.ones(len(right)), right)
        rows.append({"seconds": float(number), "accuracy": accuracy})
    return {"by_seconds": rows, "not_by_seconds": "" if rows else "seconds=[]"}
