"""Pictures of plain figures: nothing here knows where they come from."""

import io
import re
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from langid.atomic_file import replaced

SHOWN = 20  # classes; more are not legible on a phone
NAME = 24  # characters of a class's name on one line
LABEL = 44  # of what names a system
WIDE = 10  # classes whose cells are as wide as that of a number of five digits; of more, narrower
DOTS: dict[str, Any] = {"markersize": 4, "capsize": 2, "linewidth": 1}
CONDITIONS = {"mixed": "classes mixed", "same": "one class"}  # of streams without a reset
# Each 3:1 and more against the page, light and dark. Colour-blind people, by Machado et al.'s model
# (2009), see them farther apart than those of Okabe and Ito (2008), of which three are too light.
COLOURS = ("#0072b2", "#cc8400", "#9000fc", "#6c6c54", "#b43c18", "#906cfc", "#b484a8")
DASHES = ("-", "--", "-.", ":")  # of lines, which tell these apart too
BLACK = "#000000"  # in an SVG it becomes the colour of the page's text
LEGIBLE = 900  # pixels: where there is less room SVGs scroll; wider ones shrink to so much


def save_figure(figure: Figure, path: Path, key: str = "") -> None:
    """Write a picture as PNG, whole or not at all; raises LangidError as ``replaced`` does."""
    with replaced(path, key) as partial:
        figure.savefig(partial, dpi=150)


def figure_svg(figure: Figure, label: str) -> str:
    """Return a picture as SVG for a page, whose black is the page's colour of text.

    ``label``, escaped, is its text for who does not see it; no other picture of the page may have
    the same, for identifiers are made of it.
    """
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": label}):
        figure.savefig(file := io.StringIO(), format="svg", transparent=True)
    drawn = file.getvalue()
    drawn = re.sub(r"<metadata>.*?</metadata>", "", drawn, flags=re.DOTALL)
    drawn = re.sub(r' id="[a-zA-Z0-9.]+_\d+"', "", drawn).replace(BLACK, "currentColor")
    _, _, drawn = drawn.partition("<svg ")
    attributes, _, inside = drawn.partition(">")
    width = re.search(r'\bwidth="([\d.]+)pt"', attributes)
    assert width is not None
    attributes = re.sub(r'\b(width|height)="[^"]*"', "", attributes)
    pixels = float(width[1]) * 4 / 3  # of points of 1/72 inch
    told = f'role="img" aria-label="{label}" fill="currentColor" style="{legible(pixels)}"'
    return f"<svg {told} {attributes}>{inside}"


def legible(pixels: float) -> str:
    """Return the style of an SVG so wide: it shrinks no further than its text can be read."""
    return f"width:100%;min-width:{min(pixels, LEGIBLE):.0f}px;max-width:{pixels:.0f}px"


def short_names(names: Sequence[str]) -> list[str]:
    """Return different names as different ones of at most NAME characters, cut in the middle."""
    taken, shown = set(names), []
    for name in names:
        short, number = name, 1
        while len(name) > NAME and short in taken:
            mark = "…" if number == 1 else f"…{number}…"  # of names whose ends are alike
            kept = NAME - len(mark)
            short = name[: kept - kept // 2] + mark + name[len(name) - kept // 2 :]
            number += 1
        taken.add(short)
        shown.append(short)
    return shown


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
    figure = Figure(side, layout="constrained")
    axes = figure.add_subplot(xlabel="predicted", ylabel="true")
    axes.set_xticks(range(len(columns)), columns, rotation=45, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(names)), names)
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
    figure = Figure((13, 4), layout="constrained")
    since, speech, decision = figure.subplots(1, 3)
    _draw_since(since, report)
    _draw_speech(speech, report)
    for axes in (since, speech):
        axes.legend(fontsize=8, loc="lower left", bbox_to_anchor=(0, 1), ncols=3, frameon=False)
    _draw_decisions(decision, report["decisions"])
    figure.suptitle(title, fontsize=10)
    return figure


def _draw_since(axes: Axes, report: Mapping[str, Any]) -> None:
    offline = report["conditions"]["offline"]["accuracy"]
    if offline["low"] is not None:
        axes.axhspan(offline["low"], offline["high"], color="0.5", alpha=0.2, linewidth=0)
    axes.axhline(offline["value"], color="0.5", linewidth=1, label="whole clips, offline")
    for number, (name, rows) in enumerate(report["since_reset"].items()):
        place = np.arange(len(rows)) + 0.12 * (2 * number - 1)
        figures = [row["accuracy"] for row in rows]
        draw_dots(axes, place, figures, fmt="o", color=f"C{number}", label=CONDITIONS[name])
    spans = max(report["since_reset"].values(), key=len)
    names = [f"{row['from_s']:g}–{row['to_s']:g}" for row in spans]
    axes.set_xticks(range(len(spans)), names, fontsize=8)
    axes.set(
        xlabel="seconds since the stream began, no reset between clips", ylabel="accuracy per clip"
    )


def _draw_speech(axes: Axes, report: Mapping[str, Any]) -> None:
    clips, speakers = report["by_speech"], report["by_speech_of_speakers"]
    seconds = np.array([row["seconds"] for row in clips])
    joined, label = [row["long"] or {} for row in speakers], "speakers with so much, clips joined"
    draw_dots(axes, seconds / 1.03, [row["all"] for row in clips], fmt="o-C0", label="clips")
    draw_dots(axes, seconds * 1.03, joined, fmt="o-C1", label=label)
    axes.set_xscale("log")
    axes.set_xticks(seconds, [f"{row['seconds']:g}\n({row['clips']})" for row in speakers])
    axes.set_xticks([], minor=True)
    axes.set(xlabel="seconds of speech since a reset (speakers with so much)", ylabel="accuracy")


def _draw_decisions(axes: Axes, decisions: Sequence[Mapping[str, Any]]) -> None:
    labels = []
    text: dict[str, Any] = {"ha": "center", "va": "bottom"}
    for place, row in enumerate(decisions):
        threshold, measured = row["decide_at"], row["measured"]
        told = "none" if threshold is None else f"{threshold:g}"
        labels.append(f"{row['error_rate']:.0%}\n{told}")
        if measured is not None and measured["speech_s"] is None:
            axes.text(place, 0, "none decided", fontsize=8, **text)
        elif measured is not None:
            quartiles = dict(zip(("low", "value", "high"), measured["speech_s"], strict=True))
            draw_dots(axes, np.array([place]), [quartiles], fmt="oC0")
            told = f"{measured['decided']} decided\n{measured['error']['value']:.0%} wrong"
            axes.text(place, quartiles["high"], told, fontsize=7, **text)
    axes.set_xticks(range(len(labels)), labels)
    axes.set(
        xlim=(-0.6, len(labels) - 0.4), ylim=(0, 1.15 * axes.get_ylim()[1]),
        xlabel="error rate on validation, and its threshold",
        ylabel="seconds of speech to decision (quartiles)",
    )  # fmt: skip


def draw_dots(
    axes: Axes, place: np.ndarray, figures: Sequence[Mapping[str, Any]], **style: Any
) -> None:
    """Draw figures as dots with their intervals; what is None or not there (NaN) is not drawn."""
    ends = ("value", "low", "high")
    value, low, high = (np.array([figure.get(end) for figure in figures], float) for end in ends)
    axes.errorbar(place, value, _reach(value, low, high), **DOTS | style)


def _reach(value: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    return np.array([value - low, high - value]).clip(0)


def wrapped(label: str) -> str:
    """Return what names a system, on as many lines as it needs."""
    return textwrap.fill(label, LABEL, break_on_hyphens=False)


def draw_comparison(
    figures: Mapping[str, np.ndarray],
    labels: Sequence[str],
    title: str,
    chance: float | None = None,
) -> Figure:
    """Return a picture of metrics as dots with their intervals, one line per label.

    ``figures`` hold value, low and high end of each metric, ``(3, labels)``.
    """
    labels = [wrapped(label) for label in labels]
    lines = max(label.count("\n") for label in labels)  # behind the first
    figure = Figure((8, 1.6 + (0.34 + 0.14 * lines) * len(labels)), layout="constrained")
    axes = figure.add_subplot(xlabel="95 % intervals between speakers")
    place = np.arange(len(labels), dtype=float)
    for number, (name, ends) in enumerate(figures.items()):
        look = {"fmt": "os"[number], "color": ("C0", "0.6")[number], "label": name}
        axes.errorbar(ends[0], place + 0.2 * number, xerr=_reach(*ends), **DOTS | look)
    axes.set_yticks(place, labels, fontsize=8)
    axes.invert_yaxis()
    if chance is not None:
        axes.axvline(chance, color="0.5", linestyle="--", linewidth=1, label="chance")
    axes.grid(axis="x", alpha=0.3)
    axes.set_title(title, fontsize=10)
    figure.legend(loc="outside lower center", ncols=3, fontsize=8, frameon=False)
    return figure


def draw_histograms(histograms: Mapping[str, Mapping[str, Any]]) -> Figure:
    """Return pictures side by side of how many clips of each class lie between ``edges``.

    A histogram has ``edges (n + 1,)`` and ``classes``, the ``n`` counts of each. Of more than seven
    classes, which no colours would tell apart, all are drawn as one.
    """
    figure = Figure((7.2, 2.8), layout="constrained")
    for axes, (name, of) in zip(
        figure.subplots(1, len(histograms), squeeze=False)[0], histograms.items(), strict=True
    ):
        counts = {label: np.array(own) for label, own in of["classes"].items()}
        if len(counts) > len(COLOURS):
            counts = {"all classes": np.sum(list(counts.values()), axis=0)}
        for number, (label, own) in enumerate(counts.items()):
            look = {"color": COLOURS[number], "linestyle": DASHES[number % len(DASHES)]}
            axes.stairs(own, of["edges"], **look, label=label, linewidth=1.5)
        axes.set(xlabel=name, ylabel="clips")
    lines = axes.get_legend_handles_labels()
    figure.legend(*lines, loc="outside upper center", ncols=4, frameon=False)
    return figure


def draw_spreads(spreads: Mapping[str, np.ndarray], labels: Sequence[str]) -> Figure:
    """Return pictures side by side of medians as dots between two percentiles, a line per label.

    ``spreads`` hold median, low and high of each figure, ``(3, labels)``.
    """
    figure = Figure((1.2 + 1.7 * len(spreads), 1.2 + 0.26 * len(labels)), layout="constrained")
    place = np.arange(len(labels), dtype=float)
    for axes, (name, ends) in zip(
        figure.subplots(1, len(spreads), sharey=True), spreads.items(), strict=True
    ):
        axes.errorbar(ends[0], place, xerr=_reach(*ends), fmt="o", color=COLOURS[5], **DOTS)
        axes.set_xlabel(name, fontsize=8)
        axes.tick_params(labelsize=8)
        axes.grid(axis="x", alpha=0.3)
    axes.set_yticks(place, labels)
    axes.set_ylim(len(labels) - 0.5, -0.5)
    return figure
