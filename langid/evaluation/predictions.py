"""Posteriors of every utterance of a part, from one checkpoint or from the folds of several."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from langid.corpora.splits import PARTS
from langid.data.dataset import Batch
from langid.data.pieces import piece_loader
from langid.data.stacked_store import stacked_store
from langid.data.store import Store
from langid.devices import device_of
from langid.errors import LangidError, named
from langid.evaluation.checkpoints import UNKNOWN, loaded
from langid.evaluation.heard_pieces import heard_pieces
from langid.progress import progress
from langid.training.embedding import UtteranceEmbeddings, embeddings_of
from langid.training.identifier import LanguageIdentifier
from langid.training.inference import PieceInference
from langid.training.logit_scaling import LogitScaling
from langid.training.run_description import RunDescription, rows_heard
from langid.training.scores import UtteranceScores
from langid.training.weights_digest import weights_sha256

EVALUATED_PARTS = ("test", "validation", "train", "all")
TABLE = [
    "utterance_id", "corpus", "speaker", "language", "age", "gender", "accent", "duration_s",
    "recording",
]  # fmt: skip
BATCH = 32


@dataclass
class Predictions:
    """What checkpoints say of the utterances of a part.

    ``table`` has one row per unit that is scored (``unit``: ``utterance``, or ``sequence`` under a
    split that cuts utterances), its class in ``column`` (``language``, unless the task is another)
    and a column ``p(CLASS)`` per class; its index is the unit's number, which is the store's row of
    an utterance. ``frames`` counts its speech frames, ``speech_s`` their seconds, ``right_frames``
    those whose most likely class is right; of a unit with ``no_speech`` all frames made the
    posteriors. ``descriptions`` are those of the checkpoints, ``fingerprint`` is that of the store,
    and ``left_out`` counts the rows of the whole store that have none of the classes. ``speaker``
    is empty where nobody knows who speaks. ``trained_on`` are the utterances of the store that were
    heard in training; None for a part that is held out, a foreign store, or a split that is not
    dealt as it was. ``heard_s`` are the seconds that were heard of each unit, from its first speech
    on; None for all. ``checkpoints`` are the ``weights_sha256`` of each, ``calibrations`` what
    ``langid calibrate`` has found for each. ``embeddings``, by the number of the unit, are those of
    langid.training.embedding that the first checkpoint has made; None where none are asked for, or
    its logits do not come from one layer.
    """

    table: pd.DataFrame
    unit: str
    classes: list[str]
    descriptions: list[RunDescription]
    fingerprint: str
    column: str = "language"
    left_out: dict[str, Any] = field(default_factory=dict)
    trained_on: pd.DataFrame | None = None
    heard_s: float | None = None
    checkpoints: list[str] = field(default_factory=list)
    calibrations: list[LogitScaling | None] = field(default_factory=list)
    embeddings: pd.DataFrame | None = None

    @property
    def targets(self) -> np.ndarray:
        """The class of each unit, ``(units,)``."""
        return np.asarray(self.table[self.column].map(self.classes.index))

    @property
    def posteriors(self) -> np.ndarray:
        """What is said of each unit, ``(units, classes)``."""
        return np.asarray(self.table[[f"p({name})" for name in self.classes]], float)


def predict_part(
    checkpoints: Sequence[Path],
    store: Path,
    part: str,
    workers: int = 0,
    ensemble: bool = False,
    accelerator: str = "auto",
    heard_s: float | None = None,
    embedded: int | None = 0,
) -> Predictions:
    """Return the posteriors of a part; those of several checkpoints (folds, say) are pooled.

    In an ``ensemble`` all checkpoints hear every utterance, and their posteriors are averaged frame
    by frame. The store need not hold every class. ``accelerator`` is ``auto``, ``cpu``, ``cuda`` or
    ``mps``. With ``heard_s`` of each unit only so many seconds are heard, from its first speech on.
    ``embedded`` is of how many units there shall be embeddings (None: of all that the first
    checkpoint hears). Raises LangidError for a device that this machine does not have, where
    checkpoints cannot score the part (see ``loaded``) or score utterances twice, and for
    ``heard_s`` of features that have heard what follows.
    """
    if part not in EVALUATED_PARTS:
        raise LangidError(f"part={part}: accepted are {', '.join(EVALUATED_PARTS)}")
    held = Store(store)
    identifiers = loaded(checkpoints, held, part, ensemble, device_of(accelerator))
    tables, units = [], set()
    kept: list[UtteranceEmbeddings | None] = []
    for group in _groups(identifiers, ensemble):
        frames = stacked_store(store, group[0].described.stride)
        pieces, unit = heard_pieces(group[0], frames, part, heard_s)
        kept.append(embeddings_of(group[0], pieces, 0 if kept else embedded))
        tables.append(_predict(group, frames, pieces, workers, kept[-1]))
        units.add(unit)
    descriptions, classes = [one.described for one in identifiers], identifiers[0].classes
    task = descriptions[0].build_task()
    return Predictions(
        _pooled(tables, units),
        units.pop(),
        classes,
        descriptions,
        held.fingerprint,
        task.column,
        task.left_out(held.utterances, classes),
        None if part in PARTS[1:] else _trained_on(descriptions, held),
        heard_s,
        [weights_sha256(one) for one in identifiers],
        [one.calibration for one in identifiers],
        None if kept[0] is None else kept[0].compute(),
    )


def predict_unknown(
    checkpoints: Sequence[Path],
    path: Path,
    workers: int = 0,
    ensemble: bool = False,
    accelerator: str = "auto",
    heard_s: float | None = None,
) -> pd.DataFrame:
    """Return what each checkpoint says of the utterances of a store that have none of its classes.

    A row per utterance and checkpoint, or the ``ensemble`` of all, as in Predictions, with the
    ``label`` that it does have; none of what a checkpoint of that store was taught without a label.
    Arguments are those of ``predict_part``. Raises LangidError where there are none, and as
    ``predict_part`` does.
    """
    tables, device = [], device_of(accelerator)
    for group, frames, pieces, labels in _unknown(checkpoints, path, ensemble, device, heard_s):
        table = _predict(group, frames, pieces, workers)
        tables.append(table.assign(label=labels.iloc[table.index].to_numpy()))
    return pd.concat(tables)


def check_unknown(
    checkpoints: Sequence[Path], path: Path, ensemble: bool = False, heard_s: float | None = None
) -> None:
    """Raise LangidError for a store of no known other languages, without hearing anything.

    That is one that has no utterance without one of the classes, or knows of none of them what it
    is, and what ``predict_part`` refuses.
    """
    for _, _, pieces, labels in _unknown(checkpoints, path, ensemble, torch.device("cpu"), heard_s):
        if (labels.iloc[pieces["row"]] == "").all():
            raise LangidError(
                f"unknown={path}: no utterance without one of the classes has a {labels.name}; give"
                " a store in which it is known"
            )


def _unknown(
    checkpoints: Sequence[Path],
    path: Path,
    ensemble: bool,
    device: torch.device,
    heard_s: float | None,
) -> Iterator[tuple[list[LanguageIdentifier], Store, pd.DataFrame, pd.Series]]:
    """Yield identifiers, the frames and pieces that they hear, and the labels of all utterances."""
    with named("unknown", "store"):
        store = Store(path)
    identifiers = loaded(checkpoints, store, UNKNOWN, ensemble, device)
    for group in _groups(identifiers, ensemble):
        identifier = group[0]
        frames = stacked_store(path, identifier.described.stride)
        pieces, _ = heard_pieces(identifier, frames, UNKNOWN, heard_s)
        if not len(pieces):
            raise LangidError(
                f"unknown={path}: every utterance has one of the classes"
                f" {', '.join(identifier.classes)}, or was learned from; give a store of others"
            )
        yield group, frames, pieces, store.utterances[identifier.described.build_task().column]


def _groups(
    identifiers: Sequence[LanguageIdentifier], ensemble: bool
) -> list[list[LanguageIdentifier]]:
    """Return identifiers that hear the same utterances, and are averaged."""
    return [list(identifiers)] if ensemble else [[identifier] for identifier in identifiers]


def of_corpora(predictions: Predictions, names: Sequence[str], part: str) -> Predictions:
    """Return the predictions of a part's utterances that some corpora hold.

    Raises LangidError for a corpus that holds none of them.
    """
    table, embeddings = predictions.table, predictions.embeddings
    held = sorted(set(table["corpus"]))
    if unknown := [name for name in names if name not in held]:
        raise LangidError(
            f"corpora: no {', '.join(unknown)} in the {part} part; it holds {', '.join(held)}"
        )
    table = table[table["corpus"].isin(names)]
    if embeddings is not None:
        embeddings = embeddings[embeddings.index.isin(table.index)]
    return replace(predictions, table=table, embeddings=embeddings)


def _pooled(tables: Sequence[pd.DataFrame], units: Collection[str]) -> pd.DataFrame:
    pooled = pd.concat(tables)
    doubled = pooled.loc[pooled.index.duplicated(), "utterance_id"]
    if len(doubled) or len(units) > 1:
        which = f" ({len(doubled)} of them, the first is {doubled.iloc[0]})" if len(doubled) else ""
        raise LangidError(
            f"checkpoint: several of them score the same utterances{which}; only folds of one split"
            " can be pooled, and ensemble=true averages the posteriors of one"
        )
    return pooled


def _trained_on(descriptions: Sequence[RunDescription], store: Store) -> pd.DataFrame | None:
    """Return the utterances of the store that were heard in training, where that can be told."""
    heard: set[int] = set()
    for description in descriptions:
        rows = rows_heard(description, store)
        if rows is None:
            return None
        heard |= set(rows)
    return store.utterances.iloc[sorted(heard)]


def posteriors_of(
    identifiers: Sequence[LanguageIdentifier],
    store: Store,
    pieces: pd.DataFrame,
    workers: int = 0,
    together: int = BATCH,
) -> Iterator[tuple[Batch, torch.Tensor]]:
    """Yield batches of pieces of so many units, with ``posteriors (batch, frames, classes)``."""
    first = identifiers[0]  # of an ensemble, all are alike but for their weights
    loader = piece_loader(store, pieces, first.silence, len(first.classes), together, workers)
    members = [PieceInference(member) for member in identifiers]
    # Of protocols that change features in evaluation, the same changes every time.
    forked = torch.random.fork_rng([first.device] if first.device.type == "cuda" else [])
    with forked, torch.inference_mode():
        torch.manual_seed(0)
        for batch in loader:
            batch = batch.to(first.device)
            each = [one.identifier.class_posteriors(one.process(batch)) for one in members]
            yield batch, torch.stack(each).mean(0)


def _predict(
    identifiers: Sequence[LanguageIdentifier],
    store: Store,
    pieces: pd.DataFrame,
    workers: int,
    embeddings: UtteranceEmbeddings | None = None,
) -> pd.DataFrame:
    identifier = identifiers[0]
    classes = identifier.classes
    row_of = pieces.drop_duplicates("unit").set_index("unit")["row"]
    scores = UtteranceScores(row_of.index.max() + 1, len(classes), identifier.network.cumulative)
    with progress("evaluating", "sequences") as bar:
        shown = bar.add_task("evaluating", total=len(pieces))
        for batch, posteriors in posteriors_of(identifiers, store, pieces, workers):
            scores.update(posteriors, batch)
            if embeddings is not None:
                embeddings.update(batch)
            bar.advance(shown, len(batch))
    number, means, frames, right_frames = (of.numpy() for of in scores.compute())
    heard = store.utterances.iloc[row_of[number].to_numpy()].set_axis(number)
    if not (finite := np.isfinite(means).all(1)).all():
        raise LangidError(
            f"checkpoint: its posteriors are not finite for {(~finite).sum()} of {len(means)}"
            f" utterances, the first {heard['utterance_id'][~finite].iloc[0]}: its weights, or the"
            " store's frames, hold NaN; train, or prepare, again"
        )
    table: pd.DataFrame = heard[TABLE].copy()
    task = identifier.described.build_task()
    table[task.column] = task.labels(heard, classes)
    table["predicted"] = np.array(classes)[means.argmax(1)]
    table[[f"p({name})" for name in classes]] = means
    table["no_speech"] = frames == 0
    table["frames"], table["right_frames"] = frames.astype(int), right_frames.astype(int)
    table["speech_s"] = (frames / store.frames_per_second).round(3)
    return table
