"""All clips of a store, measured one by one."""

import functools
import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd

from langid.audio.decode import AudioError
from langid.audio.file_facts import file_facts
from langid.data.store import Store
from langid.data.stored_samples import StoredSamples
from langid.errors import LangidError
from langid.inspection.fingerprints import fingerprint
from langid.inspection.measurements import RATE, measure
from langid.progress import progress
from langid.workers import end_workers, ended_from_outside

LONGEST_S = 300.0  # of an utterance is measured; of the fingerprint a fifth of it
TOGETHER = 32  # clips that a process measures at a time

Fingerprint = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Clips:
    """What is measured of clips: one row a clip, in the order of the store.

    ``table`` has the manifest's columns, ``frames`` and ``speech_frames``, those of FileFacts and
    Measurements, and ``sha256`` of the samples; ``quiet (clips, 2 * bands)`` are the quietest
    frames. ``unread`` are the reasons, by utterance, why others could not be measured.
    """

    table: pd.DataFrame
    quiet: np.ndarray
    prints: list[Fingerprint]
    unread: dict[str, str]


def measure_clips(store: Store, rows: Sequence[int], workers: int) -> Clips:
    """Measure rows of a store, which are heard at 16 kHz, of longer ones the first five minutes.

    Raises LangidError where no clip of them can be read.
    """
    batches = [rows[start : start + TOGETHER] for start in range(0, len(rows), TOGETHER)]
    workers = min(workers, len(batches))
    jobs = joblib.Parallel(n_jobs=workers, return_as="generator")(
        joblib.delayed(_measured)(store.path, batch) for batch in batches
    )
    found: list[dict[str, Any]] = []
    with progress("inspecting", "clips") as bar:
        task = bar.add_task("inspecting", total=len(rows))
        with ended_from_outside("take fewer"):
            for batch in jobs:
                found += batch
                bar.advance(task, len(batch))
    if workers > 1:
        end_workers()
    return _gathered(store, found)


def _gathered(store: Store, found: list[dict[str, Any]]) -> Clips:
    ids = store.columns["utterance_id"]
    unread = {str(ids[one["row"]]): one["unread"] for one in found if "unread" in one}
    read = [one for one in found if "unread" not in one]
    if not read:
        raise LangidError(
            f"store={store.path}: none of its {len(found)} clips can be read; the first:"
            f" {next(iter(unread.values()))}. It holds features, so that clips are decoded again:"
            " put them back, or prepare a store with content=samples"
        )
    quiet = np.stack([one.pop("quiet") for one in read])
    prints = [one.pop("print") for one in read]
    measured = pd.DataFrame(read).set_index("row")
    return Clips(store.utterances.join(measured, how="inner"), quiet, prints, unread)


def _measured(path: Path, rows: Sequence[int]) -> list[dict[str, Any]]:
    samples_of = _opened(path)
    return [_of_clip(samples_of, row) for row in rows]


@functools.lru_cache(1)
def _opened(path: Path) -> StoredSamples:
    import torch

    torch.set_num_threads(1)  # processes are the parallelism
    return StoredSamples(Store(path), RATE)


def _of_clip(samples_of: StoredSamples, row: int) -> dict[str, Any]:
    store = samples_of.store
    try:
        samples = samples_of(row)
    except AudioError as error:
        return {"row": row, "unread": str(error)}
    speech = store.read_speech(*store.offsets[row : row + 2])
    most = min(1.0, LONGEST_S * RATE / len(samples))
    heard = samples[: round(most * len(samples))]
    measured = measure(heard, speech[: max(1, round(most * len(speech)))])
    return {
        "row": row,
        "speech_frames": int(speech.sum()),
        "sha256": hashlib.sha256(samples.tobytes()).hexdigest(),
        "print": fingerprint(heard[: len(samples) if most == 1 else len(heard) // 5], RATE),
        **file_facts(store.columns["path"][row])._asdict(),
        **asdict(measured),
    }
