"""A store of sounds that are at hand, made as another store was."""

import hashlib
import itertools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import h5py
import joblib
import numpy as np

from langid.audio.full_scale import FULL_SCALE, in_16_bits
from langid.build import with_trust
from langid.data.clip_frames import frames_of_samples
from langid.data.shard import SHARD_UTTERANCES, facts_of, front_end_of
from langid.data.store import SCHEMA, Store
from langid.data.store_writer import StoreWriter
from langid.progress import progress
from langid.workers import end_workers


class Sounds(Protocol):
    """Utterances that are made when they are asked for, in any process."""

    def __len__(self) -> int: ...

    def __getitem__(self, number: int, /) -> tuple[dict[str, str], np.ndarray]:
        """Return a row of the manifest and ``samples (samples,)``, float32."""


def make_store(
    path: Path,
    like: Store,
    sounds: Sounds,
    title: str,
    workers: int = 0,
    accelerator: str = "auto",
    all_marked: bool = False,
) -> None:
    """Write a store of ``sounds``, of which as much is held in memory as a process works on.

    Features, marks of speech and rate are those of ``like``: its detector hears each sound anew,
    unless all frames shall be marked (``all_marked``). Unlike ``prepare`` it keeps what is silent.
    ``title`` is what progress shows.
    """
    device = facts_of(like.description, accelerator)[2]
    numbers = range(0, len(sounds), SHARD_UTTERANCES)
    shards = [path.with_name(f"{path.stem}-{number}.h5") for number in numbers]
    jobs = joblib.Parallel(n_jobs=max(1, workers), return_as="generator")(
        joblib.delayed(with_trust(_write_shard))(shard, like, sounds, number, device, all_marked)
        for shard, number in zip(shards, numbers, strict=True)
    )
    with progress(title, "clips") as bar:
        task = bar.add_task(title, total=len(sounds))
        for count in jobs:
            bar.advance(task, count)
    if workers > 1:
        end_workers()
    attributes = {"schema": SCHEMA, "description": json.dumps(like.description, sort_keys=True)}
    _join(shards, path, like, attributes | {"fingerprint": _fingerprint(like, title)})
    for shard in shards:
        shard.unlink()


def _write_shard(
    path: Path, like: Store, sounds: Sounds, first: int, device: str, all_marked: bool
) -> int:
    """Write the sounds from ``first`` on to a file; return how many they were."""
    import torch

    torch.set_num_threads(1)  # as in write_shard
    front_end = front_end_of(like.description, like.content)
    numbers = range(first, min(first + SHARD_UTTERANCES, len(sounds)))
    with StoreWriter(path, like.content) as writer, torch.inference_mode():
        for number in numbers:
            row, samples = sounds[number]
            features, speech = frames_of_samples(in_16_bits(samples), front_end, device)
            values: Any = features.numpy()
            if like.content.name == "samples":
                values = values.reshape(-1) * FULL_SCALE
            writer.write_frames(values, speech.numpy() | all_marked)
            writer.end_utterance(row)
        writer.finish()
    return len(numbers)


def _join(shards: Sequence[Path], path: Path, like: Store, attributes: dict[str, str]) -> None:
    """Write the utterances of shards as one store."""
    content, frames = like.content, 0
    for shard in shards:
        with h5py.File(shard, "r") as file:
            frames += len(file["speech"])
    with StoreWriter(path, content, frames) as writer:
        for shard in shards:
            with h5py.File(shard, "r") as file:
                offsets = file["offsets"][:].tolist()
                for row, place in zip(
                    json.loads(file["rows"][()]), itertools.pairwise(offsets), strict=True
                ):
                    values = file[content.name][content.numbers(*place)]
                    writer.write_frames(values, file["speech"][slice(*place)])
                    writer.end_utterance(row)
        writer.finish(attributes)


def _fingerprint(like: Store, title: str) -> str:
    return hashlib.sha256(f"{like.fingerprint} {title}".encode()).hexdigest()
