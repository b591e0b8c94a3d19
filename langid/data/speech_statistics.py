"""Mean and standard deviation of the features of speech, which the normaliser is fitted to."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
import torch

from langid.build import build
from langid.data.dataset import SequenceDataset
from langid.data.silence_policy import SilencePolicy
from langid.data.store import Store


def speech_statistics(
    store: Store, pieces: pd.DataFrame, policy: SilencePolicy
) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and standard deviation per bin over the speech frames of ``pieces``.

    ``pieces`` are a table of ``cut`` with ``target`` and ``unit``.
    """
    total, squares, count = np.zeros(store.bins), np.zeros(store.bins), 0
    for features in _speech_features(store, pieces, policy):
        frames = features.astype(np.float64)
        total += frames.sum(0)
        squares += np.square(frames).sum(0)
        count += len(frames)
    mean = total / count
    return mean, np.sqrt(np.maximum(squares / count - np.square(mean), 1e-8))


def _speech_features(
    store: Store, pieces: pd.DataFrame, policy: SilencePolicy
) -> Iterator[np.ndarray]:
    """Yield the features of the speech of every piece, ``(time, bins)``."""
    if store.content.name == "features":
        for start, stop in pieces[["start", "stop"]].itertuples(index=False):
            features, speech = store.read(start, stop)
            yield features[speech]
        return
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    made = build(store.description["features"], "features").to(device)
    dataset = SequenceDataset(store, pieces, policy, classes=int(pieces["target"].max()) + 1)
    for index in range(len(dataset)):
        batch = dataset.__getitems__([index]).to(device).with_features(made)
        yield batch.features[batch.speech].cpu().numpy()
