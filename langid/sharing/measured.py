"""What a model card says of a report of ``langid evaluate``: figures, worst slices, its summary."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from langid.errors import LangidError
from langid.evaluation.first_screen import summary
from langid.evaluation.page import (
    CLASS_HEAD,
    FIGURE_HEAD,
    SLICE_HEAD,
    class_rows,
    figure_rows,
    slice_rows,
)
from langid.evaluation.report import (
    SCHEMA,
    may_have_been_heard,
    too_good,
    what_is_shared,
    who_speaks,
)
from langid.evaluation.slices import MIN_SPEAKERS
from langid.sharing.markdown import bullets, escaped, table
from langid.terminal import interval, with_interval
from langid.training.identifier import LanguageIdentifier
from langid.training.weights_digest import weights_sha256

INDEXED = {  # figures that go into the metadata, as the hub calls them
    "accuracy": "accuracy", "balanced_accuracy": "balanced_accuracy", "macro_f1": "f1",
    "nll": "nll", "ece": "ece", "eer": "eer", "cavg": "cavg",
}  # fmt: skip
WORST = 8  # slices that are shown
Report = Mapping[str, Any]


@dataclass(frozen=True)
class Measured:
    """Paragraphs of ``figures`` and ``worst`` slices, and ``results`` for the hub's metadata."""

    figures: list[str]
    worst: list[str]
    results: list[dict[str, Any]]


def measured(path: Path, identifier: LanguageIdentifier) -> Measured:
    """Return what the report.json of an identifier says.

    Raises LangidError for a file that is absent, damaged or no such report, and for the report of
    another checkpoint, or of several together.
    """
    report = _read(path)
    held, own = report["checkpoints"], weights_sha256(identifier)
    if held != [own]:
        of = f"{len(held)} checkpoints together" if len(held) != 1 else "another checkpoint"
        raise LangidError(
            f"report={path}: is of {of}, and not of this one alone (SHA-256 of its weights"
            f" {own[:12]}); give the report of langid evaluate checkpoint=THIS"
        )
    try:
        return Measured(_figures(report), _worst_slices(report), _results(report))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise LangidError(
            f"report={path}: not whole ({type(error).__name__}: {error}); run langid evaluate again"
        ) from error


def _read(path: Path) -> Report:
    if not path.is_file():
        found = "is a folder, expected its report.json" if path.is_dir() else "no such file"
        raise LangidError(f"report={path}: {found}; langid evaluate writes one")
    try:
        text = path.read_text(encoding="utf-8")
        report: dict[str, Any] = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise LangidError(f"report={path}: not a report of langid evaluate ({error})") from error
    schema = report.get("schema") if isinstance(report, dict) else None
    if schema != SCHEMA or not isinstance(report.get("checkpoints"), list):
        raise LangidError(
            f"report={path}: not written by langid evaluate of this version (schema {schema},"
            f" accepted is {SCHEMA} with the checkpoints' SHA-256); run langid evaluate again"
        )
    return report


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no figure")


def _results(report: Report) -> list[dict[str, Any]]:
    """Return a report as the results of the hub's ``model-index``."""
    corpora = list(report["corpora"])
    metrics = [
        {"type": kind, "name": f"{name.replace('_', ' ')}{_sure(report[name])}",
         "value": round(report[name]["value"], 6)}
        for name, kind in INDEXED.items()
        if report[name]["value"] is not None
    ]  # fmt: skip
    title = f"{report['task']} of speech"
    dataset = {"type": "+".join(corpora), "name": f"{', '.join(corpora)}: {report['part']} part"}
    return [
        {
            "task": {"type": "audio-classification", "name": title},
            "dataset": dataset,
            "metrics": metrics,
        }
    ]


def _sure(figure: Mapping[str, Any]) -> str:
    return "" if figure["low"] is None else f" (95 % interval {interval(figure)})"


def _figures(report: Report) -> list[str]:
    """Return the paragraphs that say how good, how sure, and on whom."""
    heard = "" if report["heard_s"] is None else f", of each {report['heard_s']:g} s alone"
    corpora = ", ".join(f"{name} ({count})" for name, count in report["corpora"].items())
    tested = (
        f"Tested on the {report['part']} part: {who_speaks(report)},"
        f" {report['minutes']:.1f} minutes{heard}; {corpora}; {what_is_shared(report)}. Fingerprint"
        f" of its store: {report['fingerprint'][:16]}. Intervals: {report['interval']}."
    )
    said = [f"**{escaped(summary(report))}**", escaped(tested), *too_good(report)]
    said += [table(FIGURE_HEAD, figure_rows(report)), table(CLASS_HEAD, class_rows(report))]
    return [*said, *_confused(report), bullets([*_by_seconds(report), _unknown(report)])]


def _confused(report: Report) -> list[str]:
    pairs = [
        f"{escaped(pair['true'])} for {escaped(pair['predicted'])}, {pair['share']:.3f} of it"
        f"{_sure(pair)}"
        for pair in report["confused"][:3]
    ]
    return [f"Most often taken: {'; '.join(pairs)}."] if pairs else []


def _by_seconds(report: Report) -> list[str]:
    rows = report["by_seconds"]
    said = [f"{row['seconds']:g} s: {with_interval(row['accuracy'])}" for row in rows]
    return [f"Accuracy by seconds heard: {', '.join(said)}."] if said else []


def _unknown(report: Report) -> str:
    found = report.get("open_set")
    if found is None:
        return (
            "Languages that were never trained on: not measured; `langid evaluate ..."
            " unknown=STORE.h5` does."
        )
    doubt = may_have_been_heard(report)
    kind = "of no class of it, but maybe" if doubt else "that were never"
    return escaped(
        f"Languages {kind} trained on ({', '.join(found['labels'])};"
        f" {who_speaks(found)}): AUROC {with_interval(found['auroc'])}; where"
        f" {found['accepted']:.0%} of the known are answered, so are"
        f" {with_interval(found['false_acceptance'])} of these{f'; {doubt}' if doubt else ''}."
    )


def _worst_slices(report: Report) -> list[str]:
    """Return the paragraphs that say on whom and on what it is worse."""
    judged = [one for one in report["slices"] if not one["too_small"]][:WORST]
    small = sum(one["too_small"] for one in report["slices"])
    said = [table(SLICE_HEAD, slice_rows(judged))] if judged else []
    if not judged:
        said.append("No property divides these clips into parts of enough speakers.")
    if small:
        said.append(f"Parts of fewer than {MIN_SPEAKERS} speakers, which say too little: {small}.")
    if reasons := [f"{by}: {reason}" for by, reason in report["not_sliced"].items()]:
        said.append(f"Not sliced by {escaped('; '.join(reasons))}.")
    return said
