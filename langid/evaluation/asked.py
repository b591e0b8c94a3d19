"""What is asked of an evaluation, and all that comes of it: predictions, report and page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from langid.data.store import Store
from langid.errors import LangidError
from langid.evaluation.by_seconds import by_seconds
from langid.evaluation.embedding_map import MAPPED, nearness
from langid.evaluation.mistakes import mistakes
from langid.evaluation.open_set import open_set
from langid.evaluation.page import write_page
from langid.evaluation.predictions import (
    Predictions,
    check_unknown,
    of_corpora,
    predict_part,
    predict_unknown,
)
from langid.evaluation.report import make_report, write_report
from langid.metrics import DetectionCosts


@dataclass(frozen=True, kw_only=True)
class Asked:
    """The checkpoints that are scored, on what, and what else their report tells.

    ``corpora`` are those that are scored alone (None: all), ``seconds`` those of by_seconds, the
    others are as in predict_part and make_report. Its methods raise LangidError as these do.
    """

    checkpoints: Sequence[Path]
    store: Path
    part: str = "test"
    workers: int = 0
    ensemble: bool = False
    accelerator: str = "auto"
    heard_s: float | None = None
    corpora: Sequence[str] | None = None
    seconds: Sequence[Any] = (1, 3)
    costs: DetectionCosts = field(default_factory=DetectionCosts)

    def predictions(
        self, part: str, heard_s: float | None, embedded: int | None = 0
    ) -> Predictions:
        """Return what is said of a part, of which so many seconds are heard (None: all).

        ``embedded`` is as in predict_part.
        """
        options = self.workers, self.ensemble, self.accelerator, heard_s, embedded
        found = predict_part(self.checkpoints, self.store, part, *options)
        return found if self.corpora is None else of_corpora(found, self.corpora, part)

    def tested(self) -> Predictions:
        """Return what is said of the part that is asked for, with embeddings for a map."""
        return self.predictions(self.part, self.heard_s, MAPPED)

    def report(self, predictions: Predictions) -> dict[str, Any]:
        """Return the report of the part."""
        report = make_report(predictions, self.part, self.costs, Store(self.store))
        shorter = by_seconds(
            self.seconds, lambda number: self.predictions(self.part, number), predictions
        )
        return report | shorter | {"embeddings": nearness(predictions)}

    def check_unknown(self, unknown: Path) -> None:
        """Raise LangidError for a store that ``open_set`` refuses, before anything is scored."""
        check_unknown(self.checkpoints, unknown, self.ensemble, self.heard_s)

    def open_set(self, predictions: Predictions, unknown: Path) -> dict[str, Any]:
        """Return how well the utterances of a store of other languages are told from the part's.

        The threshold is chosen on the validation part; ``no_threshold`` says why there is none.
        """
        options = self.workers, self.ensemble, self.accelerator, predictions.heard_s
        others = predict_unknown(self.checkpoints, unknown, *options)
        others = others[others["label"] != ""]  # what they are, nobody knows
        chosen_on, reason = None, "chosen on the part that it is tested on it would flatter"
        if self.part != "validation":
            try:
                chosen_on = self.predictions("validation", predictions.heard_s)
            except LangidError as error:  # of a foreign store, or a split without that part
                reason = str(error)
        return open_set(predictions, others, unknown, chosen_on) | {
            "no_threshold": "" if chosen_on is not None else reason
        }

    def write(
        self,
        folder: Path,
        report: Mapping[str, Any],
        predictions: Predictions,
        command: str,
        streams: Mapping[str, Any] | None = None,
        audio: bool = False,
        robust: Mapping[str, Any] | None = None,
    ) -> None:
        """Write the report and its page, which names the ``command``, into a folder.

        ``streams``, ``audio`` and ``robust`` are as in write_page.
        """
        options = self.checkpoints, self.store, self.part, self.ensemble, self.accelerator
        wrong = mistakes(predictions, *options)
        write_page(folder, report, command, predictions, wrong, streams, audio, robust)
        write_report(report, predictions.table, folder)
