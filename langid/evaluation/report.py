"""What ``langid evaluate`` writes: report.json, confusion.png and predictions.tsv."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from langid.errors import LangidError
from langid.evaluation.metrics import score
from langid.training.confusion import draw_confusion
from langid.training.run_record import versions, write_record

SCHEMA = "langid-report-1"


def make_report(
    predictions: pd.DataFrame, classes: list[str], description: dict[str, Any], part: str
) -> dict[str, Any]:
    """Return the report of a part as plain data, from the table of ``predict_part``."""
    missing = [name for name in classes if name not in set(predictions["language"])]
    if missing:
        raise LangidError(
            f"the {part} part that is left has no utterance of {', '.join(missing)}, so nothing can"
            " be said of it; score a larger part"
        )
    targets = predictions["language"].map({name: i for i, name in enumerate(classes)}).to_numpy()
    posteriors = predictions[[f"p({name})" for name in classes]].to_numpy(dtype=float)
    return {
        "schema": SCHEMA,
        "part": part,
        **score(targets, posteriors, predictions["speaker"].tolist(), classes),
        "corpora": predictions["corpus"].value_counts().to_dict(),
        "score": "mean posterior over speech frames",
        "silence": description["silence"],
        "split": description["split"],
        "shared_with_training": description["split_summary"]["shared"],
        "seed": description["seed"],
        "fingerprint": description["fingerprint"],
        "trained_with": description["versions"],
        "versions": versions(),
    }


def write_report(report: dict[str, Any], predictions: pd.DataFrame, folder: Path) -> None:
    """Write the report, its confusion matrix as a picture, and the table of predictions."""
    folder.mkdir(parents=True, exist_ok=True)
    classes = list(report["classes"])
    title = f"{report['part']}: {report['clips']} clips, {report['speakers']} speakers"
    figure = draw_confusion(np.array(report["confusion"]), classes, title)
    figure.savefig(folder / "confusion.png", dpi=150)
    table = predictions.round({column: 6 for column in predictions if column.startswith("p(")})
    table.to_csv(folder / "predictions.tsv", sep="\t", index=False)
    write_record(folder / "report.json", report)  # last: a report that is there is complete
