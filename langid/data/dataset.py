"""Frames of a store in batches: sequences, silence policy, padding."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.utils.data import Dataset

from langid.data.silence_policy import SilencePolicy
from langid.data.store import Store


@dataclass
class Batch:
    """Padded sequences.

    ``features (batch, time, bins)``, ``lengths (batch,)`` in frames, ``targets (batch, time)`` with
    IGNORED where no loss is due, ``speech (batch, time) bool`` (scored frames), ``target
    (batch,)``, the class, and ``unit (batch,)``, the number of what is scored.
    """

    features: Tensor
    lengths: Tensor
    targets: Tensor
    speech: Tensor
    target: Tensor
    unit: Tensor

    def to(self, device: torch.device, non_blocking: bool = False) -> "Batch":
        """Return the batch on a device; Lightning calls this."""
        moved = {
            name: tensor.to(device, non_blocking=non_blocking)
            for name, tensor in vars(self).items()
        }
        return Batch(**moved)

    def __len__(self) -> int:
        return len(self.lengths)

    @property
    def there(self) -> Tensor:
        """Which frames are no padding, ``(batch, time) bool``."""
        return (
            torch.arange(self.speech.shape[1], device=self.lengths.device) < self.lengths[:, None]
        )

    @property
    def silent(self) -> bool:
        """Whether there is no speech in it, so that nothing is scored."""
        return not self.speech.any()


class SequenceDataset(Dataset[Batch]):
    """Sequences of a store under a silence policy.

    ``sequences`` has the columns ``start`` and ``stop`` (stored frames), ``target`` (index of the
    class, of so many ``classes``) and ``unit``.
    """

    def __init__(self, store: Store, sequences: pd.DataFrame, policy: SilencePolicy, classes: int):
        self.store = store
        self.policy = policy
        self.classes = classes
        self.start = sequences["start"].to_numpy()
        self.stop = sequences["stop"].to_numpy()
        self.target = sequences["target"].to_numpy()
        self.unit = sequences["unit"].to_numpy()

    def __len__(self) -> int:
        return len(self.start)

    def __getitems__(self, indices: Sequence[int]) -> Batch:
        """Return the sequences as one padded batch (called by torch's loader for a whole batch)."""
        frames = [self._read(index) for index in indices]
        lengths = torch.tensor([len(speech) for _, speech in frames])
        shape = (len(frames), int(lengths.max()))
        features = torch.zeros(*shape, self.store.bins)
        mask = torch.zeros(shape, dtype=torch.bool)
        for row, (values, speech) in enumerate(frames):
            features[row, : len(values)] = torch.from_numpy(values)
            mask[row, : len(speech)] = torch.from_numpy(speech)
        target, unit = (torch.from_numpy(of[indices]) for of in (self.target, self.unit))
        # Of a silent piece, which is heard for what follows it, nothing is asked.
        there = (torch.arange(shape[1]) < lengths[:, None]) & mask.any(1, keepdim=True)
        targets = self.policy.targets(target, mask, there, self.classes)
        return Batch(features, lengths, targets, mask, target, unit)

    def _read(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        features, speech = self.store.read(int(self.start[index]), int(self.stop[index]))
        if not self.policy.removes:
            return features, speech
        kept = self.policy.kept(speech)
        return features[kept], speech[kept]


def collate(batch: Batch) -> Batch:
    """Return the batch that the dataset has already made."""
    return batch


def cut(store: Store, policy: SilencePolicy, frames: int, gapless: bool = False) -> pd.DataFrame:
    """Return the sequences of every utterance: columns ``row, start, stop, speech``.

    ``row`` is the utterance's, ``start`` and ``stop`` are stored frames, ``speech`` counts speech
    frames. Of a sequence the network hears ``frames``, but for the last one of an utterance, which
    is shorter. Sequences without speech are left out, of a ``gapless`` utterance only behind its
    last speech.
    """
    rows, starts, stops, counts = [], [], [], []
    first = store.utterances["first_frame"].to_numpy()
    length = store.utterances["frames"].to_numpy()
    for row, (begin, count) in enumerate(zip(first, length, strict=True)):
        speech = store.read_speech(begin, begin + count)
        start = 0
        for stop in policy.bounds(speech, frames):
            spoken = int(speech[start:stop].sum())
            if spoken or (gapless and (speech[stop:].any() or not speech.any())):
                rows.append(row)
                starts.append(begin + start)
                stops.append(begin + stop)
                counts.append(spoken)
            start = stop
    return pd.DataFrame({"row": rows, "start": starts, "stop": stops, "speech": counts})
