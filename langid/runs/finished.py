"""Finished runs on disk: found, read, and scored on a part."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from langid.corpora.folder_walk import is_hidden, walk
from langid.errors import LangidError
from langid.evaluation.predictions import predict_part
from langid.evaluation.report import SCHEMA, make_report, write_report
from langid.training.run_record import RunRecord


@dataclass
class Run:
    """A finished run: its folder, its run.json, its report on a part, and what it predicted.

    ``table`` has a row per scored unit: ``utterance_id``, ``speaker`` (empty where unknown),
    ``class``, ``predicted``.
    """

    folder: Path
    record: RunRecord
    report: dict[str, Any]
    table: pd.DataFrame

    @property
    def checkpoint(self) -> Path:
        """The checkpoint of the lowest validation loss."""
        return self.folder / "checkpoints" / "best.ckpt"


def find_runs(folders: Sequence[Path]) -> tuple[list[Path], dict[Path, str]]:
    """Return the finished runs in some folders, and the others with the reason they are left out.

    Runs behind links are found as well, each once; one within another is its first step, and left
    out. Raises LangidError for a folder that is absent
    or without a run, for one that itself is a run that cannot be compared, and where no run is
    left.
    """
    if not folders:
        raise LangidError("langid compare needs folders of runs: langid compare runs/gru")
    found: dict[Path, Path] = {}  # by where links lead
    left_out: dict[Path, str] = {}
    for folder in folders:
        if not folder.is_dir():
            raise LangidError(f"{folder}: no such folder")
        files, no_files = walk(folder)
        left_out |= {p: reason for p, reason in no_files.items() if not is_hidden(p.name)}
        runs = sorted(path.parent for path in files if path.name == "run.json")
        if not runs:
            raise LangidError(f"{folder}: no run in it (no run.json); langid train makes runs")
        for run in runs:
            within = [other for other in runs if other in run.parents]
            if within:
                left_out[run] = f"what {within[0]} began with"
            elif not (reason := _obstacle(run)):
                found.setdefault(run.resolve(), run)
            elif run == folder:
                raise LangidError(f"{run}: {reason}")
            else:
                left_out[run] = reason
    if not found:
        told = "; ".join(f"{run}: {reason}" for run, reason in left_out.items())
        raise LangidError(f"no run can be compared ({told})")
    return list(found.values()), left_out


def _obstacle(run: Path) -> str:
    """Return why a run cannot be compared, or nothing."""
    status = RunRecord.read(run).status
    if status == "pruned":
        return "pruned by langid tune, whose other trials were better"
    if status != "finished":
        return "not finished; go on with langid train resume=... or the sweep's own line"
    if not (run / "checkpoints" / "best.ckpt").is_file():
        return "no checkpoints/best.ckpt"
    return ""


def score_run(folder: Path, part: str, store: Path | None, workers: int = 0) -> Run:
    """Return a run with its report on a part, which is kept in the run's folder for next time.

    The report counts as long as best.ckpt holds the same bytes and reports are made as now. Raises
    LangidError where the run's store is not where it was.
    """
    record = RunRecord.read(folder)
    checkpoint = folder / "checkpoints" / "best.ckpt"
    digest = hashlib.sha256(checkpoint.read_bytes()).hexdigest()
    kept = folder / f"compared_{part}"  # not the folder of langid evaluate, which may be filtered
    report = _kept_report(kept, digest)
    if report is None:
        place = store or Path(record.store)
        try:
            predictions = predict_part([checkpoint], place, part, workers)
            report = make_report(predictions, part) | {"checkpoint_sha256": digest}
        except LangidError as error:
            raise LangidError(f"{folder}: {error}") from error
        kept.mkdir(exist_ok=True)
        write_report(report, predictions.table, kept)
    table = _kept_table(kept / "predictions.tsv", report)
    return Run(folder, record, report, table.rename(columns={report["task"]: "class"}))


def _kept_report(folder: Path, digest: str) -> dict[str, Any] | None:
    if not (folder / "predictions.tsv").is_file():
        return None
    try:
        report: dict[str, Any] = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    of_now = report.get("schema") == SCHEMA and report.get("checkpoint_sha256") == digest
    return report if of_now else None


def _kept_table(path: Path, report: dict[str, Any]) -> pd.DataFrame:
    """Return the kept predictions; raises LangidError where they are not whole."""
    columns = ["utterance_id", "speaker", report["task"], "predicted"]
    try:
        table = pd.read_csv(
            path, sep="\t", lineterminator="\n", dtype=str, keep_default_na=False, usecols=columns
        )
        reason = f"{len(table)} rows of {report['support']}"
        whole = len(table) == report["support"]
    except ValueError as error:  # also of what is no UTF-8, no table, or without a column
        whole, reason = False, str(error).splitlines()[0]
    if not whole:
        raise LangidError(
            f"{path}: not a whole table of predictions ({reason}); delete {path.parent} and run the"
            " same line again, which scores the run anew"
        )
    return table


def check_classes(folders: Sequence[Path]) -> None:
    """Raise LangidError where runs tell different classes apart."""
    first, *others = [(folder, RunRecord.read(folder).classes) for folder in folders]
    for other in others:
        if other[1] != first[1]:
            raise LangidError(
                f"runs of different classes cannot be compared: {first[0]} has"
                f" {', '.join(first[1])}; {other[0]} has {', '.join(other[1])}"
            )
