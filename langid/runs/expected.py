"""What was published of an experiment, and how it stands beside what comes out here."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from langid.errors import LangidError

METRICS = ("accuracy", "balanced_accuracy", "macro_f1", "frame_accuracy")
PARTS = ("validation", "test")
SOUND = "_sound"  # ends the name of an experiment whose protocol is done right
WITHIN, OUTSIDE = "within tolerance", "outside"


@dataclass(frozen=True)
class Figure:
    """A published figure: ``metric`` of a ``part`` of the ``split``, and how near is near enough.

    ``overrides`` are those of langid train that the figure belongs to, beside the experiment's own.
    Without a ``value`` nothing was published of it, and it says only what is scored.
    """

    metric: str
    part: str
    value: float | None = None
    tolerance: float | None = None
    split: str = ""
    note: str = ""
    overrides: Sequence[str] = ()

    def __post_init__(self) -> None:
        for name, accepted in (("metric", METRICS), ("part", PARTS)):
            if (value := getattr(self, name)) not in accepted:
                raise LangidError(f"{name}: {value}; accepted are {', '.join(accepted)}")

    def verdict(self, here: float, same_data: bool) -> str:
        """Say how ``here``, the same metric measured now, stands to the published value."""
        if self.value is None:
            return "no figure published"
        if not same_data:
            return "data differ, not comparable"
        if self.tolerance is None:
            return "no tolerance given"
        return WITHIN if abs(here - self.value) <= self.tolerance else OUTSIDE


@dataclass(frozen=True)
class Data:
    """The data that figures were reported on; without ``corpora`` they cannot be had."""

    name: str
    locales: Sequence[str] | None = None
    corpora: Sequence[str] | None = None
    clips: int | None = None

    def same(self, corpora: Sequence[str], clips: int) -> bool:
        """Return whether some clips of some corpora are these data."""
        return set(corpora) == set(self.corpora or ()) and clips == self.clips


@dataclass(frozen=True)
class StandIn:
    """What runs where the published data cannot be had: releases, locales, overrides of train.

    ``note`` says what a reader of the figures has to know of how these were chosen.
    """

    releases: Sequence[str]
    locales: Sequence[str] | None = None
    overrides: Sequence[str] = ()
    note: str = ""


@dataclass(frozen=True)
class Expected:
    """The content of an experiment's expected.yaml."""

    source: str
    figures: Sequence[Figure]
    data: Data
    stand_in: StandIn
    differs: Sequence[str] = ()

    def figures_of(self, overrides: Sequence[str]) -> list[Figure]:
        """Return the figures of a training with such overrides: those that name most of them."""
        fitting = [figure for figure in self.figures if set(figure.overrides) <= set(overrides)]
        most = max((len(figure.overrides) for figure in fitting), default=0)
        return [figure for figure in fitting if len(figure.overrides) == most]


def expected_of(plain: Any, path: Path) -> Expected:
    """Return the content of an expected.yaml; raises LangidError for what does not belong there."""
    try:
        figures = [Figure(**figure) for figure in plain["figures"]]
        parts = {"data": Data(**plain["data"]), "stand_in": StandIn(**plain["stand_in"])}
        return Expected(**plain | {"figures": figures, **parts})
    except (KeyError, TypeError) as error:
        raise LangidError(
            f"{path}: {error}; expected are source, figures, data, stand_in and differs, as in"
            " experiments/ee599_gru200/expected.yaml"
        ) from error
    except LangidError as error:
        raise LangidError(f"{path}: {error}") from error
