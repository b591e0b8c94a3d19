"""The clips that a network is most confident about and wrong: what it heard, and said over time."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from langid.audio.decode import AudioError, read_audio
from langid.data.silence_policy import SilencePolicy
from langid.data.stacked_store import stacked_store
from langid.data.store import Store
from langid.data.stored_samples import StoredSamples
from langid.devices import device_of
from langid.evaluation.checkpoints import loaded
from langid.evaluation.heard_pieces import heard_pieces
from langid.evaluation.predictions import Predictions, posteriors_of
from langid.networks.skipped_frames import hold

SHOWN = 20
RATE = 16000


@dataclass(frozen=True)
class _Heard:
    """Posteriors and speech of the stored frames of a clip from ``start`` to ``stop``."""

    posteriors: np.ndarray
    speech: np.ndarray
    start: int
    stop: int


@dataclass(frozen=True)
class Mistake:
    """A clip that is taken for another class.

    ``posteriors (frames, classes)`` and ``speech (frames,) bool`` are of the ``seconds`` of it that
    were heard: a frame that was cut out in front of the network has the posteriors of the last one
    that was kept. ``samples (samples,)`` are theirs at RATE; there are none, and ``reason`` says
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
    """Return the most confident mistakes, heard again as the checkpoints that made them did.

    The other arguments are those that ``predictions`` were made with; of sequences, which are no
    clips, there are none.
    """
    numbers = most_confident(predictions)
    if predictions.unit != "utterance" or not len(numbers):
        return []
    store = Store(place)
    identifiers = loaded(checkpoints, store, part, ensemble, device_of(accelerator))
    groups = [identifiers] if ensemble else [[identifier] for identifier in identifiers]
    heard: dict[int, _Heard] = {}
    for group in groups:
        frames = stacked_store(place, group[0].described.stride)
        pieces = heard_pieces(group[0], frames, part, predictions.heard_s)[0]
        pieces = pieces[pieces["unit"].isin(numbers)]
        if not len(pieces):  # those of another fold
            continue
        said: dict[int, list[torch.Tensor]] = defaultdict(list)
        for batch, posteriors in posteriors_of(group, frames, pieces, together=1):
            of_frames = posteriors.expand(-1, batch.speech.shape[1], -1)
            said[int(batch.unit[0])].append(of_frames.cpu())
        for number, own in pieces.groupby("unit"):
            heard[number] = _over_time(said[number], own, frames, group[0].silence)
    return [_mistake(predictions, store, number, heard[number]) for number in numbers]


def _over_time(
    said: Sequence[torch.Tensor], pieces: pd.DataFrame, store: Store, policy: SilencePolicy
) -> _Heard:
    """Return what was said over the ``pieces`` of a clip, ``said`` of the frames that were kept.

    Frames before the first that was kept have what it says.
    """
    places = pieces[["start", "stop"]].to_numpy()
    speech = [store.read_speech(*place) for place in places]
    kept = torch.from_numpy(np.concatenate([policy.kept(frames) for frames in speech]))
    whole = torch.cat(list(said), dim=1)
    dealt = hold(whole[:, 0], whole, kept[None].cumsum(1))
    stored = store.places(places[0, 0], places[-1, 1])
    return _Heard(dealt[0].numpy(), np.concatenate(speech), *map(int, stored))


def _sound(store: Store, number: int) -> np.ndarray:
    """Return a clip's samples at RATE; what made a store of features need not be there for it."""
    if store.content.name == "samples":
        return StoredSamples(store, RATE)(number)
    return read_audio(store.excerpt(number), RATE)


def _mistake(predictions: Predictions, store: Store, number: int, heard: _Heard) -> Mistake:
    row = predictions.table.loc[number]
    first_s, last_s = (
        (frame - store.offsets[number]) / store.frames_per_second
        for frame in (heard.start, heard.stop)
    )
    reason, samples = "", np.zeros(0, np.float32)
    try:
        samples = _sound(store, number)[round(first_s * RATE) : round(last_s * RATE)]
    except AudioError as error:
        reason = str(error)
    return Mistake(
        str(row["utterance_id"]),
        str(row[predictions.column]),
        str(row["predicted"]),
        float(row[f"p({row['predicted']})"]),
        heard.posteriors,
        heard.speech,
        (heard.stop - heard.start) / store.frames_per_second,
        samples,
        reason,
    )
