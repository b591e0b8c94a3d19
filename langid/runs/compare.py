"""Runs side by side: what differs between them, their figures, and paired differences."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from langid.atomic_file import write_text
from langid.corpora.splits import speaker_groups
from langid.errors import LangidError
from langid.evaluation.paired_tests import holm, mcnemar, speaker_flips
from langid.evaluation.scoring import paired_difference
from langid.plots import draw_comparison, save_figure
from langid.runs.finished import Run, check_classes, score_run
from langid.training.run_record import choices

METRICS = ("balanced_accuracy", "accuracy")  # the first one ranks
PARTS = ("validation", "test")
OTHER_UTTERANCES = "other utterances"


def score_and_compare(
    folders: Sequence[Path],
    part: str,
    store: Path | None,
    workers: int,
    speed_of: Callable[[Path], float | None],
) -> pd.DataFrame:
    """Score finished runs on a part, and return them as ``compare_runs`` does.

    ``speed_of`` returns the real-time factor of a checkpoint. Raises LangidError where runs cannot
    be compared.
    """
    if part not in PARTS:
        raise LangidError(f"part={part}: accepted are {', '.join(PARTS)}")
    check_classes(folders)
    runs = [score_run(folder, part, store, workers) for folder in folders]
    return compare_runs(runs, [speed_of(run.checkpoint) for run in runs])


def write_comparison(table: pd.DataFrame, output: Path, title: str) -> None:
    """Write compare.csv and compare.png into a folder."""
    figures = {
        name.replace("_", " "): table[[name, f"{name}_low", f"{name}_high"]].to_numpy(float).T
        for name in METRICS
    }
    save_figure(draw_comparison(figures, _labels(table), title), output / "compare.png")
    write_text(output / "compare.csv", table.to_csv(index=False))


def compared_keys(table: pd.DataFrame) -> list[str]:
    """Return the columns of the keys that differ."""
    columns = list(table.columns)
    return columns[1 : columns.index(METRICS[0])]


def _labels(table: pd.DataFrame) -> list[str]:
    """Return a short name for each run: what sets it apart, or its folder."""
    keys = compared_keys(table)
    named = [", ".join(map(str, row)) for row in table[keys].to_numpy()]
    if len(set(named)) == len(named) and all(named):
        return named
    return [str(Path(run).name) for run in table["run"]]


def differing_choices(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """Return of each run the values of the keys in which the runs differ.

    A key that only follows from the class that is chosen beside it is left out: the kernel of a
    convolutional network does not tell anything that ``model.network._target_`` does not.
    """
    flat = pd.DataFrame([choices(run.record.config) for run in runs], dtype=object)
    flat["store"] = [f"{Path(r.record.store).stem} {r.record.fingerprint[:6]}" for r in runs]
    for key in ("init", "teacher"):
        held = [getattr(run.record, key) for run in runs]
        if any(held):
            flat[key] = [of and f"{of['checkpoint']} {of['sha256'][:6]}" for of in held]
    shown = flat.where(flat.notna(), "-").map(str)
    keys = [key for key in shown if shown[key].nunique() > 1 and not _follows(shown, str(key))]
    for key in keys:
        if key.endswith("_target_"):
            shown[key] = shown[key].str.rpartition(".")[2]
    short = [key.removesuffix("._target_") for key in keys]
    return [dict(zip(short, row, strict=True)) for row in shown[keys].to_numpy()]


def _follows(shown: pd.DataFrame, key: str) -> bool:
    """Return whether a class above a key differs, and runs of the same class agree on the key."""
    parts = key.split(".")
    targets = {".".join([*parts[:depth], "_target_"]) for depth in range(1, len(parts))} - {key}
    return any(
        shown[target].nunique() > 1 and (shown.groupby(target)[key].nunique() == 1).all()
        for target in targets & set(shown)
    )


def compare_runs(runs: Sequence[Run], real_time_factors: Sequence[float | None]) -> pd.DataFrame:
    """Return a row per run, the best first.

    Columns: ``run``, the keys that differ, each metric with ``_low``, ``_high`` and ``_reason`` why
    there is no interval, ``clips``, ``speakers`` that are known, ``unknown_speakers`` (clips),
    ``parameters``, ``seconds`` of training (absent where a run was resumed, as the time before is
    not known), ``real_time_factor``, and ``difference`` in balanced accuracy from the best with
    ``difference_low``, ``difference_high`` and a ``note`` where there is none. ``p`` is how
    probable a difference as large would be by chance (``speaker_flips``), ``p_corrected`` that of
    all runs together (``holm``), ``p_mcnemar`` that of clips as if they were independent.
    """
    rows = []
    keys = differing_choices(runs)
    best = max(runs, key=lambda run: tuple(run.report[name]["value"] for name in METRICS))
    for run, chosen, factor in zip(runs, keys, real_time_factors, strict=True):
        row: dict[str, Any] = {"run": str(run.folder), **chosen}
        for name in METRICS:
            row |= _columns(name, run.report[name], f"{name}_reason")
        resumed = run.record.config["resume"]
        row |= {
            **{of: run.report[of] for of in ("clips", "speakers", "unknown_speakers")},
            "parameters": run.record.parameters,
            "seconds": None if resumed else run.record.seconds,
            "real_time_factor": factor,
        }
        rows.append(row | _columns("difference", _difference(run, best), "note"))
    table = pd.DataFrame(rows)
    table[["p", "p_mcnemar"]] = [_chances(run, best) for run in runs]
    tested = table["p"].notna()
    table.loc[tested, "p_corrected"] = holm(table.loc[tested, "p"])
    order = table.sort_values(list(METRICS), ascending=False, kind="stable").index
    return table.loc[order].reset_index(drop=True)


def _columns(name: str, figure: dict[str, Any], reason: str) -> dict[str, Any]:
    """Return a figure as columns; ``reason`` names the one for why it has no interval."""
    ends = {f"{name}_{end}": figure[end] for end in ("low", "high")}
    return {name: figure["value"], **ends, reason: figure.get("reason", "")}


def _difference(run: Run, best: Run) -> dict[str, Any]:
    """Return a figure, or why there is none."""
    if run is best or not _same_utterances(run, best):
        reason = "best" if run is best else OTHER_UTTERANCES
        return {"value": None, "low": None, "high": None, "reason": reason}
    speakers = speaker_groups(best.table).tolist()
    figures = paired_difference(*_answers(run, best), speakers, best.record.classes)
    return figures[METRICS[0]]


def _chances(run: Run, best: Run) -> tuple[float, float]:
    """Return ``p`` and ``p_mcnemar`` of a run, NaN where it is not compared."""
    if run is best or not _same_utterances(run, best):
        return np.nan, np.nan
    targets, ours, theirs = _answers(run, best)
    speakers = speaker_groups(best.table).tolist()
    right = ours == targets, theirs == targets
    return speaker_flips(targets, *right, speakers), mcnemar(*right)


def _answers(run: Run, best: Run) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the class of each utterance, and those that a run and the best one say."""
    classes = pd.Index(best.record.classes)
    targets = classes.get_indexer(best.table["class"])
    said = (classes.get_indexer(of.table["predicted"]) for of in (run, best))
    return targets, *said


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
