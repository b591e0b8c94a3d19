"""Tests of langid/sound_plots.py."""

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from langid.sound_plots import draw_posteriors, draw_recording


@pytest.mark.parametrize("names", [("en", "hi"), ("Chinese (Hong Kong), Cantonese", "WWWWWWWWWW")])
def test_names_of_classes_lie_in_the_picture(names: tuple[str, str]) -> None:
    times_s = np.arange(1, 101) / 10
    columns = np.tile([-0.5, 0.5, 1.0, 0.3, 0.7], (100, 1))
    stretches = [(0.0, 4.0, "undecided"), (4.0, 10.0, names[1])]
    figure = draw_recording(times_s, columns, names, stretches, "a title")
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    for axes in figure.axes:
        legend = axes.get_legend()
        assert legend is not None
        box = legend.get_window_extent(canvas.get_renderer())
        assert box.x1 <= figure.bbox.width and box.y0 >= 0


def test_what_is_said_in_pauses_is_faint() -> None:
    posteriors = np.array([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8]])
    speech = np.array([True, False, True])
    figure = draw_posteriors([("one", posteriors, speech)], ["en", "hi"], 100.0, "epoch 0")
    (axes,) = figure.axes
    faint, clear = (line.get_ydata() for line in axes.lines[:2])
    np.testing.assert_array_equal(faint, posteriors[:, 0])
    np.testing.assert_array_equal(clear, [0.9, np.nan, 0.2])
    np.testing.assert_allclose(axes.lines[0].get_xdata(), [0.005, 0.015, 0.025])
