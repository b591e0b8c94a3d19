"""How many speakers, clips and minutes parts have, and how much they share."""

import hashlib

import numpy as np
import pandas as pd

from langid.corpora.splits import PARTS


def shared_between_parts(rows: pd.DataFrame, parts: np.ndarray) -> dict[str, int]:
    """Count what training shares with validation and test: the size of the leak.

    ``speakers``, ``recordings`` (of which utterances are parts) and ``utterances`` are those in
    training and in another part; ``unknown_speakers`` the utterances of validation and test whose
    speaker is not known, so that nobody can tell.
    """
    train = rows[parts == "train"]
    held_out = rows[np.isin(parts, PARTS[1:])]
    in_both = {
        name: len((set(train[name]) & set(held_out[name])) - {""})
        for name in ("speaker", "recording", "utterance_id")
    }
    return {
        "speakers": in_both["speaker"],
        "recordings": in_both["recording"],
        "utterances": in_both["utterance_id"],
        "unknown_speakers": len(set(held_out["utterance_id"][held_out["speaker"] == ""])),
    }


def clips_and_speakers(rows: pd.DataFrame) -> dict[str, int]:
    """Count clips, the speakers that are known, and the clips of which nobody knows who speaks."""
    unknown = rows["speaker"] == ""
    return {
        "clips": int(rows["utterance_id"].nunique()),
        "speakers": int(rows["speaker"][~unknown].nunique()),
        "unknown_speakers": int(rows["utterance_id"][unknown].nunique()),
    }


def digest_of_ids(utterance_ids: pd.Series) -> str:
    """Return what tells utterances from others, whatever their order and how often they occur."""
    return hashlib.sha256("\n".join(sorted(set(utterance_ids))).encode()).hexdigest()[:16]


def minutes(rows: pd.DataFrame) -> float:
    """Return how long clips are together, as far as their manifest says."""
    clips = rows.drop_duplicates("utterance_id")["duration_s"]
    return round(float(pd.to_numeric(clips, errors="coerce").sum()) / 60, 2)
