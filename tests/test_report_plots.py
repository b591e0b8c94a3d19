"""Tests of langid/report_plots.py."""

import re
from xml.etree import ElementTree

import numpy as np

from langid.plots import figure_svg
from langid.report_plots import draw_by_seconds, draw_det, draw_reliability

FIGURE = {"value": 0.6, "low": 0.4, "high": 0.8}
NONE = {"value": 0.6, "low": None, "high": None, "reason": "1 speaker"}
BINS = [
    {"from": 0.6, "to": 0.7, "units": 4, "confidence": 0.65, "accuracy": FIGURE},
    {"from": 0.9, "to": 1.0, "units": 1, "confidence": 0.95, "accuracy": NONE},
]


def test_pictures_have_the_colour_of_the_page_and_no_identifier_twice() -> None:
    curve = np.array([0.0, 0.5, 1.0]), np.array([1.0, 0.2, 0.0])
    lines = {"offline": [(1.0, FIGURE), (3.0, NONE)]}
    figures = (draw_reliability(BINS), draw_det({"x": curve}), draw_by_seconds(lines, 0.7))
    drawn = [figure_svg(one, f"picture {number}") for number, one in enumerate(figures)]
    for number, svg in enumerate(drawn):
        root = ElementTree.fromstring(svg)
        assert root.attrib["role"] == "img" and root.attrib["aria-label"] == f"picture {number}"
        assert "width" not in root.attrib and root.attrib["style"].startswith(
            "width:100%;max-width"
        )
        assert "#000000" not in svg and "currentColor" in svg and "nan" not in svg.lower()
        assert not re.search(r"https?://(?!www\.w3\.org)", svg)
    ids = [held for svg in drawn for held in re.findall(r' id="([^"]+)"', svg)]
    assert ids and len(ids) == len(set(ids))
