"""What ``langid evaluate`` writes: report.json, confusion.png and predictions.tsv."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from langid.errors import LangidError
from langid.evaluation.metrics import frame_accuracy, score
from langid.evaluation.predictions import Predictions
from langid.evaluation.threshold import thresholds
from langid.training.confusion import draw_confusion
from langid.training.run_record import versions, write_record

SCHEMA = "langid-report-1"


def make_report(predictions: Predictions, part: str) -> dict[str, Any]:
    """Return the report of a part as plain data.

    ``clips`` counts utterances; ``scored`` and ``support`` count the units that are scored, which
    are sequences of utterances under a split that cuts them. ``left_out`` counts what the whole
    store holds without one of the task's classes. Of the validation part alone there are
    ``thresholds`` too: chosen on the test part they would flatter it.
    """
    table, classes, column = predictions.table, predictions.classes, predictions.column
    missing = [name for name in classes if name not in set(table[column])]
    if missing:
        raise LangidError(
            f"the {part} part that is left has no utterance of {', '.join(missing)}, so nothing can"
            " be said of it; score a larger part"
        )
    targets = table[column].map(classes.index).to_numpy()
    posteriors = table[[f"p({name})" for name in classes]].to_numpy(dtype=float)
    speakers = table["speaker"].tolist()
    figures = score(targets, posteriors, speakers, classes)
    frames = (table[name].to_numpy() for name in ("frames", "right_frames"))
    figures["frame_accuracy"] = frame_accuracy(targets, speakers, *frames)
    for name, group in table.groupby(column):
        clips, speakers = group["utterance_id"].nunique(), group["speaker"].nunique()
        figures["classes"][name] |= {"clips": int(clips), "speakers": int(speakers)}
    if part == "validation":
        figures["thresholds"] = thresholds(targets, posteriors)
    return {
        "schema": SCHEMA,
        "part": part,
        "task": predictions.column,
        **figures,
        "clips": int(table["utterance_id"].nunique()),
        "speakers": int(table["speaker"].nunique()),
        "scored": predictions.unit,
        "corpora": table["corpus"].value_counts().to_dict(),
        "left_out": predictions.left_out,
        "score": f"mean posterior over the speech frames of each {predictions.unit}",
        **_training(predictions, part),
        "fingerprint": predictions.fingerprint,
        "versions": versions(),
    }


def _training(predictions: Predictions, part: str) -> dict[str, Any]:
    """Return what is known of the training, one entry per checkpoint where they differ.

    ``shared_with_training`` is summed over the folds, and null where the part is not held
    out.
    """
    descriptions = predictions.descriptions
    shared: dict[str, int] | None = None
    if part in ("test", "validation"):
        counts = [description["split_summary"]["shared"] for description in descriptions]
        if all(description["split"] == descriptions[0]["split"] for description in descriptions):
            counts = counts[:1]  # an ensemble: all of them heard the same parts
        shared = {name: sum(count[name] for count in counts) for name in counts[0]}

    def told(key: str) -> Any:
        values = [description[key] for description in descriptions]
        return values[0] if all(value == values[0] for value in values) else values

    return {
        "silence": told("silence"),
        "split": told("split"),
        "shared_with_training": shared,
        "seed": told("seed"),
        "trained_on": told("fingerprint"),
        "trained_with": told("versions"),
    }


def write_report(report: dict[str, Any], table: pd.DataFrame, folder: Path) -> None:
    """Write the report, its confusion matrix as a picture, and the table of predictions."""
    classes = list(report["classes"])
    title = f"{report['part']}: {report['clips']} clips, {report['speakers']} speakers"
    figure = draw_confusion(np.array(report["confusion"]), classes, title)
    figure.savefig(folder / "confusion.png", dpi=150)
    rounded = table.round({f"p({name})": 6 for name in classes})
    rounded.to_csv(folder / "predictions.tsv", sep="\t", index=False)
    write_record(folder / "report.json", report)  # last: a report that is there is complete
