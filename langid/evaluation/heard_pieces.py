"""The pieces of a store that are heard of a part, and how much of them."""

from math import isfinite
from typing import Any

import numpy as np
import pandas as pd

from langid.build import build
from langid.corpora.splits import Split
from langid.data.pieces import cut_whole, first_frames
from langid.data.store import Store
from langid.errors import LangidError
from langid.evaluation.checkpoints import UNKNOWN
from langid.training.identifier import LanguageIdentifier
from langid.training.run_description import data_of


def pieces_of(identifier: LanguageIdentifier, store: Store, part: str) -> tuple[pd.DataFrame, str]:
    """Return the pieces to hear, and what a unit is.

    ``all`` is every utterance of the store that has one of the classes, whatever the split, and
    UNKNOWN every one that has none of them and was not learned from without a label.
    """
    if part in ("all", UNKNOWN):
        task = identifier.described.build_task()
        labels = task.labels(store.utterances, identifier.classes)
        targets = pd.Index(identifier.classes).get_indexer(labels)  # -1: none of them
        chosen = targets >= 0
        if part == UNKNOWN:
            chosen = ~chosen
            chosen[_taught_without_label(identifier, store)] = False
        pieces = cut_whole(store, identifier.silence)
        pieces = pieces.assign(unit=pieces["row"], target=targets[pieces["row"]])
        return pieces[chosen[pieces["row"]]], "utterance"
    split: Split = build(identifier.described.split, "split")
    if part not in split.parts:
        raise LangidError(
            f"part={part}: the split of this training has no {part} part; score part=validation"
        )
    unit = "sequence" if split.cuts_utterances else "utterance"
    return data_of(identifier.described, store.path).pieces[part], unit


def heard_pieces(
    identifier: LanguageIdentifier, store: Store, part: str, heard_s: Any
) -> tuple[pd.DataFrame, str]:
    """Return what ``pieces_of`` does, of which so many seconds are heard (None: all)."""
    pieces, unit = pieces_of(identifier, store, part)
    if heard_s is None:
        return pieces, unit
    return first_frames(store, pieces, _heard_frames(heard_s, store, identifier)), unit


def _taught_without_label(identifier: LanguageIdentifier, store: Store) -> np.ndarray:
    """Return the rows of a store that an identifier learned from by a teacher alone."""
    described = identifier.described
    if not described.split.get("unlabelled") or described.fingerprint != store.fingerprint:
        return np.zeros(0, int)
    parts = data_of(described, store.path).parts
    return np.asarray(parts["row"][parts["part"] == "unlabelled"])


def _heard_frames(heard_s: Any, store: Store, identifier: LanguageIdentifier) -> int:
    """Return how many frames are heard of each unit."""
    number = type(heard_s) in (int, float) and isfinite(heard_s)
    frames = round(heard_s * store.frames_per_second) if number else 0
    if frames < 1:
        raise LangidError(
            f"heard_s={heard_s}: accepted are null and seconds, at least the"
            f" {1 / store.frames_per_second:g} s of a frame"
        )
    features = identifier.front_end.features
    if store.content.name == "features" and not features.causal:
        raise LangidError(
            f"heard_s={heard_s}: features {type(features).__name__} of {store.path} have heard each"
            " clip to its end; prepare a store with content=samples, of which they are made again"
        )
    return frames
