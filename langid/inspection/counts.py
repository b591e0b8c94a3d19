"""How much speech there is of each class, of whom, and how it is spread."""

from typing import Any

import numpy as np
import pandas as pd

from langid.corpora.part_counts import clips_and_speakers
from langid.training.losses import weights_of

UNKNOWN = "unknown"
SPREAD = {"low": 0.1, "median": 0.5, "high": 0.9}
MEASURED = ("loudness_db", "noise_floor_db", "leading_silence_s", "bandwidth_hz")
FILE = ("codec", "sample_rate", "channels")


def counts_of(rows: pd.DataFrame) -> dict[str, Any]:
    """Return of a class, or of all: hours, clips, speakers, genders, ages, and what is measured.

    Of figures the 10th, 50th and 90th percentile; an empty cell counts as unknown. Of speakers
    also the ``largest_share`` of the clips that one has.
    """
    known = rows["speaker"][rows["speaker"] != ""]
    largest = int(known.value_counts().max()) if len(known) else 0
    durations = rows["duration_s"].astype(float)
    return {
        "hours": round(float(durations.sum()) / 3600, 4),
        **clips_and_speakers(rows),
        "largest_share": round(largest / len(rows), 4),
        "speech_share": round(float(rows["speech_frames"].sum() / rows["frames"].sum()), 4),
        "genders": _named(rows["gender"]),
        "ages": _named(rows["age"]),
        "corpora": _named(rows["corpus"]),
        **{name: _named(rows[name]) for name in FILE},
        "duration_s": _spread(durations),
        **{name: _spread(rows[name]) for name in MEASURED},
    }


def class_weights(rows: pd.DataFrame, classes: list[str]) -> dict[str, Any]:
    """Return what classes weigh in the loss, by their frames of speech, and the imbalance."""
    speech = rows.groupby("class")["speech_frames"].sum()
    frames = [int(speech.get(name, 0)) for name in classes]
    weights = {of: weights_of(of, frames).tolist() for of in ("balanced", "effective")}
    return {
        "speech_frames": dict(zip(classes, frames, strict=True)),
        "largest_over_smallest": round(max(frames) / max(min(frames), 1), 3),
        **{
            of: {name: round(one, 4) for name, one in zip(classes, own, strict=True)}
            for of, own in weights.items()
        },
    }


def histograms(rows: pd.DataFrame, classes: list[str]) -> dict[str, Any]:
    """Return of durations and loudness the ``edges``, and the clips of each class between them."""
    values = {"duration_s": rows["duration_s"].astype(float), "loudness_db": rows["loudness_db"]}
    return {name: _histogram(of, rows["class"], classes) for name, of in values.items()}


def _histogram(values: pd.Series, of_class: pd.Series, classes: list[str]) -> dict[str, Any]:
    edges = np.histogram_bin_edges(values, 24)
    own = {name: np.histogram(values[of_class == name], edges)[0].tolist() for name in classes}
    return {"edges": edges.round(4).tolist(), "classes": own}


def _named(values: pd.Series) -> dict[str, int]:
    """Return how many rows have each value, the most frequent first."""
    counts = values.replace({"": UNKNOWN, 0: UNKNOWN}).value_counts()
    return {str(name): int(count) for name, count in counts.items()}


def _spread(values: pd.Series) -> dict[str, float]:
    return {name: round(float(values.quantile(at)), 4) for name, at in SPREAD.items()}
