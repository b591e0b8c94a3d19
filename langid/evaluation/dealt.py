"""A store's utterances, labelled and dealt as they were in a training."""

from collections.abc import Sequence

import pandas as pd

from langid.build import build
from langid.corpora.splits import Split
from langid.corpora.tasks import Task
from langid.data.datamodule import LanguageDataModule
from langid.data.store import Store
from langid.errors import LangidError
from langid.training.identifier import LanguageIdentifier


def task_of(identifier: LanguageIdentifier) -> Task:
    """Return the task of a training, with the classes that it found."""
    config = identifier.description["task"]
    task = build(config | {"classes": identifier.classes}) if isinstance(config, dict) else None
    if not isinstance(task, Task):
        raise LangidError(f"checkpoint: its task {config} is none; expected one of langid train")
    return task


def dealt(identifier: LanguageIdentifier, store: Store) -> LanguageDataModule:
    """Return the store, dealt and cut as it was in training."""
    description = identifier.description
    split: Split = build(description["split"])
    frames = description["data"]["sequence_frames"]
    return LanguageDataModule(
        store.path, split, identifier.silence, sequence_frames=frames, task=task_of(identifier)
    )


def trained_on(identifiers: Sequence[LanguageIdentifier], store: Store) -> pd.DataFrame | None:
    """Return the utterances of the store that were heard in training, where that can be told."""
    heard: set[int] = set()
    for identifier in identifiers:
        if identifier.description["fingerprint"] != store.fingerprint:
            return None
        summary = identifier.description["split_summary"]["parts"]["train"]
        try:
            data = dealt(identifier, store)
        except LangidError:  # splits deal otherwise than they did
            return None
        if _clips(data.summary()["parts"]["train"]) != _clips(summary):
            return None
        heard |= set(data.parts["row"][data.parts["part"] == "train"])
    return store.utterances.iloc[sorted(heard)]


def _clips(summary: dict[str, dict[str, int]]) -> dict[str, int]:
    return {name: counts["clips"] for name, counts in summary.items()}
