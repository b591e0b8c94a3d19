"""The clips that a network is most confident about and wrong: what it heard, and said over time."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from langid.audio.decode import AudioError, read_audio
from langid.audio.excerpt import Excerpt
from langid.audio.full_scale import FULL_SCALE
from langid.data.stacked_store import stacked_store
from langid.data.store import Store
from langid.devices import device_of
from langid.evaluation.checkpoints import loaded
from langid.evaluation.heard_pieces import pieces_of
from langid.evaluation.predictions import Predictions, posteriors_of

SHOWN = 20
RATE = 16000


@dataclass(frozen=True)
class Mistake:
    """A clip that is taken for another class.

    ``posteriors (frames, classes)`` and ``speech (frames,) bool`` are of every frame that the
    network heard, ``samples (samples,)`` of the clip at RATE; there are none, and ``reason`` says
    why, where they can no longer be had.
    """

    utterance_id: str
    true: str
    predicted: str
    confidence: float
    posteriors: np.ndarray
    speech: np.ndarray
    seconds: float
    samples: np.ndarray
    reason: str = ""


def most_confident(predictions: Predictions) -> np.ndarray:
    """Return the numbers of the units of the table that are wrong, the most confident first."""
    posteriors = predictions.posteriors
    wrong = np.flatnonzero(posteriors.argmax(1) != predictions.targets)
    order = np.argsort(-posteriors[wrong].max(1), kind="stable")
    return np.asarray(predictions.table.index[wrong[order][:SHOWN]])


def mistakes(
    predictions: Predictions,
    checkpoints: Sequence[Path],
    place: Path,
    part: str,
    ensemble: bool = False,
    accelerator: str = "auto",
) -> list[Mistake]:
    """Return the most confident mistakes, heard again whole by the checkpoints that made them.

    The other arguments are those that ``predictions`` were made with; of sequences, which are no
    clips, there are none.
    """
    numbers = most_confident(predictions)
    if predictions.unit != "utterance" or not len(numbers):
        return []
    store = Store(place)
    identifiers = loaded(checkpoints, store, part, ensemble, device_of(accelerator))
    groups = [identifiers] if ensemble else [[identifier] for identifier in identifiers]
    heard: dict[int, list[tuple[np.ndarray, np.ndarray]]] = {}
    for group in groups:
        frames = stacked_store(place, group[0].described.stride)
        pieces = pieces_of(group[0], frames, part)[0]
        pieces = pieces[pieces["unit"].isin(numbers)]
        if not len(pieces):  # those of another fold
            continue
        for batch, posteriors in posteriors_of(group, frames, pieces, together=1):
            speech = batch.speech[0].cpu().numpy()
            said = posteriors[0].expand(len(speech), -1).cpu().numpy()
            heard.setdefault(int(batch.unit[0]), []).append((said, speech))
    return [_mistake(predictions, store, number, heard[number]) for number in numbers]


def _mistake(
    predictions: Predictions,
    store: Store,
    number: int,
    heard: Sequence[tuple[np.ndarray, np.ndarray]],
) -> Mistake:
    posteriors, speech = (np.concatenate(parts) for parts in zip(*heard, strict=True))
    row, of_store = predictions.table.loc[number], store.utterances.iloc[number]
    reason, samples = "", np.zeros(0, np.float32)
    try:
        samples = _samples(store, of_store)
    except AudioError as error:
        reason = str(error)
    return Mistake(
        str(row["utterance_id"]),
        str(row[predictions.column]),
        str(row["predicted"]),
        float(row[f"p({row['predicted']})"]),
        posteriors,
        speech,
        float(of_store["frames"] / store.frames_per_second),
        samples,
        reason,
    )


def _samples(store: Store, row: pd.Series) -> np.ndarray:
    """Return a clip's samples, those of the store where it has some at RATE."""
    if store.content.name == "samples" and store.description["sample_rate"] == RATE:
        first = row["first_frame"]
        return np.asarray(store.read(first, first + row["frames"])[0].ravel() / FULL_SCALE)
    return read_audio(Excerpt.of(row), RATE)
