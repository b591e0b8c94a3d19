"""Training, validation and test batches of a store."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from pytorch_lightning import LightningDataModule
from torch.utils.data import DataLoader, Sampler

from langid.corpora.splits import PARTS, Split, shared_between_parts, speaker_groups
from langid.data.dataset import POLICIES, Batch, SequenceDataset, collate, cut
from langid.data.store import FeatureStore
from langid.errors import LangidError

HELD_OUT_FRAMES = 3000  # longer utterances are scored in pieces of 30 s, to bound memory


class LanguageDataModule(LightningDataModule):
    """Sequences of ``sequence_frames`` to train on, whole utterances to validate and test on.

    Under a split that cuts utterances all parts are made of sequences. ``classes`` are the
    languages in index order, sorted by name.
    """

    def __init__(
        self,
        store: str | Path,
        split: Split,
        silence: str = "mask",
        sequence_frames: int = 500,
        batch_size: int = 128,
        workers: int = 0,
        seed: int = 0,
    ):
        super().__init__()
        if silence not in POLICIES:
            raise LangidError(f"silence={silence}: accepted are {', '.join(POLICIES)}")
        for name, value in (("sequence_frames", sequence_frames), ("batch_size", batch_size)):
            if value < 1:
                raise LangidError(f"data.{name}={value}: accepted are 1 and more")
        self.store = FeatureStore(store)
        self.split = split
        self.silence = silence
        self.sequence_frames = sequence_frames
        self.batch_size = batch_size
        self.workers = workers
        self.seed = seed
        self.classes = sorted(set(self.store.utterances["language"]))
        if len(self.classes) < 2:
            raise LangidError(
                f"store={store}: holds one language only ({', '.join(self.classes)}); two are"
                " needed"
            )
        self._assign()

    def _assign(self) -> None:
        """Cut utterances into sequences and give every sequence its part."""
        utterances = self.store.utterances
        sequences = cut(self.store, self.silence, self.sequence_frames)
        if self.split.cuts_utterances:
            rows = utterances.iloc[sequences["row"]].reset_index(drop=True)
            sequences["part"] = self.split(rows)
            sequences["unit"] = np.arange(len(sequences))
            self.parts = sequences
            held_out = sequences
        else:
            parts = self.split(utterances)
            sequences["part"] = parts[sequences["row"]]
            sequences["unit"] = sequences["row"]
            held_out = cut(self.store, self.silence, HELD_OUT_FRAMES)
            held_out["part"] = parts[held_out["row"]]
            held_out["unit"] = held_out["row"]
            self.parts = pd.DataFrame({"row": np.arange(len(parts)), "part": parts})
        target = utterances["language"].map({name: i for i, name in enumerate(self.classes)})
        for table in (sequences, held_out):
            table["target"] = target.to_numpy()[table["row"]]
        self.sequences = {
            "train": sequences[sequences["part"] == "train"],
            **{part: held_out[held_out["part"] == part] for part in PARTS[1:]},
            "all": held_out,
        }
        self._require_languages()

    def _require_languages(self) -> None:
        present = set(self.sequences["train"]["target"])
        missing = [name for index, name in enumerate(self.classes) if index not in present]
        if missing:
            raise LangidError(
                f"the training part has no utterance of {', '.join(missing)}; change the split or"
                " prepare more speech of it"
            )
        empty = [part for part in PARTS if not len(self.sequences[part])]
        if empty:
            raise LangidError(f"the {empty[0]} part is empty; change the split's fractions")

    def summary(self) -> dict[str, Any]:
        """Return utterances and speakers per part and language, and what the parts share."""
        rows = self.store.utterances.iloc[self.parts["row"]].reset_index(drop=True)
        parts = self.parts["part"].to_numpy()
        counts: dict[str, Any] = {}
        for part in PARTS:
            of_part = rows[parts == part]
            speakers = speaker_groups(of_part)
            counts[part] = {
                language: {
                    "clips": int(group["utterance_id"].nunique()),
                    "speakers": int(speakers[group.index].nunique()),
                }
                for language, group in of_part.groupby("language")
            }
        return {
            "parts": counts,
            "left_out": int((parts == "").sum()),
            "shared": shared_between_parts(rows, parts),
        }

    def class_frames(self) -> list[int]:
        """Return the training frames with a loss of each class, ``silence`` last if it is one."""
        train = self.sequences["train"]
        frames = np.zeros(len(self.classes) + (self.silence == "label"), np.int64)
        counted = train["stop"] - train["start"] if self.silence == "keep" else train["speech"]
        np.add.at(frames, train["target"].to_numpy(), counted.to_numpy())
        if self.silence == "label":
            frames[-1] = int((train["stop"] - train["start"] - train["speech"]).sum())
        return [int(count) for count in frames]

    def normaliser_statistics(self) -> tuple[np.ndarray, np.ndarray]:
        """Return mean and standard deviation per bin over the training part's speech frames."""
        total, squares, count = np.zeros(self.store.bins), np.zeros(self.store.bins), 0
        for start, stop in self.sequences["train"][["start", "stop"]].itertuples(index=False):
            features, speech = self.store.read(start, stop)
            frames = features[speech].astype(np.float64)
            total += frames.sum(0)
            squares += np.square(frames).sum(0)
            count += len(frames)
        mean = total / count
        return mean, np.sqrt(np.maximum(squares / count - np.square(mean), 1e-8))

    def train_dataloader(self) -> DataLoader[Batch]:
        sampler = EpochSampler(len(self.sequences["train"]), self.seed)
        return self._loader("train", sampler)

    def val_dataloader(self) -> DataLoader[Batch]:
        return self._loader("validation")

    def test_dataloader(self) -> DataLoader[Batch]:
        return self._loader("test")

    def part_dataloader(self, part: str) -> DataLoader[Batch]:
        """Return unshuffled batches of ``train``, ``validation``, ``test`` or ``all``."""
        return self._loader(part)

    def _loader(self, part: str, sampler: Sampler[int] | None = None) -> DataLoader[Batch]:
        sequences = self.sequences[part]
        if sampler is None:  # batches of like lengths waste little on padding
            length = sequences["stop"] - sequences["start"]
            sequences = sequences.iloc[np.argsort(length.to_numpy(), kind="stable")]
        return DataLoader(
            SequenceDataset(self.store, sequences, self.silence, len(self.classes)),
            batch_size=self.batch_size,
            sampler=sampler,
            num_workers=self.workers,
            collate_fn=collate,  # type: ignore[arg-type]  # the dataset has made the batch already
            persistent_workers=self.workers > 0,
        )


class EpochSampler(Sampler[int]):
    """A random order that depends on seed and epoch alone, so that a resumed run repeats it."""

    def __init__(self, length: int, seed: int):
        self.length = length
        self.seed = seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch; Lightning calls this before each one."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[int]:
        order = torch.Generator().manual_seed(self.seed * 1_000_003 + self.epoch)
        yield from torch.randperm(self.length, generator=order).tolist()

    def __len__(self) -> int:
        return self.length
