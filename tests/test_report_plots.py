"""Tests of langid/report_plots.py."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.colors import to_hex
from scipy.special import ndtr

from langid.plots import figure_svg
from langid.report_plots import (
    draw_by_seconds,
    draw_det,
    draw_lost,
    draw_open_set,
    draw_reliability,
)

FIGURE = {"value": 0.6, "low": 0.4, "high": 0.8}
NONE = {"value": 0.6, "low": None, "high": None, "reason": "1 speaker"}
RATES = [0.001, 0.1, 0.5, 0.9]
MISSES = {
    "x": {"value": [0.6, 0.4, 0.1, 0], "low": [0.5, 0.3, 0, None], "high": [0.7, 0.5, 0.2, None]},
    "y": {"value": [0.9, 0.5, 0.2, 0.1], "low": None, "high": None, "reason": "1 speaker"},
}
BINS = [
    {"from": 0.6, "to": 0.7, "units": 4, "confidence": 0.65, "accuracy": FIGURE},
    {"from": 0.9, "to": 1.0, "units": 1, "confidence": 0.95, "accuracy": NONE},
]


def test_pictures_have_the_colour_of_the_page_and_no_identifier_twice() -> None:
    lines = {"offline": [(1.0, FIGURE), (3.0, NONE)]}
    histogram = {"edges": [0.0, 0.5, 1.0], "known": [1, 3], "unknown": [0, 0]}
    figures = (
        draw_reliability(BINS), draw_det(MISSES, RATES), draw_by_seconds(lines, 0.7),
        draw_lost({"noise": FIGURE, "a room": NONE}), draw_open_set(histogram, 0.4),
    )  # fmt: skip
    drawn = [figure_svg(one, f"picture {number}") for number, one in enumerate(figures)]
    for number, svg in enumerate(drawn):
        root = ElementTree.fromstring(svg)
        assert root.attrib["role"] == "img" and root.attrib["aria-label"] == f"picture {number}"
        assert "width" not in root.attrib and root.attrib["style"].startswith("width:100%;")
        assert "#000000" not in svg and "currentColor" in svg and "nan" not in svg.lower()
        assert not re.search(r"https?://(?!www\.w3\.org)", svg)
    ids = [held for svg in drawn for held in re.findall(r' id="([^"]+)"', svg)]
    assert ids and len(ids) == len(set(ids))


def test_curves_of_misses_have_bands_where_there_are_ends() -> None:
    [axes] = draw_det(MISSES, RATES).axes
    _, *lines = axes.lines  # the first is the diagonal
    assert [line.get_label() for line in lines] == ["x", "y"]
    for line, miss in zip(lines, MISSES.values(), strict=True):
        assert ndtr(line.get_xdata()) == pytest.approx(RATES)
        assert ndtr(line.get_ydata()) == pytest.approx(np.clip(miss["value"], 0.001, 1))
    [band] = axes.collections
    assert to_hex(band.get_facecolor()[0]) == lines[0].get_color()
    [path] = band.get_paths()
    corners = {(round(x, 6), round(y, 6)) for x, y in ndtr(path.vertices)}
    assert corners == {(0.001, 0.5), (0.1, 0.3), (0.5, 0.001), (0.5, 0.2), (0.1, 0.5), (0.001, 0.7)}
    assert ndtr(axes.get_xlim()) == pytest.approx([0.001, 0.9])


def test_what_is_lost_stands_in_points_from_above_in_the_order_given() -> None:
    [axes] = draw_lost({"noise": FIGURE, "a room": NONE}).axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["noise", "a room"]
    assert axes.yaxis_inverted()
    [dots] = [
        line for line in axes.lines if len(line.get_xdata()) == 2 and line.get_marker() == "o"
    ]
    assert list(dots.get_xdata()) == [60.0, 60.0]
    bar = axes.collections[0].get_segments()[0]
    assert bar[:, 0].tolist() == [40.0, 80.0]


def test_scores_are_shares_of_each_kind_and_a_threshold_may_lack() -> None:
    histogram = {"edges": [0.0, 0.5, 1.0], "known": [1, 3], "unknown": [2, 2]}
    [axes] = draw_open_set(histogram, 0.4).axes
    known, unknown = (patch.get_data().values.tolist() for patch in axes.patches)
    assert (known, unknown) == ([0.25, 0.75], [0.5, 0.5])
    assert [line.get_xdata()[0] for line in axes.lines] == [0.4]
    assert not draw_open_set(histogram, None).axes[0].lines
