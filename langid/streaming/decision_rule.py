"""From the posteriors of frames to running decisions, of one stream or of many; numpy only."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from langid.streaming.decision import (
    DECIDED,
    UNDECIDED,
    UNKNOWN,
    Decision,
    DecisionSettings,
    columns_of,
    kept_after,
    shares,
)

UNSUMMED = 1000  # frames of one stream that may wait to be added up
COUNTS = ("speech_frames", "frames", "decided", "decided_frames")


class DecisionTable:
    """The running decisions of some streams, which have a row each.

    Sums are taken frame by frame in float64, so that the same frames give the same decision to the
    last bit, however they are cut into blocks and whichever streams go together.
    """

    def __init__(self, classes: Sequence[str], hop_s: float, settings: DecisionSettings):
        self.settings = settings
        self._columns = columns_of(classes, settings.languages)
        self._considered = [classes[column] for column in self._columns]
        self._hop_s = hop_s
        self._kept = kept_after(hop_s, settings.half_life_s)
        counts = [(name, np.int64) for name in COUNTS]
        self._fresh = np.zeros(1, [("total", np.float64, len(classes)), *counts])
        self._fresh["decided"] = -1  # on no class yet
        self._rows = self._fresh.copy()

    def grow(self, rows: int) -> None:
        """Have so many rows from now on; those that are new are before their first."""
        new = np.repeat(self._fresh, rows - len(self._rows))
        self._rows = np.concatenate([self._rows, new])

    def reset(self, row: int) -> None:
        """Let a stream be before its first frame."""
        self._rows[row] = self._fresh[0]

    def update(self, rows: np.ndarray, posteriors: np.ndarray, speech: np.ndarray) -> None:
        """Take in ``posteriors (rows, frames, classes), speech (rows, frames)``, no row twice."""
        self._rows["frames"][rows] += speech.shape[1]
        # Until there is speech all frames count, and none of them from then on.
        silent, spoken = self._rows["speech_frames"][rows] == 0, speech.any(1)
        before = np.where((silent & spoken)[:, None], 0, self._rows["total"][rows])
        counted = speech | (silent & ~spoken)[:, None]
        totals = _running_totals(before, posteriors, counted, self._kept)
        self._decide(rows, totals, speech)
        self._rows["total"][rows] = totals[:, -1]
        self._rows["speech_frames"][rows] += speech.sum(1)

    def decision(self, row: int) -> Decision:
        """Return the decision of a stream after all its frames."""
        total, speech_frames, frames, decided, decided_frames = self._rows[row].tolist()
        posteriors = shares(total, self._columns) * (frames > 0)
        highest = int(posteriors.argmax())
        status, label, confidence = UNDECIDED, None, posteriors[highest]
        if decided >= 0 and confidence < self.settings.unknown_below:
            status, label = UNKNOWN, UNKNOWN
        elif decided >= 0:
            label, confidence = self._considered[decided], posteriors[decided]
            status = UNKNOWN if label == UNKNOWN else DECIDED  # it may be a class of its own
        return Decision(
            label=label,
            status=status,
            confidence=float(confidence),
            no_speech=not speech_frames,
            posteriors=dict(zip(self._considered, posteriors.tolist(), strict=True)),
            speech_s=self._seconds(speech_frames),
            heard_s=self._seconds(frames),
            decided_after_s=self._seconds(decided_frames) if decided >= 0 else None,
        )

    def _seconds(self, frames: int) -> float:
        return round(frames * self._hop_s, 6)  # 0.47 and not 0.47000000000000003

    def state(self, row: int) -> dict[str, Any]:
        """Return what is remembered of a stream, as numbers and an array."""
        return {name: self._rows[name][row].copy() for name in ("total", *COUNTS)}

    def set_state(self, row: int, state: Mapping[str, Any]) -> None:
        """Go on from a state of another table with the same settings."""
        for name in ("total", *COUNTS):
            self._rows[name][row] = state[name]

    def _decide(self, rows: np.ndarray, totals: np.ndarray, speech: np.ndarray) -> None:
        """Follow the class decided on through frames, ``totals (rows, frames, classes)``."""
        posteriors = shares(totals, self._columns)
        reached = speech & (posteriors.max(2) >= self.settings.decide_at)
        some = np.flatnonzero(reached.any(1))
        rows, reached = rows[some], reached[some]
        decided, frames = self._rows["decided"], self._rows["decided_frames"]
        new = np.flatnonzero(decided[rows] < 0)
        if len(new):
            first = reached[new].argmax(1)
            spoken = np.cumsum(speech[some[new]], 1)[np.arange(len(new)), first]
            frames[rows[new]] = self._rows["speech_frames"][rows[new]] + spoken
        last = reached.shape[1] - 1 - reached[:, ::-1].argmax(1)
        decided[rows] = posteriors[some, last].argmax(1)


def running_posteriors(posteriors: np.ndarray) -> np.ndarray:
    """Return those of the decision after each frame under default settings, ``(frames, classes)``.

    ``posteriors (frames, classes)`` are of speech alone.
    """
    speech = np.ones((1, len(posteriors)), np.bool_)
    before = np.zeros((1, posteriors.shape[1]))
    totals = _running_totals(before, posteriors[None], speech, 1.0)
    return shares(totals[0], range(posteriors.shape[1]))


def _running_totals(
    before: np.ndarray, posteriors: np.ndarray, counted: np.ndarray, kept: float
) -> np.ndarray:
    """Return ``(rows, frames, classes)`` float64 after each frame; only those ``counted`` count.

    ``before (rows, classes)`` is what there was, ``kept`` the share of it one counted frame later.
    """
    added = np.where(counted[..., None], posteriors, 0)
    if kept == 1:
        return np.cumsum(np.concatenate([before[:, None], added], 1), 1)[:, 1:]
    totals = np.empty((counted.shape[1], *before.shape))
    factors = np.where(counted.T, kept, 1)[..., None]
    for row, factor, frame in zip(totals, factors, added.swapaxes(0, 1), strict=True):
        np.multiply(before, factor, out=row)
        row += frame
        before = row
    return totals.swapaxes(0, 1)


class DecisionRule:
    """The running decision of one stream."""

    def __init__(self, classes: Sequence[str], hop_s: float, settings: DecisionSettings):
        self._table = DecisionTable(classes, hop_s, settings)
        self._posteriors, self._speech = bytearray(), bytearray()  # of frames that wait

    def reset(self) -> None:
        """Be before the first frame."""
        self._posteriors.clear()
        self._speech.clear()
        self._table.reset(0)

    def update(self, posteriors: np.ndarray, speech: np.ndarray) -> None:
        """Take in ``posteriors (1, frames, classes) float32`` and ``speech (1, frames) bool``."""
        self._posteriors += posteriors.tobytes()
        self._speech += speech.tobytes()
        if len(self._speech) >= UNSUMMED:
            self._sum_up()

    @property
    def decision(self) -> Decision:
        """The decision after all frames."""
        self._sum_up()
        return self._table.decision(0)

    @property
    def state(self) -> dict[str, Any]:
        """Everything remembered, as numbers and an array: see StreamingIdentifier.state."""
        self._sum_up()
        return self._table.state(0)

    @state.setter
    def state(self, state: Mapping[str, Any]) -> None:
        self.reset()
        self._table.set_state(0, state)

    def _sum_up(self) -> None:
        """Add what waits, in one go: numpy is slow on single frames."""
        if not self._speech:
            return
        speech = np.frombuffer(bytes(self._speech), np.bool_)
        posteriors = np.frombuffer(bytes(self._posteriors), np.float32)
        self._posteriors.clear()
        self._speech.clear()
        frames = posteriors.reshape(1, len(speech), -1)
        self._table.update(np.zeros(1, np.intp), frames, speech[None])
