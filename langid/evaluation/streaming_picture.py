"""Draws a report on streams: after the reset, by seconds of speech, and time to a decision."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from langid.evaluation.report import who_speaks

NAMES = {"mixed": "languages mixed", "same": "one language"}


def draw_streaming(report: dict[str, Any]) -> Figure:
    """Return three pictures side by side, with 95 % intervals."""
    figure = Figure(figsize=(13, 4), layout="constrained")
    FigureCanvasAgg(figure)
    since, speech, decision = figure.subplots(1, 3)
    _draw_since(since, report)
    _draw_speech(speech, report)
    _draw_decisions(decision, report)
    figure.suptitle(f"{report['part']}: {who_speaks(report)}", fontsize=10)
    return figure


def _draw_since(axes: Axes, report: dict[str, Any]) -> None:
    offline = report["conditions"]["offline"]["accuracy"]
    if offline["low"] is not None:
        axes.axhspan(offline["low"], offline["high"], color="0.9")
    axes.axhline(offline["value"], color="0.5", linewidth=1, label="whole clips, offline")
    spans: list[dict[str, Any]] = []
    for number, (name, rows) in enumerate(report["since_reset"].items()):
        spans = rows if len(rows) > len(spans) else spans
        place = np.arange(len(rows)) + 0.12 * (2 * number - 1)
        _errorbars(axes, place, [row["accuracy"] for row in rows], f"C{number}", NAMES[name])
    axes.set_xticks(
        range(len(spans)), [f"{row['from_s']:g}–{row['to_s']:g}" for row in spans], fontsize=8
    )
    axes.set_xlabel("seconds since the stream began, no reset between clips")
    axes.set_ylabel("accuracy per clip")
    axes.margins(y=0.25)
    axes.legend(fontsize=8, loc="upper left")


def _draw_speech(axes: Axes, report: dict[str, Any]) -> None:
    rows = report["by_speech"]
    seconds = np.array([row["seconds"] for row in rows])
    _errorbars(axes, seconds / 1.03, [row["all"] for row in rows], "C0", "clips", line=True)
    of_speakers = report["by_speech_of_speakers"]
    long = [row for row in of_speakers if row["long"] is not None]
    at = np.array([row["seconds"] for row in long]) * 1.03
    label = "speakers with so much, clips joined"
    _errorbars(axes, at, [row["long"] for row in long], "C1", label, line=True)
    axes.set_xscale("log")
    axes.set_xticks(seconds, [f"{row['seconds']:g}\n({row['clips']})" for row in of_speakers])
    axes.set_xticks([], minor=True)
    axes.set_xlabel("seconds of speech since a reset (speakers with so much)")
    axes.set_ylabel("accuracy")
    axes.margins(y=0.25)
    axes.legend(fontsize=8, loc="upper left")


def _draw_decisions(axes: Axes, report: dict[str, Any]) -> None:
    labels = []
    for place, row in enumerate(report["decisions"]):
        label, measured = f"{row['error_rate']:.0%}", row["measured"]
        if measured is None:
            labels.append(f"{label}\nnone")
            continue
        labels.append(f"{label}\n{row['decide_at']:g}")
        if measured["speech_s"] is None:
            axes.text(place, 0, "none decided", ha="center", va="bottom", fontsize=8)
            continue
        low, median, high = measured["speech_s"]
        spread = [[median - low], [high - median]]
        axes.errorbar(place, median, spread, fmt="o", color="C0", capsize=3)
        told = f"{measured['decided']} decided\n{measured['error']['value']:.0%} wrong"
        axes.text(place, high, told, fontsize=7, ha="center", va="bottom")
    axes.set_xticks(range(len(labels)), labels)
    axes.set_xlim(-0.6, len(labels) - 0.4)
    axes.set_ylim(0, 1.15 * axes.get_ylim()[1])
    axes.set_xlabel("error rate on validation, and its threshold")
    axes.set_ylabel("seconds of speech to decision (quartiles)")


def _errorbars(
    axes: Axes,
    place: np.ndarray,
    figures: list[dict[str, Any]],
    colour: str,
    label: str,
    line: bool = False,
) -> None:
    value, low, high = (
        np.array([row[key] for row in figures], dtype=float)  # no interval: NaN, which draws none
        for key in ("value", "low", "high")
    )
    spread = np.clip([value - low, high - value], 0, None)
    style = "o-" if line else "o"
    axes.errorbar(
        place, value, yerr=spread, fmt=style, color=colour, markersize=4, capsize=2, linewidth=1,
        label=label,
    )  # fmt: skip
