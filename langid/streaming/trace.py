"""A recording in few columns, however long it is, and its picture."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from langid.errors import LangidError
from langid.streaming.segments import Stretch

COLUMNS = 2000  # the picture has at least so many, and never twice as many


class Trace:
    """``columns (columns, 3 + classes)``: lowest and highest sample, share of speech, posteriors.

    A column is a hop at first; when there are too many, two become one, so that memory does not
    grow with the recording.
    """

    def __init__(self, classes: Sequence[str], hop_samples: int, sample_rate: int):
        self.classes = list(classes)
        self._hop_samples = hop_samples
        self._hop_s = hop_samples / sample_rate
        self._hops = 1  # in a column
        self.columns = np.zeros((0, 3 + len(self.classes)))
        self._waiting = self.columns

    def update(self, samples: np.ndarray, posteriors: np.ndarray, speech: np.ndarray) -> None:
        """Take in ``samples (samples,)`` and their frames; those of a last hop may be missing."""
        missing = len(speech) * self._hop_samples - len(samples)
        hops = np.pad(samples, (0, missing)).reshape(len(speech), self._hop_samples)
        rows = np.column_stack([hops.min(1), hops.max(1), speech, posteriors])
        rows = np.concatenate([self._waiting, rows])
        full, self._waiting = np.split(rows, [len(rows) // self._hops * self._hops])
        self.columns = np.concatenate([self.columns, _merged(full, self._hops)])
        while len(self.columns) >= 2 * COLUMNS:
            self._halve()

    @property
    def times_s(self) -> np.ndarray:
        """The middle of each column."""
        return (np.arange(len(self.columns)) + 0.5) * self._hops * self._hop_s

    def _halve(self) -> None:
        even = len(self.columns) // 2 * 2
        odd = np.repeat(self.columns[even:], self._hops, 0)  # as hops again, which merge alike
        self.columns = _merged(self.columns[:even], 2)
        self._waiting = np.concatenate([odd, self._waiting])
        self._hops *= 2


def _merged(rows: np.ndarray, count: int) -> np.ndarray:
    groups = rows.reshape(-1, count, rows.shape[1])
    return np.column_stack(
        [groups[:, :, 0].min(1), groups[:, :, 1].max(1), groups[:, :, 2:].mean(1)]
    )


def draw(trace: Trace, timeline: Sequence[Stretch], path: Path, title: str) -> None:
    """Write a PNG of a trace and a timeline.

    Raises LangidError where there is nothing to draw, and where it cannot be written.
    """
    if not len(trace.columns):
        raise LangidError(f"plot={path}: nothing was heard, so there is nothing to draw")
    from langid.plots import save_figure  # here: most streams draw nothing
    from langid.sound_plots import draw_recording

    stretches = [(one.start_s, one.end_s, one.label) for one in timeline]
    figure = draw_recording(trace.times_s, trace.columns, trace.classes, stretches, title)
    save_figure(figure, path, "plot")
