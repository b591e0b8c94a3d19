"""Tests of langid/comparison_plots.py."""

import numpy as np

from langid.comparison_plots import colours_of, draw_choices, draw_curves
from langid.plots import figure_svg


def test_choices_are_ordered_by_size_where_they_are_numbers() -> None:
    choices = {"lr": ["0.01", "0.001", "0.1"], "silence": ["mask", "remove", "mask"]}
    (axes,) = draw_choices(choices, [0.9, 0.7, 0.8]).axes
    heights = {text.get_text(): text.get_position()[1] for text in axes.texts}
    assert heights["0.001"] < heights["0.01"] < heights["0.1"]
    assert (heights["0.700"], heights["0.900"]) == (0, 1)
    lines = [line.get_ydata() for line in axes.lines]
    assert [line[-1] for line in reversed(lines)] == [1, 0, np.float64(0.8 - 0.7) / (0.9 - 0.7)]
    labels = [label.get_text() for label in axes.get_xticklabels()]
    assert labels == ["lr", "silence", "balanced accuracy"]


def test_systems_that_are_equally_good_and_choose_the_same_are_drawn() -> None:
    (axes,) = draw_choices({"lr": ["1", "1"]}, [0.5, 0.5]).axes
    assert {tuple(line.get_ydata()) for line in axes.lines} == {(0.5, 0.5)}


def test_a_curve_for_each_run_and_a_picture_for_each_figure() -> None:
    curve = np.array([[0, 1], [0.5, 0.6]])
    figure = draw_curves(
        {"a": [{"loss": curve}, {"loss": curve, "accuracy": curve}], "b": [{"loss": curve}]}
    )
    assert [(axes.get_ylabel(), len(axes.lines)) for axes in figure.axes] == [
        ("loss", 3), ("accuracy", 1)
    ]  # fmt: skip
    assert figure_svg(figure, "curves").count("</svg>") == 1


def test_systems_are_named_whole_on_several_lines() -> None:
    names = [f"lr={rate}, network=Conformer, train_only=[a,b], waveform=[]" for rate in (0.1, 0.2)]
    figure = draw_curves({name: [{"loss": np.array([[0, 1], [1, 2]])}] for name in names})
    shown = [text.get_text() for text in figure.legends[0].get_texts()]
    assert [text.replace("\n", " ") for text in shown] == names and "\n" in shown[0]
    figure.draw_without_rendering()
    assert figure.legends[0].get_window_extent().x0 >= 0


def test_many_systems_have_different_colours() -> None:
    assert len({tuple(np.atleast_1d(colour)) for colour in colours_of(30)}) == 30
    assert len(set(colours_of(7))) == 7
