"""The section of report.html on streams."""

from collections.abc import Mapping
from typing import Any

from langid import markup
from langid.evaluation.streaming_report import CONDITIONS
from langid.markup import shown
from langid.plots import draw_streaming, figure_svg

HEAD = ("heard as", "balanced accuracy", "95 % interval", "behind offline", "95 % interval")
SINCE_HEAD = ("seconds since the stream began", "clips", "accuracy", "95 % interval",
              "the same clips offline")  # fmt: skip
SPEECH_HEAD = ("speech", "accuracy, all clips", "95 % interval", "speakers with so much",
               "accuracy, clips joined", "95 % interval")  # fmt: skip
DECISION_HEAD = ("error rate on validation", "decide_at", "clips", "decided", "wrong",
                 "95 % interval", "median speech", "quartiles")  # fmt: skip
NONE = {"value": None, "low": None, "high": None, "reason": "none"}


def streamed_section(streams: Mapping[str, Any]) -> str:
    """Return figures of a report of langid.evaluation.streaming_report, and its picture."""
    rows = []
    for name, title in CONDITIONS.items():
        of = streams["conditions"][name]
        behind = of.get("behind", {}).get("balanced_accuracy")
        told = shown(behind, "+.3f") if behind else ["", ""]
        rows.append([title, *shown(of["balanced_accuracy"]), *told])
    drawn = figure_svg(draw_streaming(streams, ""), "Streams; the numbers are in the tables below")
    caption = "By time since the reset, by seconds of speech, and time to a decision."
    numbers = [
        ("Accuracy without reset, by time", SINCE_HEAD, since_rows(streams)),
        ("Accuracy by seconds of speech since a reset", SPEECH_HEAD, speech_rows(streams)),
        ("Time to a decision", DECISION_HEAD, decision_rows(streams)),
    ]
    return "".join(
        [
            markup.table("Offline, streamed, and streamed over clips in a row", HEAD, rows),
            markup.picture(drawn, caption),
            *(markup.folded(title, markup.table(title, head, of)) for title, head, of in numbers),
        ]
    )


def since_rows(streams: Mapping[str, Any]) -> list[list[str]]:
    """Return the cells of accuracy by the time since the reset, under SINCE_HEAD."""
    return [
        [f"{span['from_s']:g} to {span['to_s']:g}, {CONDITIONS[name].rpartition(', ')[2]}",
         str(span["clips"]), *shown(span["accuracy"]), f"{span['offline']:.3f}"]
        for name, spans in streams["since_reset"].items()
        for span in spans
    ]  # fmt: skip


def speech_rows(streams: Mapping[str, Any]) -> list[list[str]]:
    """Return the cells of accuracy by seconds of speech, under SPEECH_HEAD."""
    both = zip(streams["by_speech"], streams["by_speech_of_speakers"], strict=True)
    return [
        [f"{row['seconds']:g} s", *shown(row["all"]), str(joined["clips"]),
         *shown(joined["long"] or NONE)]
        for row, joined in both
    ]  # fmt: skip


def decision_rows(streams: Mapping[str, Any]) -> list[list[str]]:
    """Return the cells of the time to a decision, under DECISION_HEAD."""
    rows = []
    for row in streams["decisions"]:
        measured, cells = row["measured"], ["none gives it", *["–"] * 6]
        if measured is not None:
            cells[:3] = (
                str(of) for of in (row["decide_at"], measured["clips"], measured["decided"])
            )
        if measured and measured["decided"]:
            low, median, high = measured["speech_s"]
            cells[3:] = [*shown(measured["error"]), f"{median:.2f} s", f"{low:.2f}–{high:.2f}"]
        rows.append([f"{row['error_rate']:.0%}", *cells])
    return rows
