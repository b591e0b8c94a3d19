"""What is spoken when: from the posteriors of frames to a timeline, as they come."""

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from langid.errors import LangidError
from langid.streaming.decision import columns_of, is_number, kept_after, shares

REMEMBERED = 5  # half-lives of speech before a change in which its place is looked for


@dataclass(frozen=True)
class Stretch:
    """A part of a timeline."""

    start_s: float
    end_s: float
    label: str


@dataclass(frozen=True)
class Segment(Stretch):
    """A part of one class. ``confidence`` is its mean posterior over the speech frames."""

    confidence: float
    speech_s: float


class Segmenter:
    """Cuts a recording where the class, a language say, changes and where nobody speaks.

    The class changes when another leads the posteriors, forgotten exponentially, during
    ``min_duration_s`` of speech: a shorter stretch of another never becomes a segment. The
    forgetting and the wait delay the finding and not the place: the change is put where the sum of
    (old minus new class's posterior) over frames is highest, the estimate of Page (Biometrika
    41, 1954) with posteriors in place of log likelihoods, as networks are too sure of single
    frames; where that leaves less than half of ``min_duration_s`` to a pause, into the pause.
    Pauses longer than ``pause_s`` end a segment; the class goes on behind them. Memory does not
    grow with the recording. Raises LangidError for what is no duration or no class.
    """

    def __init__(
        self,
        classes: Sequence[str],
        hop_s: float,
        half_life_s: float = 1.0,
        min_duration_s: float = 2.0,
        pause_s: float = 0.5,
        languages: Sequence[str] | None = None,
    ):
        for name, value in (("half_life_s", half_life_s), ("min_duration_s", min_duration_s)):
            if not (is_number(value) and 0 < value < math.inf):
                raise LangidError(f"{name}={value}: accepted are seconds above 0")
        if not (is_number(pause_s) and 0 <= pause_s < math.inf):
            raise LangidError(f"pause_s={pause_s}: accepted are seconds from 0")
        self._columns = columns_of(classes, languages)
        self._classes = [classes[column] for column in self._columns]
        self._hop_s = hop_s
        self._kept = kept_after(hop_s, half_life_s)
        self._wait = max(1, round(min_duration_s / hop_s))
        self._window = self._wait + round(REMEMBERED * half_life_s / hop_s)
        self._pause = round(pause_s / hop_s)
        self._total = np.zeros(len(self._columns))
        self._current: int | None = None  # none yet
        self._leader, self._led = -1, 0  # who leads, for how many frames
        self._open: deque[tuple[int, np.ndarray]] = deque()  # frames whose class may change
        self._frames = 0
        self._growing: _Growing | None = None
        self._finished: list[Segment] = []

    def process(self, posteriors: np.ndarray, speech: np.ndarray) -> list[Segment]:
        """``posteriors (frames, classes), speech (frames,) bool`` -> segments that are finished."""
        for index in np.flatnonzero(speech):
            self._process_frame(self._frames + int(index), posteriors[index, self._columns])
        self._frames += len(speech)
        return self._taken()

    def finish(self, end_s: float = math.inf) -> list[Segment]:
        """Return the segments that are left at the end of the recording.

        ``end_s`` is where it ends, before the zeros that fill its last hop.
        """
        if self._current is None:
            self._current = int(self._total.argmax())
        self._settle(len(self._open))
        self._end_segment(end_s)
        return self._taken()

    def _process_frame(self, frame: int, posteriors: np.ndarray) -> None:
        self._total = self._total * self._kept + posteriors
        self._open.append((frame, posteriors))
        leader = int(self._total.argmax())
        self._led = self._led + 1 if leader == self._leader else 1
        self._leader = leader
        if leader != self._current and self._led >= self._wait:
            if self._current is not None:
                self._settle(self._change(self._current, leader))
            self._current = leader
        if len(self._open) > self._window:
            if self._current is None:  # nobody led for long: whoever leads now
                self._current = leader
            self._settle(1)

    def _change(self, old: int, new: int) -> int:
        """Return how many of the open frames are still of the old class."""
        rows = np.stack([posteriors for _, posteriors in self._open])
        gained = np.cumsum(rows[:, old] - rows[:, new])
        change = int(np.argmax(np.append(0.0, gained)))
        pauses = self._pauses()
        nearest = min(pauses, key=lambda place: abs(place - change), default=change)
        return nearest if 2 * abs(nearest - change) < self._wait else change

    def _pauses(self) -> list[int]:
        """Return which of the open frames come first behind a pause."""
        frames = [frame for frame, _ in self._open]
        if self._growing:
            frames.insert(0, self._growing.last)
        later = np.flatnonzero(np.diff(frames) - 1 > self._pause)
        return (later + (0 if self._growing else 1)).tolist()

    def _settle(self, count: int) -> None:
        """Let the oldest open frames be of the current class, for good."""
        for _ in range(count):
            frame, posteriors = self._open.popleft()
            growing = self._growing
            of_current = growing and growing.label == self._current
            if growing is None or not of_current or frame - growing.last - 1 > self._pause:
                self._end_segment()
                growing = self._growing = _Growing(self._current or 0, frame)
            growing.last = frame
            growing.frames += 1
            growing.total = growing.total + posteriors

    def _end_segment(self, end_s: float = math.inf) -> None:
        if self._growing is None:
            return
        growing, self._growing = self._growing, None
        mean = shares(growing.total, range(len(self._columns)))
        beyond_s = max(0.0, (growing.last + 1) * self._hop_s - end_s)
        self._finished.append(
            Segment(
                start_s=self._seconds(growing.first),
                end_s=self._seconds(growing.last + 1, beyond_s),
                label=self._classes[growing.label],
                confidence=float(mean[growing.label]),
                speech_s=self._seconds(growing.frames, beyond_s),
            )
        )

    def _seconds(self, frames: int, beyond_s: float = 0.0) -> float:
        return round(frames * self._hop_s - beyond_s, 6)

    def _taken(self) -> list[Segment]:
        finished, self._finished = self._finished, []
        return finished


@dataclass
class _Growing:
    """The segment to which frames are added."""

    label: int
    first: int
    last: int = -1
    frames: int = 0
    total: Any = 0.0  # the sum of its posteriors, (classes,)
