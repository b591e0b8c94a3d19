"""Posteriors of every utterance of a part, from one checkpoint or from the folds of several."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import torch

from langid.corpora.splits import Split, speaker_groups
from langid.data.datamodule import LanguageDataModule
from langid.errors import LangidError
from langid.progress import progress
from langid.training.checkpoint import build, load_identifier
from langid.training.identifier import LanguageIdentifier
from langid.training.scores import UtteranceScores

EVALUATED_PARTS = ("test", "validation", "train", "all")
TABLE = ["utterance_id", "corpus", "speaker", "language", "duration_s"]


def predict_part(
    checkpoints: Sequence[Path], store: Path, part: str, workers: int = 0
) -> tuple[pd.DataFrame, LanguageIdentifier]:
    """Return the utterances of a part with a posterior per language, and the last identifier.

    With several checkpoints (the folds of one split, say) their parts are pooled. Raises
    LangidError where a checkpoint does not belong to the store or utterances are scored twice.
    """
    if part not in EVALUATED_PARTS:
        raise LangidError(f"part={part}: accepted are {', '.join(EVALUATED_PARTS)}")
    if not checkpoints:
        raise LangidError("checkpoint=[]: expected a checkpoint, or a list of them")
    tables = []
    for path in checkpoints:
        identifier = load_identifier(path)
        data = _data_of(identifier, path, store, part, workers)
        tables.append(_predict(identifier, data, part))
        if list(tables[0].columns) != list(tables[-1].columns):
            raise LangidError(f"checkpoint={path}: knows other languages than {checkpoints[0]}")
    pooled = pd.concat(tables, ignore_index=True)
    doubled = pooled.loc[pooled["unit"].duplicated(), "utterance_id"]
    if len(doubled):
        raise LangidError(
            f"checkpoint: {len(doubled)} utterances are scored by more than one checkpoint, the first"
            f" is {doubled.iloc[0]}; only folds of one split can be pooled"
        )
    return pooled.drop(columns="unit"), identifier


def _data_of(
    identifier: LanguageIdentifier, path: Path, store: Path, part: str, workers: int
) -> LanguageDataModule:
    """Return the store's data under the split, silence policy and lengths of the training."""
    description = identifier.description
    split: Split = build(description["split"])
    data = LanguageDataModule(
        store,
        split,
        description["silence"],
        sequence_frames=description["data"]["sequence_frames"],
        batch_size=32,
        workers=workers,
    )
    for name in ("features", "detector"):
        if data.store.description[name] != description[name]:
            raise LangidError(
                f"checkpoint={path}: trained on {name} {description[name]}, the store"
                f" {store} has {data.store.description[name]}"
            )
    if part != "all" and data.store.fingerprint != description["fingerprint"]:
        raise LangidError(
            f"checkpoint={path}: trained on another store (fingerprint"
            f" {description['fingerprint'][:12]}, {store} has {data.store.fingerprint[:12]}), so its"
            f" {part} part cannot be told; part=all scores every utterance of a foreign store"
        )
    if data.classes != identifier.classes:
        raise LangidError(
            f"checkpoint={path}: knows {', '.join(identifier.classes)}; the store {store} holds"
            f" {', '.join(data.classes)}"
        )
    return data


@torch.inference_mode()
def _predict(
    identifier: LanguageIdentifier, data: LanguageDataModule, part: str
) -> pd.DataFrame:
    scores = UtteranceScores(len(data.parts), len(data.classes))
    loader = data.part_dataloader(part)
    with progress("evaluating", "utterances") as bar:
        task = bar.add_task("evaluating", total=len(data.sequences[part]))
        for batch in loader:
            logits = identifier(batch.features, batch.lengths)
            posteriors = identifier.language_posteriors(logits)
            scores.update(posteriors, batch.speech, batch.unit)
            bar.advance(task, len(batch))
    seen, posteriors = scores.compute()
    rows = data.store.utterances.iloc[data.parts["row"].iloc[seen.numpy()]].reset_index(drop=True)
    table = rows[TABLE].assign(speaker=speaker_groups(rows))
    table["predicted"] = [data.classes[index] for index in posteriors.argmax(1).tolist()]
    for index, name in enumerate(data.classes):
        table[f"p({name})"] = posteriors[:, index].numpy()
    return table.assign(unit=seen.numpy())
