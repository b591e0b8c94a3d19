"""The pictures hold what they are given, and nothing of them is cut."""

import itertools
import re
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from langid.errors import LangidError
from langid.markup import STYLE
from langid.plots import (
    COLOURS,
    draw_comparison,
    draw_confusion,
    draw_histograms,
    draw_spreads,
    figure_svg,
    most_confused,
    save_figure,
    short_names,
)


def test_cells_hold_the_counts_and_axes_the_names() -> None:
    figure = draw_confusion(np.array([[5, 1, 0], [2, 7, 3], [0, 0, 0]]), ["a", "b", "c"], "test")
    axes = figure.axes[0]
    cells = {text.get_position(): text.get_text() for text in axes.texts}
    assert cells[(1, 0)] == "1"  # true a, predicted b: column 1, row 0
    assert cells[(0, 1)] == "2"
    assert len(cells) == 9
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a", "b", "c"]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("predicted", "true")


def of_many(classes: int) -> np.ndarray:
    """Return counts of which every fifth class is much confused with the next but one."""
    counts = np.eye(classes, dtype=int) * 12345
    for index in range(0, classes, 5):
        counts[index, (index + 2) % classes] = 100 + index
    return counts


def test_of_many_classes_the_most_confused_are_shown_and_the_title_says_so() -> None:
    names = [f"language number {index} (of a region)" for index in range(100)]
    figure = draw_confusion(of_many(100), names, "test: 5000 clips, 900 speakers")
    axes = figure.axes[0]
    shown = [label.get_text() for label in axes.get_yticklabels()]
    chosen = most_confused(of_many(100))
    assert len(shown) == len(chosen) == 20
    assert {index for index in chosen if index % 5 == 0} >= set(range(55, 100, 5))
    assert " ".join(shown[-1].split()) == names[chosen[-1]]
    assert axes.get_xticklabels()[-1].get_text() == "80 others"
    assert "the 20 most confused of 100 classes" in " ".join(figure.get_suptitle().split())
    wrong = chosen[[index % 5 for index in chosen].index(0)]
    row = chosen.index(wrong)
    cells = {text.get_position(): text.get_text() for text in axes.texts}
    assert cells[(row, row)] == "12345"
    taken = chosen.index(wrong + 2) if wrong + 2 in chosen else 20
    assert cells[(taken, row)] == str(100 + wrong)


@pytest.mark.parametrize("classes", [2, 3, 11, 20, 21, 100])
def test_nothing_is_cut_and_no_number_leaves_its_cell(classes: int) -> None:
    names = [f"Chinese (Hong Kong) {index}" for index in range(classes)]
    title = "validation: 5000 clips, 900 speakers and 60 clips of unknown speakers"
    figure = draw_confusion(of_many(classes), names, title)
    figure.draw_without_rendering()
    axes = figure.axes[0]
    for text in figure.findobj(Text):
        box = text.get_window_extent()
        if text.get_visible() and text.get_text():
            assert box.x0 >= -1 and box.y0 >= -1, text
            assert box.x1 <= figure.bbox.width + 1 and box.y1 <= figure.bbox.height + 1, text
    cell = axes.get_window_extent().width / len(axes.get_xticklabels())
    for text in axes.texts:
        assert text.get_window_extent().width <= cell
        assert text.get_fontsize() >= 5


def test_runs_are_named_and_dots_lie_on_their_figures() -> None:
    nan = np.full(2, np.nan)  # no interval
    figures = {
        "balanced accuracy": np.array([[0.8, 0.5], [0.7, 0.4], [0.9, 0.6]]),
        "accuracy": np.stack([np.array([0.7, 0.6]), nan, nan]),
    }
    axes = draw_comparison(figures, ["a", "b"], "validation part").axes[0]
    assert [text.get_text() for text in axes.get_yticklabels()] == ["a", "b"]
    assert axes.lines[0].get_xdata().tolist() == [0.8, 0.5]


def test_runs_of_long_names_do_not_run_into_each_other() -> None:
    ends = {"accuracy": np.array([[0.8, 0.5], [0.7, 0.4], [0.9, 0.6]])}
    names = [f"lr={rate}, network=Conformer, train_only=[a,b], init=-" for rate in (0.1, 0.2)]
    figure = draw_comparison(ends, names, "validation part")
    figure.draw_without_rendering()
    above, below = (text.get_window_extent() for text in figure.axes[0].get_yticklabels())
    assert above.y0 >= below.y1 and above.x0 >= 0 and above.width < figure.bbox.width / 2


def test_short_names_are_as_different_as_the_names() -> None:
    names = ["cv-corpus-6.1-2020-12-11", "Mandarin", *(f"{'a' * 20}{n}{'b' * 20}" for n in "123")]
    shown = short_names(names)
    assert shown[:2] == names[:2]
    assert shown[2:4] == [f"{'a' * 12}…{'b' * 11}", f"{'a' * 11}…2…{'b' * 10}"]
    assert len(set(shown)) == 5 and max(map(len, shown)) == 24
    assert short_names(["c" * 30, f"{'c' * 12}…{'c' * 11}"])[0] == f"{'c' * 11}…2…{'c' * 10}"


def histograms(classes: int) -> dict[str, dict[str, object]]:
    counts = {f"class {number}": [number, 2, 3] for number in range(classes)}
    return {"duration, s": {"edges": [0, 1, 2, 3], "classes": counts}}


def test_histograms_show_each_class_or_of_many_their_sum() -> None:
    few = draw_histograms(histograms(2)).axes[0].patches
    assert [patch.get_data().values.tolist() for patch in few] == [[0, 2, 3], [1, 2, 3]]
    [every] = draw_histograms(histograms(8)).axes[0].patches
    assert every.get_data().values.tolist() == [28, 16, 24]


def test_spreads_are_drawn_at_their_medians() -> None:
    ends = np.array([[2.0, 3.0], [1.0, 2.0], [4.0, 4.0]])
    axes = draw_spreads({"loudness, dB": ends, "bandwidth, Hz": ends}, ["a", "b"]).axes
    assert [each.lines[0].get_xdata().tolist() for each in axes] == [[2, 3], [2, 3]]
    assert [label.get_text() for label in axes[0].get_yticklabels()] == ["a", "b"]


@pytest.mark.parametrize(("width", "least"), [(5.0, 480), (6.0, 576), (13.0, 900)])
def test_pictures_scroll_on_a_phone_rather_than_shrink_beyond_legibility(
    width: float, least: int
) -> None:
    assert f"min-width:{least}px" in figure_svg(Figure((width, 1.0)), "nothing")


def luminance(colour: str) -> float:
    shares = np.array([int(colour[place : place + 2], 16) for place in (1, 3, 5)]) / 255
    linear = np.where(shares <= 0.04045, shares / 12.92, ((shares + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def test_lines_are_seen_on_a_light_page_and_on_a_dark_one() -> None:
    papers = re.findall(r"--paper: (#[0-9a-f]{6})", STYLE.read_text())
    assert len(papers) == 2
    for one, other in itertools.product(COLOURS, papers):
        low, high = sorted((luminance(one), luminance(other)))
        assert (high + 0.05) / (low + 0.05) >= 3, (one, other)


class Interrupted(Figure):
    """A picture of which half is written."""

    error: BaseException

    def savefig(self, path: Path, **_: object) -> None:  # type: ignore[override]
        Path(path).write_bytes(b"\x89PNG")
        raise self.error


@pytest.mark.parametrize("error", [OSError(28, "full"), KeyboardInterrupt()])
def test_a_picture_that_is_not_finished_leaves_the_one_before(
    tmp_path: Path, error: BaseException
) -> None:
    path, half = tmp_path / "a.png", Interrupted()
    save_figure(draw_confusion(np.eye(2, dtype=int), ["a", "b"], "test"), path)
    before = path.read_bytes()
    half.error = error
    with pytest.raises((LangidError, KeyboardInterrupt)):
        save_figure(half, path)
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]
