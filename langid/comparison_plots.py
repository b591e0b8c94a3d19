"""Pictures of the page of langid compare."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from langid.plots import COLOURS, DASHES, wrapped

LEFT, RIGHT = 0.12, 0.95  # of the range of colours: its ends are hard to see on a page


def colours_of(count: int) -> list[Any]:
    """Return a colour for each of so many systems, the best first."""
    if count <= len(COLOURS):
        return list(COLOURS[:count])
    import matplotlib

    return list(matplotlib.colormaps["viridis"](np.linspace(RIGHT, LEFT, count)))


def dashes_of(count: int) -> list[str]:
    """Return the dashes of so many systems' lines; of many, which colours put in order, none."""
    few = count <= len(COLOURS)
    return [DASHES[number % len(DASHES)] if few else "-" for number in range(count)]


def draw_curves(curves: Mapping[str, Sequence[Mapping[str, np.ndarray]]]) -> Figure:
    """Return the curves of systems, a picture for each figure; the best system first.

    Each run of a system has for names of figures ``(2, epochs)``: the epochs, and its values.
    """
    names = list(dict.fromkeys(name for runs in curves.values() for run in runs for name in run))
    figure = Figure((7.6, 0.6 + 2.5 * len(names)), layout="constrained")
    colours, dashes = colours_of(len(curves)), dashes_of(len(curves))
    for axes, name in zip(figure.subplots(len(names), 1, squeeze=False)[:, 0], names, strict=True):
        for number, runs in reversed(list(enumerate(curves.values()))):  # the best lies above
            for run in runs:
                if name in run:
                    look = {"color": colours[number], "linestyle": dashes[number]}
                    axes.plot(*run[name], **look, linewidth=1.2, marker=".")
        axes.set(ylabel=name)
        axes.grid(alpha=0.3)
    axes.set_xlabel("epoch")
    _legend(figure, list(curves), list(zip(colours, dashes, strict=True)))
    return figure


def draw_choices(choices: Mapping[str, Sequence[str]], figures: Sequence[float]) -> Figure:
    """Return what systems have chosen as lines over parallel axes, the last their figure.

    ``choices`` has for each key the value of every system, the best first, as the ``figures``
    (Inselberg, The Visual Computer 1, 1985).
    """
    figure = Figure((max(4.5, 1.5 * (len(choices) + 1)), 3.8), layout="constrained")
    axes = figure.add_subplot()
    columns, low, high = [], min(figures), max(figures)
    for place, values in enumerate(choices.values()):
        there = _ordered(values)
        heights = np.linspace(0, 1, len(there)) if len(there) > 1 else np.array([0.5])
        columns.append([heights[there.index(value)] for value in values])
        for value, height in zip(there, heights, strict=True):
            axes.text(place - 0.04, height, value, fontsize=8, ha="right", va="bottom")
    columns.append([(of - low) / (high - low) if high > low else 0.5 for of in figures])
    for height, figure_there in {0.0: low, 1.0: high}.items():
        axes.text(len(choices) + 0.04, height, f"{figure_there:.3f}", fontsize=8, va="center")
    lines = np.array(columns).T  # (systems, axes)
    looks = zip(lines, colours_of(len(lines)), dashes_of(len(lines)), strict=True)
    for line, colour, dash in reversed(list(looks)):
        axes.plot(line, color=colour, linestyle=dash, linewidth=1.4, alpha=0.9)
    axes.vlines(range(len(columns)), 0, 1, color="0.5", linewidth=0.8)
    axes.set_xticks(range(len(columns)), [*choices, "balanced accuracy"], fontsize=9)
    axes.set(xlim=(-0.6, len(choices) + 0.5), ylim=(-0.05, 1.05), yticks=[])
    for side in axes.spines.values():
        side.set_visible(False)
    return figure


def _ordered(values: Sequence[str]) -> list[str]:
    """Return the different values, numbers by their size."""
    there = sorted(set(values))
    try:
        return sorted(there, key=float)
    except ValueError:
        return there


def _legend(figure: Figure, names: Sequence[str], looks: Sequence[Any]) -> None:
    from matplotlib.lines import Line2D

    if len(names) > len(COLOURS):
        shown = {f"best: {names[0]}": looks[0], f"worst: {names[-1]}": looks[-1]}
    else:
        shown = dict(zip(names, looks, strict=True))
    handles = [
        Line2D([], [], color=colour, linestyle=dash, label=wrapped(name))
        for name, (colour, dash) in shown.items()
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=2, fontsize=8, frameon=False)
