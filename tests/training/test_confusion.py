"""Tests of langid/training/confusion.py."""

import numpy as np

from langid.training.confusion import draw_confusion


def test_cells_hold_the_counts_and_axes_the_names() -> None:
    figure = draw_confusion(np.array([[5, 1, 0], [2, 7, 3], [0, 0, 0]]), ["a", "b", "c"], "test")
    axes = figure.axes[0]
    cells = {text.get_position(): text.get_text() for text in axes.texts}
    assert cells[(1, 0)] == "1"  # true a, predicted b: column 1, row 0
    assert cells[(0, 1)] == "2"
    assert len(cells) == 9
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a", "b", "c"]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("predicted", "true")
