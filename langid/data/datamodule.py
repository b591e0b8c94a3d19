"""Training, validation and test batches of a store."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pytorch_lightning import LightningDataModule
from torch.utils.data import DataLoader

from langid.corpora.part_counts import (
    clips_and_speakers,
    digest_of_ids,
    minutes,
    shared_between_parts,
)
from langid.corpora.splits import PARTS, Split
from langid.corpora.tasks import Task
from langid.data.acoustics import SequenceAcoustics
from langid.data.balance import Balance, EverySequence
from langid.data.crops import DRAWS, Crops, DrawnDataset, heard_frames
from langid.data.dataset import Batch, cut, loader
from langid.data.part_check import require_classes
from langid.data.pieces import cut_whole, piece_loader
from langid.data.sampler import EpochSampler, LaneSampler
from langid.data.silence_policy import silence_policy
from langid.data.speech_statistics import speech_statistics
from langid.data.stacked_store import stacked_store
from langid.data.teacher_outputs import TaughtDataset, TeacherOutputs
from langid.errors import LangidError
from langid.signal.acoustics.chain import WaveformAugment


class LanguageDataModule(LightningDataModule):
    """Sequences of ``sequence_frames`` to train on, whole utterances to validate and test on.

    ``sequences`` are those by part, ``taught`` those of training with a label and then without,
    ``pieces`` what is scored of each: whole utterances, long ones in several rows. Under a split
    that cuts utterances all parts are made of sequences. ``task`` says what is predicted, the
    language unless it is given; ``classes`` are its classes in index order, and ``left_out`` counts
    the rows that have none of them. Without ``normalise`` features stay as they are stored, as in
    published systems that have no normalisation. With ``carry_state`` each training sequence goes
    on in its place of the batch where the one before it ended, so that a network can carry its
    memory over (see LaneSampler); crops do not, and every second one begins with the memory of
    another. With ``crop_s``, a pair of seconds, training sequences are whole utterances, and each
    time that one is drawn one crop of it is heard, of a length between the two (see Crops); under a
    split that cuts utterances, one of each sequence. ``waveform`` changes the samples of training
    sequences, of a store that has some. With ``stride`` a frame is so many stored ones (see
    StackedStore), but for ``sequence_frames``, which are stored ones. With
    ``by_length`` the sequences of a training batch are of like length (see EpochSampler).
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
        balance: Balance | None = None,
        task: Task | None = None,
        normalise: bool = True,
        carry_state: bool = False,
        crop_s: Sequence[float] | None = None,
        waveform: WaveformAugment | None = None,
        stride: int = 1,
        by_length: bool = False,
    ):
        super().__init__()
        for name, value in (("sequence_frames", sequence_frames), ("batch_size", batch_size)):
            if value < 1:
                raise LangidError(f"data.{name}={value}: accepted are 1 and more")
        self.normalise, self.carry_state, self.by_length = normalise, carry_state, by_length
        for name in ("normalise", "carry_state", "by_length"):
            if not isinstance(switch := getattr(self, name), bool):
                raise LangidError(f"data.{name}={switch}: accepted are true and false")
        self.store = stacked_store(store, stride)
        self.split = split
        self.silence = silence_policy(silence)
        self.sequence_frames, self.stride = sequence_frames, stride
        self.batch_size, self.workers, self.seed = batch_size, workers, seed
        self.balance = balance or EverySequence()
        self.task = task or Task()
        self.crops = None
        if crop_s is not None:
            self.crops = Crops.of_seconds(crop_s, self.store.frames_per_second)
        self._check_carry_state()
        self.teacher: TeacherOutputs | None = None  # which ``train`` asks, where there is one
        self.unlabelled = split.has_no_label(self.store.utterances)
        labelled = self.store.utterances.loc[~self.unlabelled, [self.task.column]]
        self.classes = self.task.classes_of(labelled)
        self.left_out = self.task.left_out(labelled, self.classes)
        self._assign()
        self.acoustics = None
        if waveform:
            self.acoustics = SequenceAcoustics(waveform, self.store, self.taught, seed)

    def _check_carry_state(self) -> None:
        if not self._in_lanes:
            return
        held = "data.carry_state=true: hears whole utterances one after the other, and"
        crops = "data.crop_s=[1.5,7], say, whose order is free"
        if not isinstance(self.balance, EverySequence):
            name = type(self.balance).__name__
            raise LangidError(
                f"{held} balance={name} draws sequences; take balance=none, or {crops}"
            )
        if self.by_length:
            raise LangidError(
                f"{held} data.by_length sorts sequences; take data.by_length=false, or {crops}"
            )

    @property
    def _in_lanes(self) -> bool:
        return self.carry_state and self.crops is None

    def _assign(self) -> None:
        """Cut utterances into sequences and give every sequence its part."""
        utterances = self._labelled()
        target = pd.Index(self.classes).get_indexer(utterances["class"])  # -1 where it has none
        frames = max(1, round(self.sequence_frames / self.stride))
        if self.crops and not self.split.cuts_utterances:
            frames = int(utterances["frames"].max())
        sequences = cut(self.store, self.silence, frames)
        sequences["target"] = target[sequences["row"]]
        if self.split.cuts_utterances:
            rows = utterances.iloc[sequences["row"]].reset_index(drop=True)
            sequences["part"] = self.split(rows)
            sequences["unit"] = np.arange(len(sequences))
            self.parts = held_out = sequences
        else:
            parts = self.split(utterances)
            self.parts = pd.DataFrame({"row": np.arange(len(parts)), "part": parts})
            held_out = cut_whole(self.store, self.silence)
            held_out["target"] = target[held_out["row"]]
            for table in (sequences, held_out):
                table["part"], table["unit"] = parts[table["row"]], table["row"]
        self.pieces = {part: held_out[held_out["part"] == part] for part in PARTS}
        self.pieces["all"] = held_out[held_out["target"] >= 0]
        heard = {part: sequences[sequences["part"] == part] for part in ("train", "unlabelled")}
        self.sequences = self.pieces | heard
        self.taught = pd.concat(heard.values())
        require_classes(self.sequences, self.classes, self.split.parts)

    def _labelled(self) -> pd.DataFrame:
        """Return the utterances with their ``class``, which is empty where they have none."""
        utterances = self.store.utterances
        labels = self.task.labels(utterances, self.classes).mask(self.unlabelled, "")
        return utterances.assign(**{"class": labels})

    def summary(self) -> dict[str, Any]:
        """Return utterances and speakers per part and class, and what the parts share.

        ``minutes`` are those of each class in training. ``missing`` names the classes of which
        nothing is heard in a part that the split deals, and ``left_out`` counts what the split
        leaves out, not the rows that have no class. Where the split names some, ``unlabelled``
        counts what only teaches. ``heard`` is a digest of the utterances that are learned from.
        """
        rows = self._labelled().iloc[self.parts["row"]].reset_index(drop=True)
        parts = self.parts["part"].to_numpy()
        heard = {
            part: set(self.sequences[part].query("speech > 0")["target"])
            for part in self.split.parts
        }
        only_taught = clips_and_speakers(rows[parts == "unlabelled"])
        return ({"unlabelled": only_taught} if self.split.unlabelled else {}) | {
            "parts": {
                part: {
                    name: clips_and_speakers(group)
                    for name, group in rows[parts == part].groupby("class")
                }
                for part in PARTS
            },
            "minutes": {
                name: minutes(group) for name, group in rows[parts == "train"].groupby("class")
            },
            "missing": {
                part: [name for index, name in enumerate(self.classes) if index not in targets]
                for part, targets in heard.items()
            },
            "left_out": int(((parts == "") & (rows["class"] != "")).sum()),
            "shared": shared_between_parts(rows, parts),
            "heard": digest_of_ids(rows["utterance_id"][np.isin(parts, ["train", "unlabelled"])]),
        }

    def sequence_counts(self) -> dict[str, list[int]]:
        """Return how many training sequences of each class there are, and an epoch draws."""
        targets = self.sequences["train"]["target"].to_numpy()
        drawn = targets[self.balance(targets, self.seed, 0)]
        return {"there": np.bincount(targets).tolist(), "per_epoch": np.bincount(drawn).tolist()}

    def class_frames(self) -> list[int]:
        """Return the training frames with a loss of each output of a network.

        Of crops those that an epoch has on average: long clips give no more than short ones.
        """
        train = self.sequences["train"]
        target, speech = train["target"].to_numpy(), train["speech"].to_numpy()
        frames = (train["stop"] - train["start"]).to_numpy()
        if self.crops:
            heard = heard_frames(train, self.silence, None, np.arange(len(train)))
            share = self.crops.expected(heard) / np.maximum(heard, 1)
            speech, frames = ((of * share).round().astype(int) for of in (speech, frames))
        return self.silence.class_frames(target, frames, speech, len(self.classes))

    def normaliser_statistics(self) -> tuple[np.ndarray, np.ndarray]:
        """Return mean and standard deviation per bin over the training part's speech frames.

        Without ``normalise`` they are 0 and 1, which change nothing.
        """
        if not self.normalise:
            return np.zeros(self.store.bins), np.ones(self.store.bins)
        return speech_statistics(self.store, self.pieces["train"], self.silence)

    def train_dataloader(self) -> DataLoader[Batch]:
        rank, processes = self._place()
        place = (self.seed, self.batch_size, rank, processes)
        made = (self.store, self.taught, self.silence, len(self.classes), self.acoustics)
        sequences = TaughtDataset(*made)
        sequences.teacher = self.teacher
        drawn = DrawnDataset(sequences, self.crops) if self.crops or self.acoustics else sequences
        sampler = EpochSampler(self._drawn, *place)
        if self._in_lanes:
            sampler = LaneSampler(self.taught["row"].to_numpy(), *place)
        sampler.draws, sampler.occasions = DRAWS if self.crops else 0, self.acoustics is not None
        if self.by_length:
            sampler.lengths = partial(heard_frames, self.taught, self.silence, self.crops)
        if self.trainer:  # Lightning says it too late for workers, which load ahead
            progress = self.trainer.fit_loop.epoch_progress.current
            sampler.set_epoch(progress.processed)  # type: ignore[attr-defined]
        size = self.batch_size // processes
        return loader(drawn, self.workers, batch_size=size, sampler=sampler)

    def val_dataloader(self) -> DataLoader[Batch]:
        return self.part_dataloader("validation", *self._place())

    def part_dataloader(self, part: str, rank: int = 0, processes: int = 1) -> DataLoader[Batch]:
        """Return what is scored of ``train``, ``validation``, ``test`` or ``all``, unshuffled.

        Of several processes each has its share of the utterances.
        """
        size = self.batch_size // processes
        place = (len(self.classes), size, self.workers, rank, processes)
        return piece_loader(self.store, self.pieces[part], self.silence, *place)

    def check_processes(self, processes: int) -> None:
        """Raise LangidError where so many processes cannot share a batch evenly."""
        if self.batch_size % processes:
            near = max(1, round(self.batch_size / processes)) * processes
            raise LangidError(
                f"data.batch_size={self.batch_size}: {processes} processes share each batch evenly,"
                f" so it must be a multiple of {processes}; take data.batch_size={near}, say"
            )
        held_out = self.pieces["validation"]["unit"].nunique()
        if held_out < processes:
            raise LangidError(
                f"the validation part has {held_out} sequences, too few for {processes} processes;"
                " take fewer trainer.devices"
            )

    def _place(self) -> tuple[int, int]:
        """Return the number of this process of a training, and how many there are."""
        return (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)

    def _drawn(self, epoch: int) -> np.ndarray:
        """Return the training sequences of an epoch: balanced, and all that have no label."""
        targets = self.sequences["train"]["target"].to_numpy()
        unlabelled = len(targets) + np.arange(len(self.sequences["unlabelled"]))
        return np.append(self.balance(targets, self.seed, epoch), unlabelled)
