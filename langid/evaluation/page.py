"""report.html: a report as one page for people, which needs no other file."""

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from langid import markup
from langid.atomic_file import write_text
from langid.evaluation.embedding_page import embedding_section
from langid.evaluation.first_screen import first_screen
from langid.evaluation.mistakes import Mistake
from langid.evaluation.mistakes_page import mistakes_section
from langid.evaluation.open_set_page import open_set_section
from langid.evaluation.predictions import Predictions
from langid.evaluation.report import no_speech_line, who_speaks
from langid.evaluation.robustness_page import robustness_section
from langid.evaluation.slices import MIN_SPEAKERS
from langid.evaluation.streamed_page import streamed_section
from langid.markup import shown
from langid.plots import figure_svg, most_confused
from langid.report_plots import draw_by_seconds, draw_det, draw_reliability
from langid.terminal import interval

MEANINGS = {  # of the figures of a whole report, in the order that they are shown in
    "balanced_accuracy": "mean over classes of how often a class is recognised",
    "accuracy": "share of the clips that is right",
    "macro_f1": "mean over classes of F1",
    "frame_accuracy": "share of the frames of speech that is right",
    "nll": "negative log posterior of the right class, in nats: lower is better",
    "brier": "squared distance of the posteriors from the truth, 0 to 2: lower is better",
    "ece": "expected calibration error, by which confidence and accuracy differ: lower is better",
    "eer": "equal error rate, mean over the classes as detectors: lower is better",
    "cavg": "NIST's average detection cost: lower is better",
    "min_cavg": "the same at the threshold that makes it lowest",
}
FIGURE_HEAD = ("figure", "value", "95 % interval", "what it is")
OF_CLASSES = ("precision", "recall", "f1", "eer")
CLASS_HEAD = ("class", "clips and speakers", *OF_CLASSES)
SLICE_HEAD = ("slice", "accuracy", "95 % interval", "clips and speakers", "classes")
ROWS = 60  # of slices that are shown
CURVES = 7  # DET curves, so many as there are colours


def write_page(
    folder: Path,
    report: Mapping[str, Any],
    command: str,
    predictions: Predictions,
    mistakes: Sequence[Mistake],
    streams: Mapping[str, Any] | None = None,
    audio: bool = False,
    robust: Mapping[str, Any] | None = None,
) -> None:
    """Write report.html, the page of a ``report`` that the ``command`` has made, into a folder.

    ``streams`` is a report of langid.evaluation.streaming_report, ``robust`` one of
    langid.evaluation.robustness, ``audio`` says that clips that are mistaken can be played.
    """
    sections = {
        "Figures": _figures(report),
        "Classes": _classes(report),
        "Confusion": _confusion(report),
        "How far posteriors can be believed": _reliability(report),
        "Detection": _detection(report),
        "On whom and on what": _slices(report),
        "Seconds heard": _seconds(report, streams),
    }
    if streams is not None:
        sections["Streamed"] = streamed_section(streams)
    if robust is not None:
        sections["In other acoustics"] = robustness_section(robust)
    if "open_set" in report:
        sections["Other languages"] = open_set_section(report)
    sections["What the network hears"] = embedding_section(report, predictions)
    sections["The most confident mistakes"] = mistakes_section(mistakes, predictions, audio)
    title = f"langid: {report['task']} on the {report['part']} part"
    write_text(folder / "report.html", markup.page(title, first_screen(report, command), sections))


def figure_rows(report: Mapping[str, Any]) -> list[list[str]]:
    """Return the cells of all figures of the whole part, under FIGURE_HEAD."""
    return [
        [name.replace("_", " "), *shown(report[name]), meaning]
        for name, meaning in MEANINGS.items()
    ]


def class_rows(report: Mapping[str, Any]) -> list[list[str]]:
    """Return the cells of each class, under CLASS_HEAD."""
    rows = []
    for name, of in report["classes"].items():
        cells = [" ".join(_bracketed(of[metric])) for metric in OF_CLASSES]
        rows.append([name, who_speaks(of) if of["clips"] else "no clip", *cells])
    return rows


def slice_rows(slices: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """Return the cells of slices, under SLICE_HEAD."""
    return [
        [f"{one['by']}: {one['value']}", *shown(one["accuracy"]), who_speaks(one),
         str(len(one["classes"]))]
        for one in slices
    ]  # fmt: skip


def _figures(report: Mapping[str, Any]) -> str:
    costs = ", ".join(f"{k.replace('_', ' ')} {v:g}" for k, v in report["cavg_costs"].items())
    notes = [f"Intervals: {report['interval']}.", f"Costs of Cavg: {costs}."]
    if silent := no_speech_line(report):
        notes.append(f"{silent[0].upper()}{silent[1:]}.")
    table = markup.table("Figures of the whole part", FIGURE_HEAD, figure_rows(report))
    return table + markup.paragraph(" ".join(notes), "note")


def _classes(report: Mapping[str, Any]) -> str:
    caption = "Figures of each class, with 95 % intervals"
    return markup.table(caption, CLASS_HEAD, class_rows(report))


def _bracketed(figure: Mapping[str, Any]) -> list[str]:
    value, told = shown(figure)
    return [value, f"({told.removeprefix('– ')})"]


def _confusion(report: Mapping[str, Any]) -> str:
    counts, names = np.array(report["confusion"]), list(report["classes"])
    chosen = most_confused(counts)
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    held = [names[one] for one in chosen]
    counts, shares = counts[chosen], shares[chosen]
    if len(chosen) < len(names):  # so that rows add up
        held.append(f"{len(names) - len(chosen)} others")
        counts, shares = (
            np.column_stack([of[:, chosen], of.sum(1) - of[:, chosen].sum(1)])
            for of in (counts, shares)
        )
    rows = [
        [names[true], *(f"{count} ({share:.0%})" for count, share in zip(*of, strict=True))]
        for true, *of in zip(chosen, counts, shares, strict=True)
    ]
    caption = "Rows are what clips are, columns what they are taken for: clips (share of the row)"
    if len(chosen) < len(names):
        caption += f"; the {len(chosen)} most confused of {len(names)} classes"
    drawn = markup.table(caption, ("is", *held), rows, shares.clip(0))
    pairs = [
        [pair["true"], pair["predicted"], str(pair["units"]), f"{pair['share']:.1%}",
         interval(pair, ".1%")]
        for pair in report["confused"]
    ]  # fmt: skip
    if not pairs:
        return drawn + markup.paragraph("Nothing is confused.")
    head = ("is", "taken for", "clips", "share of the class", "95 % interval")
    return drawn + markup.table("The pairs that are most often confused", head, pairs)


def _reliability(report: Mapping[str, Any]) -> str:
    bins = report["reliability"]
    drawn = figure_svg(draw_reliability(bins), "Reliability diagram; its numbers are in the table")
    rows = [
        [f"{one['from']:.0%} to {one['to']:.0%}", str(one["units"]), f"{one['confidence']:.3f}",
         *shown(one["accuracy"])]
        for one in bins
    ]  # fmt: skip
    head = ("confidence", "clips", "its mean", "share that is right", "95 % interval")
    caption = "Below the diagonal a network is surer than it is right."
    numbers = markup.table("Confidence and accuracy", head, rows)
    return markup.picture(drawn, caption) + numbers


def _detection(report: Mapping[str, Any]) -> str:
    rates = {name: of["eer"]["value"] for name, of in report["classes"].items() if of["clips"]}
    if len(rates) < 2:
        return markup.paragraph(
            f"One class alone occurs, {next(iter(rates))}: nothing can be told apart."
        )
    det, worst = report["det"], sorted(rates, key=lambda name: -rates[name])[:CURVES]
    misses = {name: det["miss"][name] for name in worst}
    label = "Detection error trade-off of each class; equal error rates are in the table of classes"
    drawn = figure_svg(draw_det(misses, det["false_alarm"]), escape(label))
    said = ["Misses against false alarms where each class is detected alone; below is better."]
    if len(rates) > CURVES:
        said.append(f"The {CURVES} worst of {len(rates)} classes.")
    bare = {name: of["reason"] for name, of in misses.items() if of["low"] is None}
    if len(bare) < len(misses):
        said.append("Bands are 95 % intervals between speakers, at each rate of false alarms.")
    if bare:
        told = "; ".join(f"{name}: {reason}" for name, reason in bare.items())
        said.append(f"No band of {told}.")
    return markup.picture(drawn, " ".join(said))


def _slices(report: Mapping[str, Any]) -> str:
    listed = report["slices"][:ROWS]
    reasons = "; ".join(f"{by}: {reason}" for by, reason in report["not_sliced"].items())
    notes = [f"Not sliced by {reasons}."] if reasons else []
    if len(report["slices"]) > ROWS:
        notes.append(f"{len(report['slices']) - ROWS} more are in report.json.")
    if not listed:
        return markup.paragraph(" ".join(["No property divides these clips.", *notes]))
    notes.append("Slices of other classes, or in other shares, differ by these too.")
    enough, few = ([one for one in listed if one["too_small"] is small] for small in (False, True))
    shown_first, folded = "", ""
    if enough:
        shown_first = markup.table("Accuracy, the worst first", SLICE_HEAD, slice_rows(enough))
    if few:
        told = f"slices of under {MIN_SPEAKERS} speakers, the worst first: too small to judge"
        folded = markup.table(f"Accuracy of {told}", SLICE_HEAD, slice_rows(few))
        if enough:
            folded = markup.folded(f"{len(few)} {told}", folded)
    return shown_first + folded + markup.paragraph(" ".join(notes), "note")


def _seconds(report: Mapping[str, Any], streams: Mapping[str, Any] | None) -> str:
    lines = {}
    if report["by_seconds"]:
        lines["the first seconds alone, offline"] = [
            (row["seconds"], row["accuracy"]) for row in report["by_seconds"]
        ]
    if streams is not None:
        rows = streams["by_speech"]
        lines["streamed from a reset"] = [(row["seconds"], row["all"]) for row in rows]
    if not lines:
        return markup.paragraph(f"Not measured: {report['not_by_seconds']}.")
    whole = report["accuracy"]["value"]
    label = "Accuracy by seconds of speech; its numbers are in the table"
    drawn = markup.picture(
        figure_svg(draw_by_seconds(lines, whole), label),
        f"A shorter clip counts with what it has. Heard whole: {whole:.3f}.",
    )
    rows = [
        [f"{seconds:g} s, {name}", *shown(figure)]
        for name, points in lines.items()
        for seconds, figure in points
    ]
    return drawn + markup.table("Accuracy by seconds", ("heard", "accuracy", "interval"), rows)
