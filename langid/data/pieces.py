"""Held-out utterances in pieces of bounded length, and the batches in which they are heard."""

import numpy as np
import pandas as pd
from torch.utils.data import DataLoader

from langid.data.dataset import Batch, SequenceDataset, cut, loader
from langid.data.silence_policy import SilencePolicy
from langid.data.store import Store

HELD_OUT_S = 30.0  # longer utterances are heard in pieces of so much, to bound memory


def cut_whole(store: Store, policy: SilencePolicy) -> pd.DataFrame:
    """Return the pieces of every utterance as ``cut`` does, silent ones before speech among them.

    All but the last of an utterance have HELD_OUT_S of frames under the silence policy.
    """
    return cut(store, policy, round(HELD_OUT_S * store.frames_per_second), gapless=True)


def first_frames(store: Store, pieces: pd.DataFrame, frames: int) -> pd.DataFrame:
    """Return what of ``pieces`` lies in so many frames of their unit, from its first speech on.

    ``pieces`` are a table of ``cut`` with ``unit``. Of a unit without speech those frames are its
    first ones.
    """
    start, stop, by_unit = pieces["start"], pieces["stop"], pieces["unit"]
    speech = [store.read_speech(*place) for place in zip(start, stop, strict=True)]
    leading = np.array([mask.argmax() if mask.any() else np.nan for mask in speech], float)
    first = (start + leading).groupby(by_unit).transform("min")
    first = first.fillna(start.groupby(by_unit).transform("min")).astype(int)
    heard = pieces.assign(start=start.clip(lower=first), stop=stop.clip(upper=first + frames))
    heard = heard[heard["start"] < heard["stop"]]
    places = zip(heard["start"], heard["stop"], strict=True)
    return heard.assign(speech=[int(store.read_speech(*place).sum()) for place in places])


def piece_loader(
    store: Store,
    pieces: pd.DataFrame,
    policy: SilencePolicy,
    classes: int,
    batch_size: int,
    workers: int,
    rank: int = 0,
    processes: int = 1,
) -> DataLoader[Batch]:
    """Return the batches of ``pieces``, a table of ``cut`` with ``unit`` and ``target``."""
    units, lengths = pieces["unit"].to_numpy(), (pieces["stop"] - pieces["start"]).to_numpy()
    batches = piece_batches(units, lengths, batch_size, rank, processes)
    return loader(SequenceDataset(store, pieces, policy, classes), workers, batch_sampler=batches)


def piece_batches(
    units: np.ndarray, lengths: np.ndarray, batch_size: int, rank: int = 0, processes: int = 1
) -> list[list[int]]:
    """Return batches in which every place goes on where it was before, until its unit ends.

    ``units (pieces,)`` are the numbers of what is scored, ``lengths (pieces,)`` the frames of its
    pieces, which are in order. Units of like length share their batches, which wastes little on
    padding: the first has the first piece of each, the next the second of those that go on. The
    units with the most pieces come first, so that later batches lack places at their end only. Of
    several processes each has its share of the units, whole.
    """
    _, unit, count = np.unique(units, return_inverse=True, return_counts=True)
    pieces = np.argsort(unit, kind="stable")  # those of a unit in a row, as they were
    first = np.cumsum(count) - count
    by_length = np.argsort(np.bincount(unit, lengths), kind="stable")[rank::processes]
    batches: list[list[int]] = []
    for start in range(0, len(by_length), batch_size):
        group = by_length[start : start + batch_size]
        group = group[np.argsort(-count[group], kind="stable")]
        for place in range(count[group[0]]):
            going_on = group[count[group] > place]
            batches.append(pieces[first[going_on] + place].tolist())
    return batches
