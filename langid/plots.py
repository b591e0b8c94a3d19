"""Pictures of plain values: nothing here knows where they come from."""

import colorsys
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

SHOWN = 20  # classes; more are not legible on a phone
NAME = 24  # characters of a class's name on one line
WIDE = 10  # classes whose cells are as wide as that of a number of five digits; of more, narrower
CONDITIONS = {"mixed": "classes mixed", "same": "one class"}  # of streams without a reset
# Okabe and Ito's colours (2008), which colour-blind people tell apart.
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9", "#f0e442")
GREYS = {"undecided": "#d9d9d9", "unknown": "#777777"}  # stretches of no class


def _figure(width: float, height: float) -> Figure:
    """Return an empty figure that needs no window; sizes are in inches."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def draw_confusion(counts: np.ndarray, classes: Sequence[str], title: str) -> Figure:
    """Return a picture of ``counts (true, predicted)``: numbers in cells, shades of row shares.

    Of more than 20 classes it shows those that are most often confused, that is, missed or wrongly
    said; the title says so, and a last column how often they are taken for others. Where cells are
    narrow those of nothing are empty.
    """
    chosen = most_confused(counts)
    shown, names = counts[np.ix_(chosen, chosen)], [classes[index] for index in chosen]
    columns = list(names)
    if len(chosen) < len(classes):
        title += f"; the {len(chosen)} most confused of {len(classes)} classes"
        shown = np.column_stack([shown, counts[chosen].sum(1) - shown.sum(1)])
        columns.append(f"{len(classes) - len(chosen)} others")
    names, columns = ([textwrap.fill(name, NAME) for name in side] for side in (names, columns))
    cell = 0.62 if len(columns) <= WIDE else 0.4  # inches
    room = 0.07 * max(len(line) for name in columns for line in name.split("\n"))
    side = (max(2.8, 0.9 + room) + cell * len(columns), max(2.0, 0.7 + room) + cell * len(names))
    figure = _figure(*side)
    axes = figure.add_subplot()
    axes.set_xticks(range(len(columns)), columns, rotation=45, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(names)), names)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    figure.suptitle(textwrap.fill(title, int(11 * side[0])), fontsize=10)  # 11 characters an inch
    _draw_cells(axes, shown, cell)
    return figure


def _draw_cells(axes: Axes, shown: np.ndarray, cell: float) -> None:
    shares = shown / np.maximum(shown.sum(1, keepdims=True), 1)
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    wide = shown.shape[1] <= WIDE
    for (row, column), count in np.ndenumerate(shown):
        if count or wide:
            text = f"{int(count)}"
            axes.text(
                column, row, text, ha="center", va="center", in_layout=False,
                color="white" if shares[row, column] > 0.55 else "black",
                fontsize=min(8 if wide else 9, 72 * cell / (0.7 * len(text))),  # within its cell
            )  # fmt: skip
    axes.figure.colorbar(image, ax=axes, shrink=0.8, label="share of the true class")


def most_confused(counts: np.ndarray) -> list[int]:
    """Return the classes that ``counts (true, predicted)`` has most errors of, at most 20."""
    wrong = counts.sum(0) + counts.sum(1) - 2 * np.diagonal(counts)
    return sorted(np.argsort(-wrong, kind="stable")[:SHOWN].tolist())


def draw_streaming(report: Mapping[str, Any], title: str) -> Figure:
    """Return a report on streams as three pictures side by side, with 95 % intervals.

    They are the accuracy by the time since the reset and by seconds of speech, and the time to a
    decision.
    """
    figure = _figure(13, 4)
    since, speech, decision = figure.subplots(1, 3)
    _draw_since(since, report)
    _draw_speech(speech, report)
    _draw_decisions(decision, report)
    figure.suptitle(title, fontsize=10)
    return figure


def _draw_since(axes: Axes, report: Mapping[str, Any]) -> None:
    offline = report["conditions"]["offline"]["accuracy"]
    if offline["low"] is not None:
        axes.axhspan(offline["low"], offline["high"], color="0.9")
    axes.axhline(offline["value"], color="0.5", linewidth=1, label="whole clips, offline")
    spans: list[dict[str, Any]] = []
    for number, (name, rows) in enumerate(report["since_reset"].items()):
        spans = rows if len(rows) > len(spans) else spans
        place = np.arange(len(rows)) + 0.12 * (2 * number - 1)
        _errorbars(axes, place, [row["accuracy"] for row in rows], f"C{number}", CONDITIONS[name])
    axes.set_xticks(
        range(len(spans)), [f"{row['from_s']:g}–{row['to_s']:g}" for row in spans], fontsize=8
    )
    axes.set_xlabel("seconds since the stream began, no reset between clips")
    axes.set_ylabel("accuracy per clip")
    axes.margins(y=0.25)
    axes.legend(fontsize=8, loc="upper left")


def _draw_speech(axes: Axes, report: Mapping[str, Any]) -> None:
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


def _draw_decisions(axes: Axes, report: Mapping[str, Any]) -> None:
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


def draw_comparison(figures: Mapping[str, np.ndarray], labels: Sequence[str], title: str) -> Figure:
    """Return a picture of metrics as dots with their intervals, one line per label.

    ``figures`` hold value, low and high end of each metric, ``(3, labels)``.
    """
    figure = _figure(8, 1.6 + 0.34 * len(labels))
    axes = figure.add_subplot()
    place = np.arange(len(labels), dtype=float)
    for number, (name, (value, low, high)) in enumerate(figures.items()):
        axes.errorbar(
            value, place + 0.2 * number, xerr=np.clip([value - low, high - value], 0, None),
            fmt="os"[number], markersize=5 - number, capsize=2, linewidth=1, label=name,
            color=("C0", "0.6")[number],
        )  # fmt: skip
    axes.set_yticks(place, labels, fontsize=8)
    axes.invert_yaxis()
    axes.grid(axis="x", alpha=0.3)
    axes.set_xlabel("95 % intervals between speakers")
    axes.set_title(title, fontsize=10)
    figure.legend(loc="outside lower center", ncols=len(figures), fontsize=8)
    return figure


Timeline = Sequence[tuple[float, float, str]]  # from and to in seconds, and a class or a status


def draw_recording(
    times_s: np.ndarray, columns: np.ndarray, classes: Sequence[str], timeline: Timeline, title: str
) -> Figure:
    """Return a picture of waveform, speech, posteriors and a timeline, one above the other.

    ``columns (columns, 3 + classes)`` hold lowest and highest sample, the share of speech and
    posteriors around each of ``times_s (columns,)``.
    """
    figure = _figure(11, 5.5)
    wave, shares, spoken = figure.subplots(3, 1, sharex=True, height_ratios=[2, 3, 0.6])
    wave.set_title(title, fontsize=10)
    lowest, highest, speech, *posteriors = columns.T
    _draw_waveform(wave, times_s, lowest, highest, speech)
    colours = dict(zip(classes, _colours(len(classes)), strict=True))
    for name, values in zip(classes, posteriors, strict=True):
        in_speech = np.where(speech > 0, values, np.nan)
        shares.plot(times_s, values, color=colours[name], linewidth=0.5, alpha=0.35)
        shares.plot(times_s, in_speech, color=colours[name], linewidth=1.2, label=name)
    shares.set_ylim(0, 1)
    shares.set_ylabel("posterior")
    shares.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)
    _draw_timeline(spoken, timeline, GREYS | colours)
    spoken.set_xlabel("seconds")
    spoken.set_xlim(0, times_s[-1] + times_s[0])
    return figure


def _draw_timeline(axes: Axes, timeline: Timeline, colours: Mapping[str, Any]) -> None:
    """Draw a bar per stretch; those of no class are grey and named."""
    for start_s, end_s, name in timeline:
        axes.barh(
            0, end_s - start_s, left=start_s, color=colours[name], edgecolor="white", linewidth=0.5
        )  # fmt: skip
    found = {name for _, _, name in timeline}
    names = [name for name in GREYS if name in found]
    if names:
        shown = [axes.barh(0, 0, color=GREYS[name]) for name in names]
        axes.legend(shown, names, loc="upper left", bbox_to_anchor=(1.0, 1.2), frameon=False)
    axes.set_yticks([])
    axes.set_ylabel("class", rotation=0, ha="right", va="center")


def _draw_waveform(
    axes: Axes, times: np.ndarray, lowest: np.ndarray, highest: np.ndarray, speech: np.ndarray
) -> None:
    axes.fill_between(times, lowest, highest, color="#444444", linewidth=0.4)
    axes.set_ylabel("waveform")
    axes.fill_between(
        times, 0, 1, where=speech > 0.5, step="mid", transform=axes.get_xaxis_transform(),
        color="#999999", alpha=0.3, linewidth=0, label="speech",
    )  # fmt: skip
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)


def _colours(count: int) -> list[Any]:
    if count <= len(COLOURS):
        return list(COLOURS[:count])
    return [colorsys.hsv_to_rgb(number / count, 0.75, 0.8) for number in range(count)]
