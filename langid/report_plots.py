"""Pictures of a report's page."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.cluster.hierarchy import dendrogram, linkage
from scipy.spatial.distance import squareform
from scipy.special import ndtri

from langid.plots import COLOURS, DASHES, DOTS, draw_dots, short_names

RATES = (0.001, 0.01, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8)  # marked on the axes of DET curves
GROUPS = 12  # of dots on a map, which colours and shapes tell apart
SHAPES = "o^"  # of the dots, first one in all colours, then the other
GREY = "0.6"
LEGEND = 2.4  # inches, below a map and above it


def draw_reliability(bins: Sequence[Mapping[str, Any]]) -> Figure:
    """Return accuracy against confidence, with 95 % intervals, and how many units a bin holds."""
    figure = Figure((5, 4.6), layout="constrained")
    said, held = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    confidence = np.array([one["confidence"] for one in bins])
    said.plot([0, 1], [0, 1], color="0.5", linewidth=1, label="as right as it says")
    draw_dots(said, confidence, [one["accuracy"] for one in bins], fmt="oC0", label="measured")
    said.set(xlim=(0, 1), ylim=(0, 1.02), ylabel="share that is right")
    said.legend(fontsize=8, loc="upper left", frameon=False)
    ends = [(one["from"], one["to"] - one["from"], one["units"]) for one in bins]
    left, width, units = np.array(ends).T
    held.bar(left, units, width, align="edge", color="C0", alpha=0.6)
    held.set(xlabel="confidence: the posterior of what is said", ylabel="clips")
    return figure


def draw_det(misses: Mapping[str, Mapping[str, Any]], false_alarm: Sequence[float]) -> Figure:
    """Return each class's misses at rates of false alarms, with their bands, on normal deviates.

    ``misses`` are figures whose value, low and high are lists ``(rates,)``; a band has gaps where
    its ends are None.
    """
    figure = Figure((5, 4.6), layout="constrained")
    axes = figure.add_subplot(xlabel="false alarms (%)", ylabel="misses (%)")
    ticks = ndtri(RATES)
    axes.plot(ticks, ticks, color="0.5", linewidth=0.7, linestyle=":")
    least, most = false_alarm[0], false_alarm[-1]  # these axes have no 0
    for number, (name, miss) in enumerate(misses.items()):
        colour, dash = COLOURS[number % len(COLOURS)], DASHES[number % len(DASHES)]
        value, *band = (
            ndtri(np.clip(np.array(miss[end], float), least, 1 - least))
            for end in ("value", "low", "high")
        )
        if miss["low"] is not None:
            axes.fill_between(ndtri(false_alarm), *band, color=colour, alpha=0.15, linewidth=0)
        axes.plot(
            ndtri(false_alarm), value, color=colour, linestyle=dash, linewidth=1.3, label=name
        )
    labels = [f"{100 * rate:g}" for rate in RATES]
    axes.set_xticks(ticks, labels)
    axes.set_yticks(ticks, labels)
    ends = ndtri([least, most])
    axes.set(xlim=ends, ylim=ends)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8, frameon=False)
    return figure


def draw_by_seconds(
    lines: Mapping[str, Sequence[tuple[float, Mapping[str, Any]]]], whole: float
) -> Figure:
    """Return ``lines`` of seconds and the accuracy after them, and that of ``whole`` clips."""
    figure = Figure((6, 3.6), layout="constrained")
    axes: Axes = figure.add_subplot(xlabel="seconds of speech", ylabel="accuracy")
    for number, (name, points) in enumerate(lines.items()):
        seconds, figures = zip(*points, strict=True)
        place = np.array(seconds) * 1.02**number  # side by side
        draw_dots(axes, place, figures, fmt=f"o-C{number}", label=name)
    axes.axhline(whole, color="0.5", linewidth=1, label="whole clips, offline")
    axes.set_xscale("log")
    ticks = sorted({seconds for points in lines.values() for seconds, _ in points})
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.set_xticks([], minor=True)
    axes.set(ylim=(0, 1.02))
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8, frameon=False)
    return figure


def draw_map(places: np.ndarray, labels: Mapping[str, np.ndarray]) -> Figure:
    """Return ``places (dots, 2)`` once for each of ``labels (dots,)``, side by side.

    The 12 groups with the most dots have a look of their own, all others, and dots without a label,
    are grey.
    """
    wide, high = np.ptp(places, axis=0)
    height = 3.4 * np.clip(high / max(wide, 1e-9), 0.4, 1.5)  # inches, of the map alone
    size = max(5.0, 3.7 * len(labels)), height + LEGEND
    figure = Figure(size, dpi=200, layout="constrained")
    for axes, (name, of) in zip(
        figure.subplots(1, len(labels), squeeze=False)[0], labels.items(), strict=True
    ):
        held, count = np.unique(of[of != ""], return_counts=True)
        shown = held[np.argsort(-count, kind="stable")[:GROUPS]]
        rest, others = ~np.isin(of, shown), len(held) - len(shown)
        if rest.any():
            told = f"{others} others" if others else ""
            unknown = "unknown" if (of == "").any() else ""
            _scatter(axes, places[rest], GREY, "o", ", ".join(filter(None, (told, unknown))))
        for number, (group, short) in enumerate(
            zip(shown, short_names(shown.tolist()), strict=True)
        ):
            shape = SHAPES[number // len(COLOURS)]
            look = COLOURS[number % len(COLOURS)], shape
            _scatter(axes, places[of == group], *look, short)
        axes.set(title=f"by {name}", xticks=[], yticks=[])
        axes.set_aspect("equal")
        axes.legend(
            loc="upper center", bbox_to_anchor=(0.5, -0.02), ncols=2, fontsize=8, frameon=False,
            markerscale=1.5,
        )  # fmt: skip
    return figure


def _scatter(axes: Axes, places: np.ndarray, colour: str, shape: str, label: str) -> None:
    """Draw dots as one image in an SVG, which a thousand of them would make large."""
    axes.scatter(
        places[:, 0],
        places[:, 1],
        s=9,
        color=colour,
        marker=shape,
        linewidths=0,
        label=label,
        rasterized=True,
    )


def draw_tree(distances: np.ndarray, names: Sequence[str]) -> Figure:
    """Return the tree of ``distances (names, names)`` by average linkage, leaves on the left."""
    joined = linkage(squareform(distances), "average", optimal_ordering=True)
    tree = dendrogram(joined, no_plot=True)
    figure = Figure((6.5, 0.9 + 0.24 * len(names)), layout="constrained")
    axes = figure.add_subplot(xlabel="cosine distance")
    for across, along in zip(tree["dcoord"], tree["icoord"], strict=True):
        axes.plot(across, along, color="C0", linewidth=1.3)
    leaves = short_names([names[leaf] for leaf in tree["leaves"]])
    axes.set_yticks(5 + 10 * np.arange(len(leaves)), leaves)  # where dendrogram puts them
    axes.set(ylim=(10 * len(leaves), 0), xlim=(0, None))
    axes.grid(axis="x", alpha=0.3)
    return figure


def draw_lost(differences: Mapping[str, Mapping[str, Any]]) -> Figure:
    """Return ``differences``, figures by condition, as dots with 95 % intervals, a line each."""
    figure = Figure((6.4, 1.2 + 0.27 * len(differences)), layout="constrained")
    axes = figure.add_subplot(xlabel="change of balanced accuracy, in points")
    ends = [[of.get(end) for end in ("value", "low", "high")] for of in differences.values()]
    value, low, high = 100 * np.array(ends, float).T
    reach = np.array([value - low, high - value]).clip(0)
    place = np.arange(len(value))
    axes.axvline(0, color="0.5", linewidth=1)
    axes.errorbar(value, place, xerr=reach, fmt="oC0", **DOTS)
    axes.set_yticks(place, list(differences))
    axes.invert_yaxis()
    axes.grid(axis="x", alpha=0.3)
    return figure


def draw_open_set(histogram: Mapping[str, Sequence[float]], threshold: float | None) -> Figure:
    """Return the shares of known and unknown clips by score, and where the threshold lies."""
    figure = Figure((6, 3.2), layout="constrained")
    axes = figure.add_subplot(xlabel="highest posterior", ylabel="share of the clips", xlim=(0, 1))
    for name, colour, dash in (("known", COLOURS[0], "-"), ("unknown", COLOURS[4], "--")):
        counts = np.array(histogram[name], float)
        shares = counts / max(counts.sum(), 1)
        look: dict[str, Any] = {"color": colour, "linestyle": dash, "linewidth": 1.5}
        axes.stairs(shares, histogram["edges"], **look, label=name)
    if threshold is not None:
        axes.axvline(threshold, color="0.5", linestyle=":", linewidth=1, label="threshold")
    axes.legend(fontsize=8, frameon=False)
    return figure
