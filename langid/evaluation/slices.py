"""On whom and on what it is worse: the accuracy of parts of the clips, worst first."""

import itertools
from typing import Any

import numpy as np

from langid.audio.decode import rate_of
from langid.audio.full_scale import FULL_SCALE
from langid.corpora.part_counts import clips_and_speakers
from langid.corpora.splits import speaker_groups
from langid.data.store import Store
from langid.evaluation.predictions import Predictions
from langid.evaluation.scoring import frame_accuracy

MIN_SPEAKERS = 20  # with fewer, a slice says more of them than of what they have in common
UNKNOWN = "not known"
LEAST_S = 0.2  # of speech and of other frames, for their levels
SPANS = {  # ends of the spans of what is a number, and its unit
    "speech": ((1.0, 3.0, 5.0, 10.0), "s"),
    "loudness": ((-45.0, -35.0, -25.0, -15.0), "dB"),
    "SNR": ((5.0, 10.0, 20.0, 30.0), "dB"),
}
COLUMNS = ("gender", "age", "accent", "corpus")
NO_SAMPLES = "the store holds features and no samples (content=samples)"


def sliced(predictions: Predictions, store: Store | None = None) -> dict[str, Any]:
    """Return ``slices``, and why some properties make none, in ``not_sliced``.

    A slice has ``by``, the property, ``value``, counts of ``clips_and_speakers``, the ``classes``
    that occur in it, its ``accuracy`` as a figure, and ``too_small`` where it is of under 20
    speakers; a recording stands for an unknown one. The worst come first, those that are too
    small last. With a ``store`` sample rate, loudness (of speech, below full scale) and SNR (of
    speech over the frames beside it) are asked for too.
    """
    table = predictions.table
    held = {"speech": _spans(table["speech_s"].to_numpy(float), "speech")}
    columns = [name for name in COLUMNS if name != predictions.column]
    held |= {name: table[name].replace("", UNKNOWN).to_numpy() for name in columns}
    reasons: dict[str, str] = {}
    if store is not None:
        found, reasons = _of_sound(predictions, store)
        held |= found
    rows = []
    for by, values in held.items():
        present = sorted(set(values.tolist()))
        if len(present) > 1:
            rows += [_slice(predictions, by, value, values == value) for value in present]
        elif present:
            reasons[by] = f"{present[0]} of {'any clip' if present == [UNKNOWN] else 'all clips'}"
    order = sorted(rows, key=lambda row: (row["too_small"], row["accuracy"]["value"]))
    return {"slices": order, "not_sliced": reasons}


def _slice(predictions: Predictions, by: str, value: str, held: np.ndarray) -> dict[str, Any]:
    rows, targets = predictions.table[held], predictions.targets[held]
    speakers = speaker_groups(rows)
    right = (predictions.posteriors[held].argmax(1) == targets).astype(float)
    return {
        "by": by,
        "value": value,
        **clips_and_speakers(rows),
        "classes": [predictions.classes[one] for one in np.unique(targets)],
        "accuracy": frame_accuracy(targets, speakers.tolist(), np.ones(len(rows)), right),
        "too_small": int(speakers.nunique()) < MIN_SPEAKERS,
    }


def _spans(numbers: np.ndarray, by: str) -> np.ndarray:
    """Return the name of the span in which each of ``numbers (units,)`` lies; NaN is not known."""
    ends, unit = SPANS[by]
    first = f"0 to {ends[0]:g} {unit}" if by == "speech" else f"below {ends[0]:g} {unit}"
    between = [f"{low:g} to {high:g} {unit}" for low, high in itertools.pairwise(ends)]
    names = np.array([first, *between, f"over {ends[-1]:g} {unit}"], object)
    place = np.searchsorted(ends, np.nan_to_num(numbers), "left" if by == "speech" else "right")
    return np.where(np.isfinite(numbers), names[place], UNKNOWN)


def _of_sound(
    predictions: Predictions, store: Store
) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Return what each clip's file and samples say, and why something is not said."""
    if predictions.unit != "utterance":
        return {}, dict.fromkeys(("sample rate", "loudness", "SNR"), "of sequences, not of clips")
    rows = store.utterances.iloc[predictions.table.index]
    rates = [rate_of(path) for path in rows["path"]]
    held = {"sample rate": np.array([f"{rate} Hz" if rate else UNKNOWN for rate in rates], object)}
    if store.content.name != "samples":
        return held, dict.fromkeys(("loudness", "SNR"), NO_SAMPLES)
    places = zip(rows["first_frame"], rows["frames"], strict=True)
    loudness, ratio = np.array([_levels_db(store, *place) for place in places]).T
    return held | {"loudness": _spans(loudness, "loudness"), "SNR": _spans(ratio, "SNR")}, {}


def _levels_db(store: Store, first: int, frames: int) -> tuple[float, float]:
    """Return the level of speech below full scale, and over that of the frames beside it.

    NaN where there are too few of either. A constant offset has no level.
    """
    hops, speech = store.read(first, first + frames)
    powers = (hops / FULL_SCALE).var(1)
    least = LEAST_S * store.frames_per_second
    spoken, beside = (powers[mask] for mask in (speech, ~speech))
    if len(spoken) < least:
        return np.nan, np.nan
    loudness = 10 * np.log10(max(spoken.mean(), 1e-12))
    if len(beside) < least:
        return loudness, np.nan
    noise = max(beside.mean(), 1e-12)
    return loudness, 10 * np.log10(max(spoken.mean() - noise, 1e-12) / noise)
