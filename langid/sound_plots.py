"""Pictures of sound along time: waveform, speech, frames, posteriors and classes."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import hsv_to_rgb
from matplotlib.figure import Figure

from langid.plots import COLOURS

LEGEND, CHARACTER = 0.7, 0.085  # inches: a legend's width without text, and of a character
GREYS = {"undecided": "#d9d9d9", "unknown": "#777777"}  # stretches of no class


def draw_sound(
    samples: np.ndarray,
    speech: np.ndarray,
    frames: np.ndarray,
    rate: int,
    longest_s: float,
    bins: str = "mel bands",
    span: tuple[float, float] = (-18, 2),
) -> Figure:
    """Return a picture of a waveform, grey where ``speech (time,) bool``, and of its frames.

    These are ``frames (time, bins)``, whose values lie within ``span``, of log-mel by default;
    there is room for ``longest_s``.
    """
    figure = Figure((9.6, 3.2), layout="constrained")
    wave, spectrum = figure.subplots(2, 1, sharex=True, height_ratios=[1, 1.6])
    length_s = len(samples) / rate
    ends_s, marks = np.linspace(0, length_s, len(speech) + 1), np.append(speech, speech[-1:])
    # As one image: of every sample and mark an SVG has a point.
    marked: dict[str, Any] = {"color": "0.5", "alpha": 0.3, "linewidth": 0, "rasterized": True}
    wave.fill_between(ends_s, -1, 1, where=marks, step="post", **marked)
    wave.plot(np.arange(len(samples)) / rate, samples, color="C0", linewidth=0.3, rasterized=True)
    wave.set(ylim=(-1, 1), ylabel="waveform")
    look: dict[str, Any] = {"origin": "lower", "aspect": "auto", "cmap": "magma"}
    look["interpolation"] = "none"  # in an SVG an image of one pixel for each value
    look |= {"vmin": span[0], "vmax": span[1], "extent": (0, length_s, 0, frames.shape[1])}
    spectrum.imshow(frames.T, **look)
    spectrum.set(xlim=(0, longest_s), xlabel="seconds", ylabel=bins)
    return figure


Timeline = Sequence[tuple[float, float, str]]  # from and to in seconds, and a class or a status


def draw_recording(
    times_s: np.ndarray, columns: np.ndarray, classes: Sequence[str], timeline: Timeline, title: str
) -> Figure:
    """Return a picture of waveform, speech, posteriors and a timeline, one above the other.

    ``columns (columns, 3 + classes)`` hold lowest and highest sample, the share of speech and
    posteriors around each of ``times_s (columns,)``.
    """
    figure = Figure((11, 5.5))  # a layout that looks for its margins takes three times as long
    legend = LEGEND + CHARACTER * max(map(len, (*GREYS, *classes)))
    margins = {"left": 0.9 / 11, "right": 1 - legend / 11, "top": 0.94, "bottom": 0.1}
    figure.subplots_adjust(hspace=0.12, **margins)
    wave, shares, spoken = figure.subplots(3, 1, sharex=True, height_ratios=[2, 3, 0.6])
    wave.set_title(title, fontsize=10)
    lowest, highest, speech, *posteriors = columns.T
    wave.fill_between(times_s, lowest, highest, color="#444444", linewidth=0.4)
    wave.fill_between(
        times_s, 0, 1, where=speech > 0.5, step="mid", transform=wave.get_xaxis_transform(),
        color="#999999", alpha=0.3, linewidth=0, label="speech",
    )  # fmt: skip
    wave.set(ylabel="waveform")
    colours = _colours(classes)
    _draw_posteriors(shares, times_s, np.stack(posteriors, axis=1), speech > 0, colours)
    _draw_timeline(spoken, timeline, GREYS | colours)
    spoken.set(xlabel="seconds", xlim=(0, times_s[-1] + times_s[0]))
    for axes in (wave, shares, spoken):
        if axes.get_legend_handles_labels()[0]:
            axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)
    return figure


def draw_posteriors(
    clips: Sequence[tuple[str, np.ndarray, np.ndarray]],
    classes: Sequence[str],
    frames_per_second: float,
    title: str,
) -> Figure:
    """Return a picture of what is said of clips over time, one above the other.

    Of each its name, ``posteriors (time, classes)`` and ``speech (time,) bool``, outside which
    lines are faint.
    """
    figure = Figure((9.6, 1 + 1.3 * len(clips)), layout="constrained")
    figure.suptitle(title, fontsize=10)
    rows = figure.subplots(len(clips), 1, sharex=True, squeeze=False)[:, 0]
    for axes, (name, posteriors, speech) in zip(rows, clips, strict=True):
        times_s = (np.arange(len(speech)) + 0.5) / frames_per_second
        _draw_posteriors(axes, times_s, posteriors, speech, _colours(classes))
        axes.set_title(name, fontsize=9, loc="left")
    rows[-1].set_xlabel("seconds")
    if len(classes) <= len(COLOURS):  # of more a legend is larger than the picture
        rows[0].legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)
    return figure


def _colours(classes: Sequence[str]) -> dict[str, Any]:
    count = len(classes)
    hues = hsv_to_rgb([(number / count, 0.75, 0.8) for number in range(count)])
    return dict(zip(classes, COLOURS if count <= len(COLOURS) else hues, strict=False))


def _draw_posteriors(
    axes: Axes,
    times_s: np.ndarray,
    posteriors: np.ndarray,
    speech: np.ndarray,
    colours: Mapping[str, Any],
) -> None:
    for (name, colour), values in zip(colours.items(), posteriors.T, strict=True):
        axes.plot(times_s, values, color=colour, linewidth=0.5, alpha=0.35)
        in_speech = np.where(speech, values, np.nan)
        axes.plot(times_s, in_speech, color=colour, linewidth=1.2, label=name)
    axes.set(ylim=(0, 1), ylabel="posterior")


def _draw_timeline(axes: Axes, timeline: Timeline, colours: Mapping[str, Any]) -> None:
    """Draw a bar per stretch; the legend names those of no class, which are grey."""
    for name, colour in colours.items():
        spans = [(start_s, end_s - start_s) for start_s, end_s, own in timeline if own == name]
        if spans:
            label = name if name in GREYS else None
            look = {"facecolor": colour, "edgecolor": "white", "linewidth": 0.5}
            axes.broken_barh(spans, (0, 1), label=label, **look)
    axes.set_yticks([])
    axes.set_ylabel("class", rotation=0, ha="right", va="center")
