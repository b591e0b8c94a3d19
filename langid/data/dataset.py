"""Frames of a store in batches: sequences, silence policy, padding."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.utils.data import Dataset

from langid.data.store import Store

IGNORED = -100  # the target of frames without loss, torch's own default
POLICIES = ("keep", "mask", "remove", "label")


@dataclass
class Batch:
    """Padded sequences.

    ``features (batch, time, bins)``, ``lengths (batch,)`` in frames, ``targets (batch, time)`` with
    IGNORED where no loss is due, ``speech (batch, time) bool`` (scored frames), ``language
    (batch,)``, and ``unit (batch,)``, the number of the utterance or sequence that is scored.
    """

    features: Tensor
    lengths: Tensor
    targets: Tensor
    speech: Tensor
    language: Tensor
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
    def silent(self) -> bool:
        """Whether there is no speech in it, so that nothing is scored."""
        return not self.speech.any()


class SequenceDataset(Dataset[Batch]):
    """Sequences of a store under a silence policy.

    ``sequences`` has the columns ``start`` and ``stop`` (stored frames), ``target`` (index of the
    language) and ``unit``; ``silence_class`` is the target of silent frames under ``label``.
    """

    def __init__(self, store: Store, sequences: pd.DataFrame, policy: str, silence_class: int):
        self.store = store
        self.policy = policy
        self.silence_class = silence_class
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
        language = torch.from_numpy(self.target[indices])
        unit = torch.from_numpy(self.unit[indices])
        return Batch(
            features, lengths, self._targets(mask, lengths, language), mask, language, unit
        )

    def _read(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        features, speech = self.store.read(int(self.start[index]), int(self.stop[index]))
        if self.policy == "remove":
            return features[speech], speech[speech]
        return features, speech

    def _targets(self, speech: Tensor, lengths: Tensor, language: Tensor) -> Tensor:
        valid = torch.arange(speech.shape[1])[None] < lengths[:, None]
        spoken = speech.any(1, keepdim=True)  # a silent piece is heard, and nothing is asked of it
        targets = torch.where(valid & spoken, language[:, None], IGNORED)
        if self.policy == "mask":
            targets[~speech] = IGNORED
        elif self.policy == "label":
            targets[valid & spoken & ~speech] = self.silence_class
        return targets


def collate(batch: Batch) -> Batch:
    """Return the batch that the dataset has already made."""
    return batch


def cut(store: Store, policy: str, frames: int, gapless: bool = False) -> pd.DataFrame:
    """Return the sequences of every utterance: columns ``row, start, stop, speech``.

    ``row`` is the utterance's, ``start`` and ``stop`` are stored frames, ``speech`` counts speech
    frames. Under ``remove`` a sequence holds ``frames`` speech frames, otherwise ``frames`` of any
    kind; the last one of an utterance is shorter. Sequences without speech are left out, of a
    ``gapless`` utterance only behind its last speech.
    """
    rows, starts, stops, counts = [], [], [], []
    first = store.utterances["first_frame"].to_numpy()
    length = store.utterances["frames"].to_numpy()
    for row, (begin, count) in enumerate(zip(first, length, strict=True)):
        speech = store.read_speech(begin, begin + count)
        if policy == "remove":
            bounds = np.append(np.flatnonzero(speech)[frames::frames], count)
        else:
            bounds = np.append(np.arange(frames, count, frames), count)
        start = 0
        for stop in bounds:
            spoken = int(speech[start:stop].sum())
            if spoken or (gapless and speech[stop:].any()):
                rows.append(row)
                starts.append(begin + start)
                stops.append(begin + stop)
                counts.append(spoken)
            start = stop
    return pd.DataFrame({"row": rows, "start": starts, "stop": stops, "speech": counts})
