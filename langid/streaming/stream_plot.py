"""A recording in few columns, however long it is, and its picture."""

import colorsys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from langid.atomic_file import replaced
from langid.errors import LangidError
from langid.streaming.decision import UNDECIDED, UNKNOWN
from langid.streaming.segments import Stretch

COLUMNS = 2000  # the picture has at least so many, and never twice as many
# Okabe and Ito's colours (2008), which colour-blind people tell apart.
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9", "#f0e442")
GREYS = {UNDECIDED: "#d9d9d9", UNKNOWN: "#777777"}


class Trace:
    """Envelope of the samples, share of speech and mean posteriors per column.

    A column is a hop at first; when there are too many, two become one, so that memory does not
    grow with the recording.
    """

    def __init__(self, classes: Sequence[str], hop_samples: int, sample_rate: int):
        self.classes = list(classes)
        self._hop_samples = hop_samples
        self._hop_s = hop_samples / sample_rate
        self._hops = 1  # in a column
        self._columns = np.zeros((0, 3 + len(self.classes)))  # lowest, highest, speech, posteriors
        self._waiting = self._columns

    def hear(self, samples: np.ndarray, posteriors: np.ndarray, speech: np.ndarray) -> None:
        """Take in ``samples (samples,)`` and their frames; those of a last hop may be missing."""
        missing = len(speech) * self._hop_samples - len(samples)
        hops = np.pad(samples, (0, missing)).reshape(len(speech), self._hop_samples)
        rows = np.column_stack([hops.min(1), hops.max(1), speech, posteriors])
        self._waiting = np.concatenate([self._waiting, rows])
        full = len(self._waiting) // self._hops * self._hops
        columns = _merged(self._waiting[:full], self._hops)
        self._waiting = self._waiting[full:]
        self._columns = np.concatenate([self._columns, columns])
        while len(self._columns) >= 2 * COLUMNS:
            self._halve()

    @property
    def columns(self) -> np.ndarray:
        """``(columns, 3 + classes)``: lowest and highest sample, share of speech, posteriors."""
        return self._columns

    @property
    def times_s(self) -> np.ndarray:
        """The middle of each column."""
        return (np.arange(len(self._columns)) + 0.5) * self._hops * self._hop_s

    def _halve(self) -> None:
        even = len(self._columns) // 2 * 2
        odd = np.repeat(self._columns[even:], self._hops, 0)  # as hops again, which merge alike
        self._columns = _merged(self._columns[:even], 2)
        self._waiting = np.concatenate([odd, self._waiting])
        self._hops *= 2


def _merged(rows: np.ndarray, count: int) -> np.ndarray:
    groups = rows.reshape(-1, count, rows.shape[1])
    return np.column_stack(
        [groups[:, :, 0].min(1), groups[:, :, 1].max(1), groups[:, :, 2:].mean(1)]
    )


def draw(trace: Trace, timeline: Sequence[Stretch], path: Path, title: str) -> None:
    """Write a PNG of waveform, speech, posteriors and a timeline, one above the other.

    Raises LangidError where there is nothing to draw, and where it cannot be written.
    """
    if not len(trace.columns):
        raise LangidError(f"plot={path}: nothing was heard, so there is nothing to draw")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 5.5), layout="constrained")
    FigureCanvasAgg(figure)
    wave, shares, spoken = figure.subplots(3, 1, sharex=True, height_ratios=[2, 3, 0.6])
    wave.set_title(title, fontsize=10)
    times, (lowest, highest, speech, *posteriors) = trace.times_s, trace.columns.T
    _draw_waveform(wave, times, lowest, highest, speech)
    colours = dict(zip(trace.classes, _colours(len(trace.classes)), strict=True))
    for name, values in zip(trace.classes, posteriors, strict=True):
        heard = np.where(speech > 0, values, np.nan)
        shares.plot(times, values, color=colours[name], linewidth=0.5, alpha=0.35)
        shares.plot(times, heard, color=colours[name], linewidth=1.2, label=name)
    shares.set_ylim(0, 1)
    shares.set_ylabel("posterior")
    shares.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)
    _draw_timeline(spoken, timeline, colours)
    spoken.set_xlabel("seconds")
    spoken.set_xlim(0, times[-1] + times[0])
    path.parent.mkdir(parents=True, exist_ok=True)
    with replaced("plot", path) as partial:
        figure.savefig(partial, dpi=120)


def _draw_timeline(axes: Any, timeline: Sequence[Stretch], colours: dict[str, Any]) -> None:
    """Draw a bar per stretch; those of no language are grey and named."""
    for stretch in timeline:
        axes.barh(
            0, stretch.end_s - stretch.start_s, left=stretch.start_s,
            color=colours.get(stretch.language, GREYS.get(stretch.language)), edgecolor="white",
            linewidth=0.5,
        )  # fmt: skip
    found = {stretch.language for stretch in timeline}
    shown = [axes.barh(0, 0, color=grey) for name, grey in GREYS.items() if name in found]
    if shown:
        names = [name for name in GREYS if name in found]
        axes.legend(shown, names, loc="upper left", bbox_to_anchor=(1.0, 1.2), frameon=False)
    axes.set_yticks([])
    axes.set_ylabel("language", rotation=0, ha="right", va="center")


def _draw_waveform(
    axes: Any, times: np.ndarray, lowest: np.ndarray, highest: np.ndarray, speech: np.ndarray
) -> None:
    axes.fill_between(times, lowest, highest, color="#444444", linewidth=0.4)
    axes.set_ylabel("waveform")
    axes.fill_between(
        times, 0, 1, where=speech > 0.5, step="mid", transform=axes.get_xaxis_transform(),
        color="#999999", alpha=0.3, linewidth=0, label="speech",
    )  # fmt: skip
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)


def _colours(count: int) -> list[Any]:
    if count <= len(COLOURS):
        return list(COLOURS[:count])
    return [colorsys.hsv_to_rgb(number / count, 0.75, 0.8) for number in range(count)]
