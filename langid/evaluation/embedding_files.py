"""What ``langid embed`` writes: embeddings, a table of their utterances, and a projector."""

from pathlib import Path

import numpy as np

from langid.atomic_file import replaced
from langid.corpora.manifest import COLUMNS
from langid.data.store import Store
from langid.errors import LangidError
from langid.evaluation.predictions import Predictions
from langid.training.embedding import write_projector


def write_embeddings(predictions: Predictions, place: Path, folder: Path) -> tuple[int, int]:
    """Write the embeddings of predictions on a store into a folder, in the order of the store.

    Returns how many there are, and of how many numbers. Raises LangidError where there are none,
    and for sequences, which are parts of utterances.
    """
    embeddings = predictions.embeddings
    if predictions.unit != "utterance":
        raise LangidError(
            "part: the split of this training deals sequences, which are parts of utterances;"
            " part=all embeds whole utterances"
        )
    if embeddings is None:
        raise LangidError(
            "checkpoint: the logits of its network do not come from one linear layer, whose inputs"
            " embeddings are; langid embed takes networks that end in one"
        )
    embeddings = embeddings.sort_index()
    vectors, rows = embeddings.to_numpy(), embeddings.index
    utterances = Store(place).utterances.loc[rows]
    said = predictions.table.loc[rows]
    table = utterances[[name for name in COLUMNS if name in utterances]].copy()
    table["class"] = said[predictions.column]
    names = ["predicted", *(f"p({name})" for name in predictions.classes), "no_speech", "speech_s"]
    table[names] = said[names].round(6)
    with replaced(folder / "embeddings.npy") as partial, partial.open("wb") as file:
        np.save(file, vectors)
    write_projector(folder, vectors, table)
    return vectors.shape[0], vectors.shape[1]
