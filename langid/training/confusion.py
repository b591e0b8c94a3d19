"""Draws a confusion matrix, for TensorBoard and the report."""

import textwrap
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

SHOWN = 20  # classes; more are not legible on a phone
NAME = 24  # characters of a class's name on one line
WIDE = 10  # classes whose cells are as wide as that of a number of five digits; of more, narrower


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
    figure = Figure(figsize=side, layout="constrained")
    FigureCanvasAgg(figure)
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
