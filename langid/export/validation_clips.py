"""Labelled speech of a training's validation part, on which exported files are compared."""

from typing import NamedTuple

import numpy as np

from langid.audio.decode import read_audio
from langid.errors import LangidError
from langid.training.identifier import LanguageIdentifier
from langid.training.run_description import data_of


class LabelledClip(NamedTuple):
    """Some speech, ``samples (samples,)``, and the index of its class."""

    samples: np.ndarray
    target: int


def validation_clips(
    identifier: LanguageIdentifier, most: int, most_s: float
) -> list[LabelledClip]:
    """Return at most so many clips of the validation part, evenly spread; never of the test part.

    They are about ``most_s`` seconds at most, and one clip at least. A clip is what is scored: an
    utterance, or a sequence where the split cuts utterances. Raises LangidError where the store of
    the training or its clips are not where they were.
    """
    data = data_of(identifier.described)
    if data.store.fingerprint != identifier.described.fingerprint:
        raise LangidError(
            f"store={data.store.path}: changed since the training, so its validation part cannot be"
            " told"
        )
    sequences = data.pieces["validation"]
    sequences = sequences[sequences["speech"] > 0]
    hop, rate = identifier.front_end.hop_samples, identifier.front_end.sample_rate
    mean_s = (sequences["stop"] - sequences["start"]).mean() * hop / rate
    count = int(min(most, len(sequences), max(1, most_s / mean_s)))
    places = np.linspace(0, len(sequences) - 1, count).astype(int)
    clips = []
    for sequence in sequences.iloc[places].itertuples():
        utterance = data.store.utterances.iloc[sequence.row]
        start, stop = (
            (frame - utterance["first_frame"]) * hop for frame in (sequence.start, sequence.stop)
        )
        samples = read_audio(data.store.excerpt(sequence.row), rate)[start:stop]
        clips.append(LabelledClip(samples, int(sequence.target)))
    return clips
