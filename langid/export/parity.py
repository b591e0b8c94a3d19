"""What a file must show before it gets its name: the posteriors of offline PyTorch, on speech."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from langid.audio.decode import read_audio
from langid.data.store import Store
from langid.errors import LangidError
from langid.streaming.streamer import StreamingIdentifier, StreamingModel
from langid.training.identifier import LanguageIdentifier

TOLERANCE = 1e-4
CLIPS = 4
CHUNKS = (160, 1000, 1_000_000)


def training_clips(identifier: LanguageIdentifier) -> list[np.ndarray]:
    """Return ``samples (samples,)`` of some clips that a store was made of, evenly spread.

    Raises LangidError where store or clips are not where they were.
    """
    try:
        rows = Store(identifier.described.store).utterances
        chosen = rows.iloc[np.linspace(0, len(rows) - 1, CLIPS).astype(int)]
        return [read_audio(path, identifier.front_end.sample_rate) for path in chosen["path"]]
    except LangidError as error:
        raise LangidError(
            f"export compares the file with PyTorch on real speech, and the training clips are not"
            f" where they were ({error}); give a recording: audio=FILE"
        ) from error


def check_clips(clips: Sequence[np.ndarray]) -> None:
    """Raise LangidError where there is no speech to compare a file with PyTorch on."""
    if not sum(len(clip) for clip in clips):
        raise LangidError("export: no samples to compare PyTorch and the file on; give audio=FILE")


def check_differences(path: Path, differences: dict[str, float]) -> None:
    """Raise LangidError where posteriors of a file that is to be written are not PyTorch's."""
    worst = max(differences.values())
    if not worst <= TOLERANCE:
        raise LangidError(
            f"{path}: not written, the exported graph differs from PyTorch by {worst:.1e} on real"
            f" speech; accepted is {TOLERANCE:.0e} ({differences})"
        )


def compare(
    identifier: LanguageIdentifier,
    runtimes: Mapping[str, StreamingModel],
    clips: Sequence[np.ndarray],
) -> dict[str, float]:
    """Return the largest difference from the offline posteriors, per runtime and chunk size."""
    differences: dict[str, float] = {}
    streams = {name: StreamingIdentifier(model) for name, model in runtimes.items()}
    for clip in clips:
        offline, _ = posteriors_and_speech(identifier, clip)
        for name, stream in streams.items():
            for chunk in CHUNKS:
                size = f"{chunk} samples" if chunk < CHUNKS[-1] else "whole clip"
                largest = difference(stream, clip, chunk, offline)
                differences[f"{name}, {size}"] = max(
                    differences.get(f"{name}, {size}", 0.0), largest
                )
    return differences


def posteriors_and_speech(
    identifier: LanguageIdentifier, samples: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """``samples (samples,) -> posteriors (time, classes), speech (time,)`` of offline PyTorch.

    Raises LangidError where they are NaN.
    """
    posteriors, speech = identifier.posteriors(torch.from_numpy(samples)[None])
    if not posteriors.isfinite().all():
        raise LangidError("export: the model's posteriors are NaN: its training has diverged")
    return posteriors[0].numpy(), speech[0].numpy()


def feed_clip(stream: StreamingIdentifier, clip: np.ndarray, chunk: int) -> np.ndarray:
    """Return all posteriors of a clip that is fed in chunks of so many samples, from the start."""
    stream.reset()
    pieces = [stream.feed(clip[i : i + chunk]) for i in range(0, len(clip), chunk)]
    return np.concatenate([*pieces, stream.flush()])


def difference(
    stream: StreamingIdentifier, clip: np.ndarray, chunk: int, offline: np.ndarray
) -> float:
    """Return the largest difference on one clip that is fed in chunks of so many samples."""
    return largest_difference(feed_clip(stream, clip, chunk), offline)


def largest_difference(streamed: np.ndarray, offline: np.ndarray) -> float:
    """Return the largest difference of posteriors; infinity where one is absent or NaN."""
    if streamed.shape != offline.shape or not np.isfinite(streamed).all():
        return float("inf")
    return float(np.abs(streamed - offline).max(initial=0.0))
