"""Frames of a store in batches: sequences, silence policy, padding."""

import dataclasses
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from langid.audio.full_scale import FULL_SCALE
from langid.data.acoustics import SequenceAcoustics
from langid.data.silence_policy import SilencePolicy
from langid.data.store import Store
from langid.signal.features import Features

BLOCK_FRAMES = 1 << 22  # whose marks of speech are looked at together
MADE_AT_ONCE = 8  # sequences, whose windows and spectra need many times their memory


@dataclass
class Batch:
    """Padded sequences.

    ``features (batch, time, bins)``, ``lengths (batch,)`` in frames, ``targets (batch, time)`` with
    IGNORED where no loss is due, ``speech (batch, time) bool`` (scored frames), ``target
    (batch,)``, the class, and ``unit (batch,)``, the number of what is scored. With a teacher there
    is ``teacher (batch, time, classes + width)``: its log-posteriors at each frame, and its hidden
    states of so many units, where they are asked for. Where acoustics may have changed the time,
    ``origin (batch, frames)`` says of which frame of its own each was, kept or not.

    Of a store of samples features are empty until ``with_features``, and there are ``samples
    (batch, samples) int16``, whole hops that begin with the context of the first frame, and behind
    it ``hops (batch,)`` that are no padding. Where the policy removes silence, ``kept (batch,
    frames) bool`` are the frames that stay.
    """

    features: Tensor
    lengths: Tensor
    targets: Tensor
    speech: Tensor
    target: Tensor
    unit: Tensor
    samples: Tensor | None = None
    hops: Tensor | None = None
    kept: Tensor | None = None
    teacher: Tensor | None = None
    origin: Tensor | None = None

    def to(self, device: torch.device, non_blocking: bool = False) -> "Batch":
        """Return the batch on a device; Lightning calls this."""
        moved = {
            name: tensor.to(device, non_blocking=non_blocking)
            for name, tensor in vars(self).items()
            if tensor is not None
        }
        return Batch(**moved)

    def with_features(self, features: Features) -> "Batch":
        """Return the batch with features, made of its samples where it has them.

        They are those that a store would hold, in float32.
        """
        if self.samples is None or self.hops is None:
            return self
        parts = []
        for part, hops in zip(*map(_some, (self.samples, self.hops)), strict=True):
            samples = part / FULL_SCALE
            with torch.autocast(samples.device.type, enabled=False):
                parts.append(features.in_context(samples, hops))
        made = torch.cat(parts)
        frames = self.speech if self.kept is None else self.kept  # each of one hop, or several
        made = made.reshape(*frames.shape, -1)
        if self.kept is not None:
            order = (~self.kept).long().argsort(dim=1, stable=True)[:, : self.speech.shape[1]]
            made = made.gather(1, order[..., None].expand(-1, -1, made.shape[2]))
        made = made.masked_fill(~self.there[..., None], 0.0)
        return dataclasses.replace(self, features=made, samples=None, hops=None, kept=None)

    def __len__(self) -> int:
        return len(self.lengths)

    @property
    def there(self) -> Tensor:
        """Which frames are no padding, ``(batch, time) bool``."""
        frames = torch.arange(self.speech.shape[1], device=self.lengths.device)
        return frames < self.lengths[:, None]

    @property
    def silent(self) -> bool:
        """Whether there is no speech in it, so that nothing is scored."""
        return not self.speech.any()


class SequenceDataset(Dataset[Batch]):
    """Sequences of a store under a silence policy.

    ``sequences`` has the columns ``start`` and ``stop`` (stored frames), ``target`` (index of the
    class, of so many ``classes``) and ``unit``. ``acoustics`` change those of a store of samples.
    """

    def __init__(
        self,
        store: Store,
        sequences: pd.DataFrame,
        policy: SilencePolicy,
        classes: int,
        acoustics: SequenceAcoustics | None = None,
    ):
        self.store = store
        self.policy = policy
        self.classes = classes
        self.acoustics = acoustics
        self.start = sequences["start"].to_numpy()
        self.stop = sequences["stop"].to_numpy()
        self.target = sequences["target"].to_numpy()
        self.unit = sequences["unit"].to_numpy()

    def __len__(self) -> int:
        return len(self.start)

    def __getitems__(self, indices: Sequence[int]) -> Batch:
        """Return the sequences as one padded batch (called by torch's loader for a whole batch)."""
        return self.batch(indices, [(self.start[index], self.stop[index]) for index in indices])

    def batch(
        self,
        indices: Sequence[int],
        places: Sequence[tuple[int, int]],
        occasions: Sequence[Sequence[int]] = (),
    ) -> Batch:
        """Return the stored frames from ``start`` to ``stop`` of sequences, which lie in them.

        ``occasions`` are those that acoustics depend on.
        """
        if self.acoustics:
            drawn = zip(indices, places, occasions, strict=True)
            changed = [self.acoustics.changed(*each) for each in drawn]
            batch = self._of_hops(indices, [(hops, speech) for hops, speech, _ in changed])
            batch.origin = padded([origin for *_, origin in changed], torch.long)
            return batch
        read = [self.store.read(*place) for place in places]
        if self.store.content.name == "samples":
            before = [self.store.read_context(start) for start, _ in places]
            heard = zip(before, read, strict=True)
            return self._of_hops(
                indices,
                [(np.concatenate([context, hops]), speech) for context, (hops, speech) in heard],
            )
        values, speech = zip(*read, strict=True)
        kept = [self.policy.kept(frames) for frames in speech] if self.policy.removes else []
        batch = self._without_features(indices, _left(speech, kept))
        batch.features = padded(_left(values, kept), torch.float32)
        return batch

    def _of_hops(
        self, indices: Sequence[int], heard: Sequence[tuple[np.ndarray, np.ndarray]]
    ) -> Batch:
        """Return a batch of samples: ``hops (context + time, hop), speech (time,)`` of each."""
        hops, speech = zip(*heard, strict=True)
        kept = [self.policy.kept(frames) for frames in speech] if self.policy.removes else []
        batch = self._without_features(indices, _left(speech, kept))
        batch.samples = padded(hops, torch.int16).flatten(1)
        batch.hops = torch.tensor([self.store.stride * len(frames) for frames in speech])
        batch.kept = padded(kept, torch.bool) if kept else None
        return batch

    def _without_features(self, indices: Sequence[int], speech: Sequence[np.ndarray]) -> Batch:
        mask, lengths = padded(speech, torch.bool), torch.tensor(list(map(len, speech)))
        target, unit = (torch.from_numpy(of[indices]) for of in (self.target, self.unit))
        # Of a silent piece, which is heard for what follows it, nothing is asked.
        there = (torch.arange(mask.shape[1]) < lengths[:, None]) & mask.any(1, keepdim=True)
        targets = self.policy.targets(target, mask, there, self.classes)
        return Batch(torch.zeros(*mask.shape, 0), lengths, targets, mask, target, unit)


def _some(values: Tensor) -> Sequence[Tensor]:
    return torch.split(values, MADE_AT_ONCE)


def _left(arrays: Sequence[np.ndarray], kept: Sequence[np.ndarray]) -> Sequence[np.ndarray]:
    """Return the frames that are kept of each array; where nothing is said of them, all."""
    return [array[of] for array, of in zip(arrays, kept, strict=True)] if kept else arrays


def padded(arrays: Sequence[np.ndarray], kind: torch.dtype) -> Tensor:
    """Return arrays as one tensor, with zeros behind the shorter ones."""
    padded = torch.zeros(len(arrays), max(map(len, arrays)), *arrays[0].shape[1:], dtype=kind)
    for row, array in zip(padded, arrays, strict=True):
        row[: len(array)] = torch.from_numpy(array)
    return padded


def loader(dataset: Dataset[Batch], workers: int, **order: Any) -> DataLoader[Batch]:
    """Return the batches of a dataset, which makes them whole, in the order that torch is told."""
    as_made: Any = {"collate_fn": _same, "persistent_workers": workers > 0}
    return DataLoader(dataset, num_workers=workers, **as_made, **order)


def _same(batch: Batch) -> Batch:
    return batch


def cut(store: Store, policy: SilencePolicy, frames: int, gapless: bool = False) -> pd.DataFrame:
    """Return the sequences of every utterance: columns ``row, start, stop, speech``.

    ``row`` is the utterance's, ``start`` and ``stop`` are stored frames, ``speech`` counts speech
    frames. Of a sequence the network hears ``frames``, but for the last one of an utterance, which
    is shorter. Sequences without speech are left out, of a ``gapless`` utterance only behind its
    last speech.
    """
    offsets = store.offsets
    edges = np.searchsorted(offsets, np.arange(0, offsets[-1], BLOCK_FRAMES))
    edges = np.append(np.unique(edges), len(offsets) - 1)
    blocks = [
        _cut_rows(store, policy, frames, gapless, int(first), int(last))
        for first, last in itertools.pairwise(np.unique(edges))
    ]
    row, start, stop, speech = map(np.concatenate, zip(*blocks, strict=True))
    return pd.DataFrame({"row": row, "start": start, "stop": stop, "speech": speech})


def _cut_rows(
    store: Store, policy: SilencePolicy, frames: int, gapless: bool, first: int, last: int
) -> tuple[np.ndarray, ...]:
    """Return the columns of ``cut`` for some rows of a store."""
    begin = store.offsets[first]
    offsets, speech = store.offsets[first : last + 1] - begin, store.speech_of(first, last)
    stop = policy.ends(speech, offsets, frames)
    start = np.append(0, stop[:-1])
    row = np.searchsorted(offsets, start, "right") - 1
    count = np.add.reduceat(speech.view(np.uint8), start, dtype=np.int64)
    kept = count > 0
    if gapless:
        spoken = np.append(0, count.cumsum())  # frames of speech before each sequence
        before, after = (spoken[np.searchsorted(row, row, side)] for side in ("left", "right"))
        kept |= (after > spoken[1:]) | (after == before)
    return first + row[kept], begin + start[kept], begin + stop[kept], count[kept]
