"""From the posteriors of frames to a decision about a stream; numpy only."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from langid.errors import LangidError

UNSUMMED = 100  # blocks of frames that may wait to be added up
UNDECIDED, DECIDED, UNKNOWN = "undecided", "decided", "unknown"


@dataclass(frozen=True)
class DecisionSettings:
    """How posteriors become a decision; the defaults are the official score and nothing else.

    ``half_life_s``: after so many seconds of further speech a frame counts half; infinity is the
    mean over all speech frames. ``decide_at``: the stream is undecided until a language reaches
    this posterior, and its decision stays until another language reaches it. ``unknown_below``:
    where the highest posterior is lower the language is unknown; ``choose_threshold`` finds the
    value on validation data. ``languages``: the only ones that are considered, None for all.
    Raises LangidError for values outside these meanings.
    """

    half_life_s: float = math.inf
    decide_at: float = 0.0
    unknown_below: float = 0.0
    languages: Sequence[str] | None = None

    def __post_init__(self) -> None:
        if not (is_number(self.half_life_s) and self.half_life_s > 0):
            raise LangidError(
                f"half_life_s={self.half_life_s}: accepted are seconds of speech above 0, and inf"
                " for the mean over all of them"
            )
        for name in ("decide_at", "unknown_below"):
            value = getattr(self, name)
            if not (is_number(value) and 0 <= value <= 1):
                raise LangidError(f"{name}={value}: accepted are posteriors from 0 (off) to 1")

    @classmethod
    def of(cls, metadata: Mapping[str, Any], **changes: Any) -> "DecisionSettings":
        """Return the settings of a model's metadata, with those changes that are not None.

        Raises LangidError for a name that is no setting, in the metadata as in ``changes``.
        """
        stored = metadata.get("decision") or {}
        accepted = [field.name for field in fields(cls)]
        chosen: dict[str, Any] = {}
        for source in (stored, changes):
            for name, value in source.items():
                if name not in accepted:
                    raise LangidError(
                        f"no decision setting {name}; accepted are {', '.join(accepted)}"
                    )
                if value is not None:
                    chosen[name] = value
        return cls(**chosen)


@dataclass(frozen=True)
class Decision:
    """What is known about a stream after the speech heard so far.

    ``label`` is a language, ``"unknown"``, or None while undecided; ``status`` is ``"decided"``,
    ``"unknown"`` or ``"undecided"``, which it is before any speech. ``posteriors`` are those of
    the languages considered, and ``confidence`` is the label's, the highest where there is none.
    ``decided_after_s`` says after how many seconds of speech a language was first decided on.
    """

    label: str | None
    status: str
    confidence: float
    posteriors: dict[str, float]
    speech_s: float
    heard_s: float
    decided_after_s: float | None


class DecisionRule:
    """The running decision of one stream.

    Sums are taken frame by frame in float64, so that the same frames give the same decision to the
    last bit, however they are cut into blocks.
    """

    def __init__(self, classes: Sequence[str], hop_s: float, settings: DecisionSettings):
        self.settings = settings
        self._columns = columns_of(classes, settings.languages)
        self._languages = [classes[column] for column in self._columns]
        self._classes = len(classes)
        self._hop_s = hop_s
        self._decay = decay(settings.half_life_s, hop_s)
        self.reset()

    def reset(self) -> None:
        """Forget everything heard."""
        self._waiting: list[tuple[np.ndarray, np.ndarray]] = []
        self._total = np.zeros(self._classes)
        self._speech_frames = self._frames = 0
        self._decided = -1  # the language decided on, none yet
        self._decided_frames = 0

    def hear(self, posteriors: np.ndarray, speech: np.ndarray) -> None:
        """Take in ``posteriors (frames, classes)`` and ``speech (frames,) bool``.

        The arrays are kept until they are summed up; the caller must not change them.
        """
        self._waiting.append((posteriors, speech))
        if len(self._waiting) >= UNSUMMED:
            self._sum_up()

    @property
    def decision(self) -> Decision:
        """The decision after all frames heard."""
        self._sum_up()
        posteriors = shares(self._total[None], self._columns)[0]
        if not self._speech_frames:
            posteriors = np.zeros(len(posteriors))
        highest = int(posteriors.argmax())
        status, label, confidence = UNDECIDED, None, posteriors[highest]
        if self._decided >= 0 and confidence < self.settings.unknown_below:
            status, label = UNKNOWN, UNKNOWN
        elif self._decided >= 0:
            status, label = DECIDED, self._languages[self._decided]
            confidence = posteriors[self._decided]
        return Decision(
            label=label,
            status=status,
            confidence=float(confidence),
            posteriors=dict(zip(self._languages, posteriors.tolist(), strict=True)),
            speech_s=self._speech_frames * self._hop_s,
            heard_s=self._frames * self._hop_s,
            decided_after_s=self._decided_frames * self._hop_s if self._decided >= 0 else None,
        )

    @property
    def state(self) -> dict[str, Any]:
        """Everything remembered, as numbers and an array: see StreamingIdentifier.state."""
        self._sum_up()
        return {
            "half_life_s": self.settings.half_life_s,
            "total": self._total.copy(),
            "speech_frames": self._speech_frames,
            "frames": self._frames,
            "decided": self._decided,
            "decided_frames": self._decided_frames,
        }

    @state.setter
    def state(self, state: Mapping[str, Any]) -> None:
        self._waiting.clear()
        self._total = np.array(state["total"], np.float64)
        for name in ("speech_frames", "frames", "decided", "decided_frames"):
            setattr(self, f"_{name}", int(state[name]))

    def _sum_up(self) -> None:
        """Add what waits, in one go: numpy is slow on single frames."""
        if not self._waiting:
            return
        posteriors, speech = map(np.concatenate, zip(*self._waiting, strict=True))
        self._waiting.clear()
        self._frames += len(speech)
        heard = posteriors[speech]
        if len(heard):
            totals = running_totals(self._total, heard, self._decay)
            self._decide(totals)
            self._total = totals[-1].copy()
            self._speech_frames += len(heard)

    def _decide(self, totals: np.ndarray) -> None:
        """Follow the language decided on through frames, ``totals (frames, classes)``."""
        posteriors = shares(totals, self._columns)
        reached = np.flatnonzero(posteriors.max(1) >= self.settings.decide_at)
        if len(reached):
            if self._decided < 0:
                self._decided_frames = self._speech_frames + int(reached[0]) + 1
            self._decided = int(posteriors[reached[-1]].argmax())


def choose_threshold(confidences: np.ndarray, right: np.ndarray, error_rate: float) -> float:
    """Return the lowest confidence at and above which at most ``error_rate`` is wrong.

    ``confidences (decisions,)`` and ``right (decisions,) bool`` are of validation data. The choice
    is that of selective classification (El-Yaniv and Wiener, JMLR 2010): as few decisions as
    possible are rejected. Raises LangidError where no threshold gives the error rate.
    """
    confidences, right = np.asarray(confidences, np.float64), np.asarray(right, np.bool_)
    if confidences.ndim != 1 or confidences.shape != right.shape or not len(confidences):
        raise LangidError(
            f"confidences {confidences.shape} and right {right.shape}: expected one of each for"
            " every decision, and at least one"
        )
    if not np.isfinite(confidences).all():
        raise LangidError("confidences hold NaN or infinity: expected posteriors")
    if not 0 <= error_rate < 1:
        raise LangidError(f"error_rate={error_rate}: accepted are shares from 0 to below 1")
    order = np.argsort(-confidences, kind="stable")
    confidences = confidences[order]
    errors = np.cumsum(~right[order]) / np.arange(1, len(order) + 1)
    last_of_equal = np.append(confidences[:-1] > confidences[1:], True)
    kept = np.flatnonzero(last_of_equal & (errors <= error_rate))
    if not len(kept):
        raise LangidError(
            f"no threshold gives an error rate of {error_rate}: among the most confident decisions"
            f" {errors[last_of_equal].min():.3f} are wrong; accept a higher rate"
        )
    return float(confidences[kept[-1]])


def columns_of(classes: Sequence[str], languages: Sequence[str] | None) -> list[int]:
    """Return where the languages stand among the classes, in the classes' order, None for all.

    Raises LangidError for a language that is no class, with those that are, and for no list.
    """
    if languages is not None and (
        isinstance(languages, str) or not isinstance(languages, Sequence) or not len(languages)
    ):
        raise LangidError(f"languages={languages}: expected a list of languages")
    wanted = set(classes if languages is None else languages)
    for name in sorted(wanted - set(classes)):
        raise LangidError(f"languages: the model has no {name}; it knows {', '.join(classes)}")
    return [column for column, name in enumerate(classes) if name in wanted]


def decay(half_life_s: float, hop_s: float) -> float:
    """Return how much a frame counts one speech frame later."""
    return float(0.5 ** (hop_s / half_life_s))


def running_totals(before: np.ndarray, frames: np.ndarray, kept: float) -> np.ndarray:
    """Return after each frame ``kept * total + frame``, ``(frames, classes)`` float64."""
    if kept == 1:
        return np.cumsum(np.concatenate([before[None], frames]), 0)[1:]
    totals = np.empty(frames.shape)
    total = before
    for row, frame in zip(totals, frames, strict=True):
        np.multiply(total, kept, out=row)
        row += frame
        total = row
    return totals


def shares(totals: np.ndarray, columns: list[int]) -> np.ndarray:
    """Return each row restricted to some classes, summing to 1; equal shares where all are 0."""
    chosen = totals.take(columns, 1)
    sums = chosen.sum(1, keepdims=True)
    return np.where(sums > 0, chosen / np.where(sums > 0, sums, 1), 1 / len(columns))


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
