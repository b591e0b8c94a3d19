"""Posteriors of every utterance of a part, from one checkpoint or from the folds of several."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch.utils.data import DataLoader

from langid.build import build
from langid.corpora.splits import Split, speaker_groups
from langid.data.datamodule import HELD_OUT_FRAMES, LanguageDataModule
from langid.data.dataset import Batch, SequenceDataset, collate, cut
from langid.data.store import FeatureStore
from langid.errors import LangidError
from langid.progress import progress
from langid.training.checkpoint import load_identifier
from langid.training.identifier import LanguageIdentifier
from langid.training.scores import UtteranceScores

EVALUATED_PARTS = ("test", "validation", "train", "all")
TABLE = ["utterance_id", "corpus", "speaker", "language", "duration_s"]
BATCH = 32


@dataclass
class Predictions:
    """What checkpoints say of the utterances of a part.

    ``table`` has one row per unit that is scored (``unit``: ``utterance``, or ``sequence`` under a
    split that cuts utterances) and a column ``p(LANGUAGE)`` per class; ``descriptions`` are those
    of the checkpoints, ``fingerprint`` is that of the store.
    """

    table: pd.DataFrame
    unit: str
    classes: list[str]
    descriptions: list[dict[str, Any]]
    fingerprint: str


def predict_part(
    checkpoints: Sequence[Path], store: Path, part: str, workers: int = 0
) -> Predictions:
    """Return the posteriors of a part; those of several checkpoints (folds, say) are pooled.

    Raises LangidError where a checkpoint does not belong to the store or utterances are scored
    twice.
    """
    if part not in EVALUATED_PARTS:
        raise LangidError(f"part={part}: accepted are {', '.join(EVALUATED_PARTS)}")
    if not checkpoints:
        raise LangidError("checkpoint=[]: expected a checkpoint, or a list of them")
    held = FeatureStore(store)
    tables, descriptions, units = [], [], set()
    for path in checkpoints:
        identifier = load_identifier(path)
        _check_store(identifier, path, held, part)
        sequences, rows, unit = _units(identifier, store, held, part)
        tables.append(_predict(identifier, held, sequences, rows, workers))
        descriptions.append(identifier.description)
        units.add(unit)
    pooled = pd.concat(tables, ignore_index=True)
    doubled = pooled.loc[pooled["number"].duplicated(), "utterance_id"]
    if len(doubled) or len(units) > 1:
        which = f" ({len(doubled)} of them, the first is {doubled.iloc[0]})" if len(doubled) else ""
        raise LangidError(
            f"checkpoint: several of them score the same utterances{which}; only folds of one split"
            " can be pooled"
        )
    return Predictions(
        pooled.drop(columns="number"),
        units.pop(),
        identifier.classes,
        descriptions,
        held.fingerprint,
    )


def _check_store(
    identifier: LanguageIdentifier, path: Path, store: FeatureStore, part: str
) -> None:
    """Raise LangidError where a store's features, languages or rows are not those of a training."""
    description = identifier.description
    for name in ("features", "detector"):
        if store.description[name] != description[name]:
            raise LangidError(
                f"checkpoint={path}: trained on {name} {description[name]}, the store"
                f" {store.path} has {store.description[name]}; prepare one with the same {name}"
            )
    if part != "all" and store.fingerprint != description["fingerprint"]:
        raise LangidError(
            f"checkpoint={path}: trained on another store (fingerprint"
            f" {description['fingerprint'][:12]}, {store.path} has {store.fingerprint[:12]}), so"
            f" its {part} part cannot be told; part=all scores every utterance of a foreign store"
        )
    languages = sorted(set(store.utterances["language"]))
    if languages != identifier.classes:
        raise LangidError(
            f"checkpoint={path}: knows {', '.join(identifier.classes)}; the store {store.path}"
            f" holds {', '.join(languages)}"
        )


def _units(
    identifier: LanguageIdentifier, path: Path, store: FeatureStore, part: str
) -> tuple[pd.DataFrame, np.ndarray, str]:
    """Return the sequences to hear, the utterance's row of each unit, and what a unit is.

    ``all`` is every utterance of the store, whatever the split.
    """
    description = identifier.description
    if part == "all":
        sequences = cut(store, identifier.silence, HELD_OUT_FRAMES)
        numbers = store.utterances["language"].map(identifier.classes.index).to_numpy()
        sequences = sequences.assign(unit=sequences["row"], target=numbers[sequences["row"]])
        return sequences, np.arange(len(store.utterances)), "utterance"
    split: Split = build(description["split"])
    frames = description["data"]["sequence_frames"]
    data = LanguageDataModule(path, split, identifier.silence, sequence_frames=frames)
    unit = "sequence" if split.cuts_utterances else "utterance"
    return data.sequences[part], data.parts["row"].to_numpy(), unit


@torch.inference_mode()
def _predict(
    identifier: LanguageIdentifier,
    store: FeatureStore,
    sequences: pd.DataFrame,
    rows: np.ndarray,
    workers: int,
) -> pd.DataFrame:
    scores = UtteranceScores(len(rows), len(identifier.classes))
    length = (sequences["stop"] - sequences["start"]).to_numpy()
    sequences = sequences.iloc[np.argsort(length, kind="stable")]  # wastes little on padding
    dataset = SequenceDataset(store, sequences, identifier.silence, len(identifier.classes))
    loader: DataLoader[Batch] = DataLoader(
        dataset,
        batch_size=BATCH,
        num_workers=workers,
        collate_fn=collate,  # type: ignore[arg-type]
    )
    with progress("evaluating", "sequences") as bar:
        task = bar.add_task("evaluating", total=len(dataset))
        for batch in loader:
            logits = identifier(batch.features, batch.lengths)
            posteriors = identifier.language_posteriors(logits)
            scores.update(posteriors, batch.speech, batch.unit)
            bar.advance(task, len(batch))
    seen, posteriors = scores.compute()
    heard = store.utterances.iloc[rows[seen.numpy()]].reset_index(drop=True)
    table: pd.DataFrame = heard[TABLE].assign(speaker=speaker_groups(heard))
    table["predicted"] = [identifier.classes[index] for index in posteriors.argmax(1).tolist()]
    for index, name in enumerate(identifier.classes):
        table[f"p({name})"] = posteriors[:, index].numpy()
    table["number"] = seen.numpy()
    return table
