"""Runs side by side: what differs between them, their figures, and paired differences."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from langid.corpora.splits import speaker_groups
from langid.evaluation.scoring import paired_difference
from langid.runs.finished import Run
from langid.training.run_record import choices

METRICS = ("balanced_accuracy", "accuracy")  # the first one ranks
OTHER_UTTERANCES = "other utterances"


def differing_choices(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """Return of each run the values of the keys in which the runs differ.

    A key that only follows from the class that is chosen beside it is left out: the kernel of a
    convolutional network does not tell anything that ``model.network._target_`` does not.
    """
    flat = pd.DataFrame([choices(run.record.config) for run in runs], dtype=object)
    flat["store"] = [f"{Path(r.record.store).stem} {r.record.fingerprint[:6]}" for r in runs]
    if any(run.record.init for run in runs):
        flat["init"] = [_start(run.record.init) for run in runs]
    shown = flat.map(lambda value: "-" if _is_nothing(value) else str(value))
    keys = [key for key in shown if shown[key].nunique() > 1 and not _follows(shown, str(key))]
    values = [
        {key.removesuffix("._target_"): _short(key, row[key]) for key in keys}
        for _, row in shown.iterrows()
    ]
    return values if keys else [{} for _ in runs]


def _start(init: dict[str, Any] | None) -> str | None:
    return f"{init['checkpoint']} {init['sha256'][:6]}" if init else None


def _is_nothing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and np.isnan(value))


def _short(key: str, value: str) -> str:
    return value.rpartition(".")[2] if key.endswith("_target_") else value


def _follows(shown: pd.DataFrame, key: str) -> bool:
    """Return whether a class above a key differs, and runs of the same class agree on the key."""
    parts = key.split(".")
    for depth in range(1, len(parts)):
        target = ".".join([*parts[:depth], "_target_"])
        if target == key or target not in shown or shown[target].nunique() == 1:
            continue
        if (shown.groupby(target)[key].nunique() == 1).all():
            return True
    return False


def compare_runs(runs: Sequence[Run], real_time_factors: Sequence[float | None]) -> pd.DataFrame:
    """Return a row per run, the best first.

    Columns: ``run``, the keys that differ, each metric with ``_low``, ``_high`` and ``_reason`` why
    there is no interval, ``clips``, ``speakers`` that are known, ``unknown_speakers`` (clips),
    ``parameters``, ``seconds`` of training (absent where a run was resumed, as the time before is
    not known), ``real_time_factor``, and ``difference`` in balanced accuracy from the best with
    ``difference_low``, ``difference_high`` and a ``note`` where there is none.
    """
    rows = []
    keys = differing_choices(runs)
    best = max(runs, key=lambda run: tuple(run.report[name]["value"] for name in METRICS))
    for run, chosen, factor in zip(runs, keys, real_time_factors, strict=True):
        row: dict[str, Any] = {"run": str(run.folder), **chosen}
        for name in METRICS:
            figure = run.report[name]
            row |= {name: figure["value"], f"{name}_low": figure["low"]}
            row |= {f"{name}_high": figure["high"], f"{name}_reason": figure.get("reason", "")}
        resumed = run.record.config["resume"]
        row |= {
            **{of: run.report[of] for of in ("clips", "speakers", "unknown_speakers")},
            "parameters": run.record.parameters,
            "seconds": None if resumed else run.record.seconds,
            "real_time_factor": factor,
        }
        rows.append(row | _difference(run, best))
    table = pd.DataFrame(rows)
    order = table.sort_values(list(METRICS), ascending=False, kind="stable").index
    return table.loc[order].reset_index(drop=True)


def _difference(run: Run, best: Run) -> dict[str, Any]:
    if run is best:
        return {"difference": None, "difference_low": None, "difference_high": None, "note": "best"}
    if not _same_utterances(run, best):
        nothing = dict.fromkeys(("difference", "difference_low", "difference_high"))
        return {**nothing, "note": OTHER_UTTERANCES}
    classes = best.record.classes
    figure = paired_difference(
        _numbers(best.table["class"], classes),
        _numbers(run.table["predicted"], classes),
        _numbers(best.table["predicted"], classes),
        speaker_groups(best.table).tolist(),
        classes,
    )[METRICS[0]]
    return {
        "difference": figure["value"],
        "difference_low": figure["low"],
        "difference_high": figure["high"],
        "note": figure.get("reason", ""),
    }


def _numbers(names: pd.Series, classes: list[str]) -> np.ndarray:
    numbers: np.ndarray = names.map(classes.index).to_numpy()
    return numbers


def _same_utterances(run: Run, best: Run) -> bool:
    """Return whether the rows of two runs stand for the same speech, in the same order."""
    columns = ["utterance_id", "class"]
    if not run.table[columns].equals(best.table[columns]):
        return False
    if run.report["scored"] == best.report["scored"] == "utterance":
        return True
    # Sequences have no names: they are the same where utterances were cut alike.
    cuts = [
        (of.record.split, of.record.silence, of.record.data["sequence_frames"])
        for of in (run, best)
    ]
    return cuts[0] == cuts[1]
