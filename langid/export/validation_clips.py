"""Labelled speech of a training's validation part, on which exported files are compared."""

import numpy as np

from langid.audio.decode import read_audio
from langid.errors import LangidError
from langid.export.precision import Piece
from langid.training.identifier import LanguageIdentifier
from langid.training.run_description import data_of


def validation_pieces(identifier: LanguageIdentifier, most: int) -> list[Piece]:
    """Return at most so many pieces of the validation part, evenly spread; never of the test part.

    A piece is what is scored: an utterance, or a sequence where the split cuts utterances. Raises
    LangidError where the store of the training or its clips are not where they were.
    """
    data = data_of(identifier.described)
    if data.store.fingerprint != identifier.described.fingerprint:
        raise LangidError(
            f"store={data.store.path}: changed since the training, so its validation part cannot be"
            " told"
        )
    sequences = data.pieces["validation"]
    sequences = sequences[sequences["speech"] > 0]
    places = np.linspace(0, len(sequences) - 1, min(most, len(sequences))).astype(int)
    hop, rate = identifier.front_end.hop_samples, identifier.front_end.sample_rate
    pieces = []
    for sequence in sequences.iloc[places].itertuples():
        utterance = data.store.utterances.iloc[sequence.row]
        start, stop = (
            (frame - utterance["first_frame"]) * hop for frame in (sequence.start, sequence.stop)
        )
        samples = read_audio(utterance["path"], rate)[start:stop]
        pieces.append(Piece(samples, int(sequence.target)))
    return pieces
