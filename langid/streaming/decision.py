"""What is decided about a stream, and the settings of the decision; numpy only."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from numbers import Real
from typing import Any

import numpy as np

from langid.errors import LangidError

UNDECIDED, DECIDED, UNKNOWN = "undecided", "decided", "unknown"


def is_number(value: Any) -> bool:
    """Whether it is a real number, of Python or numpy."""
    return isinstance(value, Real) and not isinstance(value, bool)


@dataclass(frozen=True)
class DecisionSettings:
    """How posteriors become a decision; the defaults are the official score and nothing else.

    ``half_life_s``: after so many seconds of further speech a frame counts half; infinity is the
    mean over all speech frames, 0 the last one. ``decide_at``: the stream is undecided until a
    class reaches this posterior, and its decision stays until another class reaches it.
    ``unknown_below``: where the highest posterior is lower the class is unknown; ``langid
    evaluate`` finds values on validation data. ``languages``: the only classes that are considered,
    None for all. Raises LangidError for values outside these meanings.
    """

    half_life_s: float = math.inf
    decide_at: float = 0.0
    unknown_below: float = 0.0
    languages: Sequence[str] | None = None

    def __post_init__(self) -> None:
        if not (is_number(self.half_life_s) and self.half_life_s >= 0):
            raise LangidError(
                f"half_life_s={self.half_life_s}: accepted are seconds of speech, 0 for the last"
                " frame of it, and inf for the mean over all of them"
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
        chosen: dict[str, Any] = {}
        for name, value in [*(metadata.get("decision") or {}).items(), *changes.items()]:
            if name not in SETTINGS:
                raise LangidError(f"no decision setting {name}; accepted are {', '.join(SETTINGS)}")
            if value is not None:
                chosen[name] = value
        return cls(**chosen)

    def plain(self) -> dict[str, Any]:
        """Return the settings as JSON has them: no infinity, for which None stands."""
        half_life_s = None if math.isinf(self.half_life_s) else float(self.half_life_s)
        return {
            "half_life_s": half_life_s,
            "decide_at": float(self.decide_at),
            "unknown_below": float(self.unknown_below),
            "languages": None if self.languages is None else list(self.languages),
        }


MEAN, LAST = DecisionSettings(), DecisionSettings(half_life_s=0.0)
SETTINGS = tuple(field.name for field in fields(DecisionSettings))


def official(metadata: Mapping[str, Any]) -> DecisionSettings:
    """Return the settings by which whole utterances are scored, whatever a file decides by."""
    return LAST if metadata.get("cumulative") else MEAN


def kept_after(hop_s: float, half_life_s: float) -> float:
    """Return how much a frame still counts one speech frame later."""
    return 0.5 ** (hop_s / half_life_s) if half_life_s else 0.0


@dataclass(frozen=True)
class Decision:
    """What is known about a stream after the speech so far.

    ``label`` is a class, ``"unknown"``, or None while undecided; ``status`` is ``"decided"``,
    ``"unknown"`` or ``"undecided"``, which it is while there is ``no_speech``. ``posteriors`` are
    the mean over speech frames, or over all while there are none (see langid.utterance), of the
    classes considered; ``confidence`` is the label's, the highest where there is none.
    ``decided_after_s`` says after how many seconds of speech a class was first decided on.
    """

    label: str | None
    status: str
    confidence: float
    no_speech: bool
    posteriors: dict[str, float]
    speech_s: float
    heard_s: float
    decided_after_s: float | None


def columns_of(classes: Sequence[str], considered: Sequence[str] | None) -> list[int]:
    """Return where those considered stand among the classes, in the classes' order, None for all.

    Raises LangidError for a name that is no class, with those that are, and for no list.
    """
    wanted = classes if considered is None else considered
    listed = isinstance(wanted, Sequence) and not isinstance(wanted, str) and len(wanted) > 0
    if not listed or not all(isinstance(name, str) for name in wanted):
        raise LangidError(f"languages={considered}: expected a list of the model's classes")
    for name in sorted(set(wanted) - set(classes)):
        raise LangidError(f"languages: the model has no {name}; it knows {', '.join(classes)}")
    return [column for column, name in enumerate(classes) if name in wanted]


def shares(totals: np.ndarray, columns: Sequence[int]) -> np.ndarray:
    """Restrict ``totals (..., classes)`` to some classes that sum to 1; equal where all are 0."""
    chosen = totals.take(columns, -1)
    sums = chosen.sum(-1, keepdims=True)
    return np.where(sums > 0, chosen / np.where(sums > 0, sums, 1), 1 / len(columns))
