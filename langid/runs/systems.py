"""Runs that differ in nothing but their seed, which are one system heard several times."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from langid.corpora.splits import speaker_groups
from langid.evaluation.scoring import Figure, score_right
from langid.runs.finished import Run

SEED = "seed"


@dataclass(frozen=True)
class System:
    """Runs of different seeds that are scored on the same speech; often there is one.

    Figures are means over the seeds, with intervals between speakers.
    """

    runs: Sequence[Run]

    @property
    def first(self) -> Run:
        """The run that stands for what all have in common."""
        return self.runs[0]

    @property
    def seeds(self) -> list[int]:
        return [int(run.record.config[SEED]) for run in self.runs]

    @property
    def speakers(self) -> list[str]:
        return list(speaker_groups(self.first.table).tolist())

    @cached_property
    def targets(self) -> np.ndarray:
        """The class of each utterance, ``(utterances,)``."""
        classes = pd.Index(self.first.record.classes)
        return np.asarray(classes.get_indexer(self.first.table["class"]))

    @cached_property
    def right(self) -> np.ndarray:
        """The share of seeds that have an utterance right, ``(utterances,)``."""
        each = [(run.table["predicted"] == run.table["class"]).to_numpy() for run in self.runs]
        return np.asarray(np.mean(each, axis=0))

    @cached_property
    def figures(self) -> dict[str, Figure]:
        """Accuracy and balanced accuracy; of one run those of its report."""
        if len(self.runs) == 1:
            return self.first.report
        return score_right(self.targets, self.right, self.speakers, self.first.record.classes)

    def of_seeds(self, name: str) -> list[float]:
        """Return the value of a figure that each seed has."""
        return [float(run.report[name]["value"]) for run in self.runs]


def systems_of(runs: Sequence[Run], chosen: Sequence[dict[str, Any]]) -> list[System]:
    """Return runs as systems, in the order of their first run; ``chosen`` is what each differs in.

    A seed that is there twice leaves the runs apart, as do other utterances.
    """
    alike: dict[tuple[Any, ...], list[Run]] = {}
    for run, choice in zip(runs, chosen, strict=True):
        key = tuple(value for name, value in choice.items() if name != SEED)
        alike.setdefault(key, []).append(run)
    systems = []
    for some in alike.values():
        some = sorted(some, key=lambda run: int(run.record.config[SEED]))
        system = System(some)
        apart = len(set(system.seeds)) < len(some)
        if apart or not all(same_utterances(run, system.first) for run in some):
            systems += [System([run]) for run in some]
        else:
            systems.append(system)
    return systems


def same_utterances(run: Run, other: Run) -> bool:
    """Return whether the rows of two runs stand for the same speech, in the same order."""
    columns = ["utterance_id", "class"]
    if not run.table[columns].equals(other.table[columns]):
        return False
    if run.report["scored"] == other.report["scored"] == "utterance":
        return True
    # Sequences have no names: they are the same where utterances were cut alike.
    cuts = [
        (of.record.split, of.record.silence, of.record.data["sequence_frames"])
        for of in (run, other)
    ]
    return cuts[0] == cuts[1]
